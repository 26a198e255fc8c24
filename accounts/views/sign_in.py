"""The ways in besides the password, which allauth knows: a passkey, a code by mail, the second step."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account import views as account_views
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.mfa.base import views as mfa_views
from allauth.mfa.webauthn import views as webauthn_views
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.internal import flows
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.mail import stored as mail
from accounts.sign_in import audit as sign_in_audit
from accounts.sign_in import second_factors
from accounts.sign_in.confirming import confirmed
from accounts.single_sign_on import other_ways
from accounts.single_sign_on.sign_up import SignUp

Answer = Callable[[HttpRequest], HttpResponseBase]


def _where_mail_is_sent(view: Answer) -> Answer:
    """Without mail there are no codes to enter, and no page for them."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        if not mail.is_set_up():
            raise Http404
        return view(request)

    return never_cache(guarded)


class SignIn(account_views.LoginView):  # type: ignore[misc]
    """allauth's, with the buttons of single sign-on."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        decided = SignUp.current()
        return {
            **context,
            "providers": other_ways.providers(),
            "only_sso": decided.mode == "sso",
            "may_sign_up": decided.mode == "domain" and mail.is_set_up(),
        }


class PasskeySignIn(webauthn_views.LoginWebAuthnView):  # type: ignore[misc]
    """allauth's, and back to the page that was asked for."""

    def form_valid(self, form: Any) -> HttpResponse:
        passkey = form.cleaned_data["credential"]
        login = Login(user=passkey.user, redirect_url=get_next_redirect_url(self.request))
        answer: HttpResponse = flows.perform_passwordless_login(self.request, passkey, login)
        return answer

    def form_invalid(self, form: Any) -> HttpResponse:
        if self.request.POST.get("credential"):
            sign_in_audit.failed(None, via="passkey")
        answer: HttpResponse = super().form_invalid(form)
        return answer


class SecondStep(mfa_views.AuthenticateView):  # type: ignore[misc]
    """allauth's, which offers what the person has."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "factors": second_factors.of(self.stage.login.user)}


sign_in = SignIn.as_view()


@require_POST
@never_cache
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What the browser needs to ask for any passkey of this site; it says nothing about anybody."""
    if refused := ratelimit.consume_or_429(request, action="login"):
        return refused  # type: ignore[no-any-return]
    return JsonResponse(webauthn.begin_authentication(user=None))


passkey_sign_in = require_POST(never_cache(PasskeySignIn.as_view()))
second_step = sensitive_post_parameters("code")(never_cache(SecondStep.as_view()))
confirm = sensitive_post_parameters("password")(never_cache(account_views.reauthenticate))
confirm_by_code = sensitive_post_parameters("code")(never_cache(mfa_views.reauthenticate))
confirm_by_passkey = never_cache(webauthn_views.reauthenticate_webauthn)
request_code = _where_mail_is_sent(account_views.request_login_code)
enter_code = _where_mail_is_sent(sensitive_post_parameters("code")(account_views.confirm_login_code))
enter_email_code = _where_mail_is_sent(
    sensitive_post_parameters("code")(account_views.email_verification_sent)
)
change_email = _where_mail_is_sent(confirmed()(account_views.email))
