"""Who needs a second factor, and from when on nobody of them gets on without one.

A person whose role needs one and who has none carries the moment in `second_factor_due`, so that pages,
sockets and tokens can tell by the person's row alone. It is set when they come under the rule (by the policy,
a role, or their making) and cleared when they have a second factor.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from accounts import organisation_policy
from accounts.models import SignInConnection, User
from accounts.models.user import UserQuerySet

POLICY = "sign_in"
SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
LONGEST_GRACE = 90  # days
USUAL_GRACE = 14


@dataclass(frozen=True, slots=True)
class SignInPolicy:
    """`roles` need a second factor, `grace_days` after they came to need it."""

    roles: frozenset[str] = frozenset()
    grace_days: int = USUAL_GRACE

    @classmethod
    def stored(cls, value: Any) -> SignInPolicy:
        if not isinstance(value, dict):
            return cls()
        roles = frozenset(value.get("second_factor_roles", ())) & frozenset(User.Role.values)
        return cls(roles, min(max(int(value.get("grace_days", USUAL_GRACE)), 0), LONGEST_GRACE))


def current() -> SignInPolicy:
    """One query."""
    return SignInPolicy.stored(organisation_policy.decided(POLICY))


def decide(*, by: User | None, roles: Collection[str], grace_days: int, via: str = "") -> None:
    """Who already has a day came under the rule that long before it: another grace moves the day."""
    value = {"second_factor_roles": sorted(roles), "grace_days": grace_days}
    with transaction.atomic():
        before = current()
        if not organisation_policy.change(by=by, name=POLICY, value=value, via=via):
            return
        late = timedelta(days=grace_days - before.grace_days)
        User.objects.exclude(second_factor_due=None).update(second_factor_due=F("second_factor_due") + late)
        apply(User.objects.all())


def apply(people: UserQuerySet) -> None:
    """Gives these people their day, or takes it away, as policy, role and factors say. Three queries."""
    policy = current()
    asked = people.filter(role__in=policy.roles) if policy.roles else people.none()
    lacking = asked.exclude(Exists(second_factors_of(OuterRef("pk"))))
    lacking = lacking.exclude(Exists(checked_elsewhere(OuterRef("pk"))))
    people.exclude(second_factor_due=None).exclude(pk__in=lacking.values("pk")).update(second_factor_due=None)
    if policy.roles:
        due = timezone.now() + timedelta(days=policy.grace_days)
        people.filter(pk__in=lacking.values("pk"), second_factor_due=None).update(second_factor_due=due)


def apply_to_all() -> None:
    """A duty: whoever came under the rule by a way that did not say so gets their day."""
    apply(User.objects.all())


def needs(person: User) -> bool:
    """Whether the person's role needs a second factor."""
    return person.role in current().roles


def second_factors_of(person: Any) -> Any:
    """Rows of authenticators that count: recovery codes alone do not."""
    return Authenticator.objects.filter(user=person, type__in=SECOND_FACTORS)


def checked_elsewhere(person: Any) -> Any:
    """Connections to sign-in providers that check a second factor themselves. Who has one is spared here, and
    has to come that way (accounts.single_sign_on.other_ways).
    """
    return SignInConnection.objects.filter(
        person=person, provider__is_on=True, provider__checks_second_factor=True
    )
