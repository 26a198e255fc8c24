"""Manage, Sign-in: which roles need a second factor, and who of them has none yet."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from accounts.mail import stored as mail
from accounts.models import User
from accounts.rights import admins_only, manage_page, person_of
from accounts.sign_in import policy as sign_in_policy
from accounts.sign_in.confirming import confirmed
from accounts.sign_in.security_forms import SignInPolicyForm
from accounts.single_sign_on import saml_xml
from accounts.single_sign_on.forms import SignUpForm
from accounts.single_sign_on.sign_up import SignUp
from accounts.single_sign_on.vendors import VENDORS
from accounts.views import sign_in_providers

HERE = "sign_in"
MOST_NAMED = 20  # people without a second factor that the page names


@dataclass(frozen=True, slots=True)
class RoleLine:
    """One role: how many there are of it, and how many of them have a second factor."""

    value: str
    label: str
    chosen: bool
    people: int
    with_factor: int


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@confirmed("POST")
def policy(request: HttpRequest) -> HttpResponse:
    now = sign_in_policy.current()
    form = SignInPolicyForm(
        request.POST if request.method == "POST" else None,
        initial={"roles": sorted(now.roles), "grace_days": now.grace_days},
    )
    if form.is_bound and form.is_valid():
        values = form.cleaned_data
        sign_in_policy.decide(by=person_of(request), roles=values["roles"], grace_days=values["grace_days"])
        messages.success(request, "Saved. It holds from now on.")
        return redirect("accounts:sign_in_policy")
    people = User.objects.active().annotate(has=Exists(sign_in_policy.second_factors_of(OuterRef("pk"))))
    chosen = set(form["roles"].value() or ())
    lacking = people.filter(has=False, second_factor_due__isnull=False).order_by("second_factor_due", "email")
    decided, has_saml = SignUp.current(), saml_xml.is_installed()
    context = {
        "form": form,
        "lines": sign_in_providers.lines(),
        "vendors": [each for each in VENDORS.values() if not each.is_saml or has_saml],
        "saml_lacks": "" if has_saml else saml_xml.INSTALL,
        "sign_up": SignUpForm(initial={"mode": decided.mode, "domains": sorted(decided.domains)}),
        "roles": _role_lines(list(people.values_list("role", "has")), chosen),
        "lacking": lacking[:MOST_NAMED],
        "lacking_count": lacking.count(),
        "shared_limits": bool(settings.REDIS_URL) or connection.vendor == "sqlite",
        "proxies": settings.ALLAUTH_TRUSTED_PROXY_COUNT,
        "mail_works": mail.is_set_up(),
    }
    status = 422 if form.is_bound else 200
    return manage_page(request, "manage/sign_in_policy.html", context, here=HERE, status=status)


def _role_lines(people: list[tuple[str, bool]], chosen: set[str]) -> list[RoleLine]:
    return [
        RoleLine(
            value=value,
            label=label,
            chosen=value in chosen,
            people=sum(role == value for role, _ in people),
            with_factor=sum(role == value and has for role, has in people),
        )
        for value, label in (("owner", "Owners"), ("admin", "Admins"), ("member", "Members"))
    ]
