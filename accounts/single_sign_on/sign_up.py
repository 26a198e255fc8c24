"""Who may make an account: what the organisation has decided of it, in Organisation.policy, under SIGN_UP.

mode     "closed"   nobody; links of invitations do not work either
         "invited"  who was invited
         "domain"   also whoever proves an address of `domains`, by a provider or a link by mail
         "sso"      who was invited, and whom a provider is trusted with, by single sign-on alone: passwords,
                    codes and passkeys let in owners only, as a way back
domains  of e-mail addresses
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Self, cast, get_args

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import organisation_policy
from accounts.models import Organisation, SignInProvider, User
from accounts.names import clean_email
from accounts.people.rules import NotAllowed

SIGN_UP = "sign_up"
Mode = Literal["closed", "invited", "domain", "sso"]
MOST_DOMAINS = 100
NO_PROVIDER = "Add a sign-in provider and switch it on first: nobody but owners could get in."
LAST_PROVIDER = "It is the only way in while people sign in by single sign-on alone. Change that rule first."
_DOMAIN = re.compile(r"(?=.{1,190}$)(?:[\w](?:[\w-]{0,61}[\w])?\.)+[\w](?:[\w-]{0,61}[\w])?")


@dataclass(frozen=True, slots=True)
class SignUp:
    mode: Mode = "invited"
    domains: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, value: Any) -> Self:
        """What is not understood lets nobody in who was not invited."""
        if not isinstance(value, dict):
            return cls()
        domains = value.get("domains")
        return cls(
            cast(Mode, value["mode"]) if value.get("mode") in get_args(Mode) else "invited",
            frozenset(domains) if isinstance(domains, list) else frozenset(),
        )

    @classmethod
    def current(cls) -> Self:
        """One query."""
        return cls.of(organisation_policy.decided(SIGN_UP))

    def admits(self, email: str) -> bool:
        """Whether whoever proves this address may make an account without an invitation."""
        return self.mode == "domain" and email.rpartition("@")[2] in self.domains


def decide(*, by: User | None, mode: Mode, domains: Iterable[str], via: str = "") -> bool:
    """In force at once; says whether anything changed. Raises NotAllowed where nobody could get in."""
    value = {"mode": mode, "domains": sorted(domains)}
    with transaction.atomic():
        _locked()
        if mode == "sso" and not SignInProvider.objects.filter(is_on=True).exists():
            raise NotAllowed(NO_PROVIDER)
        return organisation_policy.change(by=by, name=SIGN_UP, value=value, via=via)


def must_leave_one(provider: SignInProvider) -> None:
    """Before a provider is switched off or removed, in its transaction. Raises NotAllowed for the last one
    that people need.
    """
    _locked()
    others = SignInProvider.objects.filter(is_on=True).exclude(pk=provider.pk)
    if SignUp.current().mode == "sso" and not others.exists():
        raise NotAllowed(LAST_PROVIDER)


def domains_in(text: str) -> list[str]:
    """The domains of a list that somebody typed: with commas, spaces or lines between, with or without @.
    Raises ValidationError.
    """
    found = []
    for word in re.split(r"[\s,;]+", clean_email(text)):
        domain = word.removeprefix("@").rstrip(".")
        if not domain:
            continue
        if not _DOMAIN.fullmatch(domain):
            raise ValidationError(f"“{word[:60]}” is no domain. Write them such as example.org.")
        found.append(domain)
    if len(found) > MOST_DOMAINS:
        raise ValidationError(f"These are more than {MOST_DOMAINS} domains.")
    return list(dict.fromkeys(found))


def _locked() -> None:
    """One decision at a time on who gets in."""
    Organisation.objects.select_for_update().first()
