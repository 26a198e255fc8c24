"""Who must come by single sign-on, though they know a password, or have a code or a passkey.

While the rule is "single sign-on alone": everybody but owners, who keep their password as a way back. And
whoever is spared a second factor here because a provider checks it: any other way would go without.
"""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.models import Login
from allauth.mfa.stages import AuthenticateStage
from django.http import HttpRequest

from accounts.models import SignInProvider, User
from accounts.sign_in import policy as sign_in_policy
from accounts.single_sign_on.sign_up import SignUp

METHOD = "single sign-on"  # of allauth's records of how a session signed in
CHECKED = "second_factor_checked"  # in such a record and in a login's state: the provider has checked one
ONLY_SSO = "People sign in by single sign-on here. Use one of these."
NEEDS_FACTOR = "Your role needs a second factor, and you have none here. Sign in where one is checked."


def refusal(request: HttpRequest, person: User) -> str:
    """Why this sign-in may not go on; "" where it may."""
    ways = [record for record in get_authentication_records(request, person) if record["method"] == METHOD]
    if not ways and person.role != User.Role.OWNER and SignUp.current().mode == "sso":
        return ONLY_SSO
    if any(record.get(CHECKED) for record in ways) or not sign_in_policy.needs(person):
        return ""
    if sign_in_policy.second_factors_of(person).exists():
        return ""
    return NEEDS_FACTOR if sign_in_policy.checked_elsewhere(person).exists() else ""


def of(person: User) -> list[SignInProvider]:
    """Where this person can show again who they are. One query."""
    return list(SignInProvider.objects.filter(is_on=True, connections__person=person).order_by("name"))


def providers() -> list[SignInProvider]:
    """Those that are on, as the sign-in page shows them. One query."""
    return list(SignInProvider.objects.filter(is_on=True).order_by("name", "created_at"))


class SecondStep(AuthenticateStage):  # type: ignore[misc]
    """allauth's, but not for who comes from a provider that has checked a second factor itself."""

    login: Login

    def handle(self) -> Any:
        return (None, True) if self.login.state.get(CHECKED) else super().handle()
