"""What differs from allauth's own rules of signing in."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import client, letters
from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import User
from accounts.sign_in import sessions
from accounts.single_sign_on import other_ways

log = logging.getLogger(__name__)
QUIET = {  # the page that follows says it
    "account/messages/logged_in.txt",
    "account/messages/logged_out.txt",
    "account/messages/login_code_sent.txt",
    "account/messages/email_confirmation_sent.txt",
}
WAYS_TO_CONFIRM = {  # allauth's, in our order and words
    "mfa_reauthenticate:webauthn": "Use a passkey",
    "reauthenticate": "Use your password",
    "mfa_reauthenticate": "Use a code",
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages: dict[str, Any] = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "This e-mail and password do not fit together. Check both and try again.",
        "too_many_login_attempts": "Too many attempts. Wait five minutes, then try again.",
        "incorrect_password": "This is not your password.",
        "incorrect_code": "This code is not right. Check it and try again.",
        "rate_limited": "Too many requests. Wait a few minutes, then try again.",
        "duplicate_email": "This is your e-mail already.",
        "email_taken": "There is another account with this e-mail.",
        "enter_current_password": "This is not your current password.",
        "invalid_password_reset": "This link was used already or is too old. Ask for a new one.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Not by allauth's page: there are invitations, accounts.views.sign_up and single sign-on."""
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        """The pages answer with pages, whatever a caller says it accepts."""
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Only a path of this very site: not another port of the same host, which may be somebody else's."""
        return (
            bool(url)
            and str(url).startswith("/")
            and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
        )

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Signing in and out shows by itself; other outcomes are said."""
        if message_template not in QUIET:
            super().add_message(request, level, message_template, *args, **kwargs)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The client as the trusted proxies saw it; headers that others sent are not believed."""
        if found := client.seen_by_proxies(request):
            return found
        raise PermissionDenied("Where this request comes from cannot be known.")

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> Any:
        """Whoever must come by single sign-on is told so, once their password or code was right."""
        if refused := super().pre_login(request, user, **kwargs):
            return refused
        if words := other_ways.refusal(request, user):
            clear_login(request)
            context = {"words": words, "providers": other_ways.providers()}
            return render(request, "accounts/sso_needed.html", context, status=403)
        return None

    def get_login_stages(self) -> list[str]:
        """A second step that the provider of single sign-on has seen to is not asked for twice."""
        stages: list[str] = super().get_login_stages()
        ours = {"allauth.mfa.stages.AuthenticateStage": "accounts.single_sign_on.other_ways.SecondStep"}
        return [ours.get(stage, stage) for stage in stages]

    def login(self, request: HttpRequest, user: User) -> None:
        """Between password and second step a person may have been deactivated."""
        if not user.is_active:
            clear_login(request)
            raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
        super().login(request, user)

    def set_password(self, user: User, password: str) -> None:
        """Signs the person out everywhere but here; a link by mail sets it from where nobody is signed in."""
        user.set_password(password)  # first: hashing takes longer than a transaction should
        here = self.request is not None and self.request.user == user
        with transaction.atomic():
            user.save(update_fields=["password"])
            ended = sessions.cut(user, but=self.request.session.session_key if here else None)
            audit.record(
                Verb.PASSWORD_CHANGED,
                actor=user,
                via="" if here else "link by mail",
                kind="person",
                id=user.pk,
                after={"sessions_ended": ended},
            )

    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        with transaction.atomic():
            confirmed: bool = super().confirm_email(request, email_address)
        return confirmed

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Letters that somebody waits for. Where the mail server does not take one, the person is told so."""
        try:
            super().send_mail(template_prefix, email, context)
        except (SMTPException, OSError) as error:
            if self.request is None:
                raise
            log.warning("A letter that somebody waits for was not sent: %s", type(error).__name__)
            answer = render(self.request, "accounts/mail_failed.html", status=503)
            raise ImmediateHttpResponse(answer) from None

    def send_notification_mail(
        self, template_prefix: str, user: User, context: Any = None, email: str | None = None
    ) -> None:
        letters.tell(template_prefix, email or user.email, **(context or {}))

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        found = {method["id"]: method for method in super().get_reauthentication_methods(user)}
        ways = [{**found[id], "description": words} for id, words in WAYS_TO_CONFIRM.items() if id in found]
        if not ways and user.is_authenticated and other_ways.of(user):
            # Who has nothing here to confirm with does so where they sign in.
            url = reverse("accounts:sso_confirm")
            ways = [{"id": "sso", "description": "Sign in again", "url": url}]
        return ways

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:security")

    def get_email_verification_redirect_url(self, email_address: Any) -> str:
        if self.request is not None and self.request.user.is_authenticated:
            return reverse("accounts:security")
        return reverse("account_login")

    def get_reset_password_from_key_url(self, key: str) -> str:
        """The link in a mail names the configured address, whatever Host header asked for it."""
        url: str = super().get_reset_password_from_key_url(key)
        if not settings.PUBLIC_URL:
            return url
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return str(settings.PUBLIC_URL) + path.replace("UID-KEY", key)
