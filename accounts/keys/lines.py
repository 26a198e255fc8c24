"""Credentials as the pages of keys list them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from accounts.keys import credentials, forms
from accounts.keys import figures as key_figures
from accounts.keys.figures import KeyFigure
from accounts.keys.owners import EVERYONE
from accounts.keys.policy import KeyPolicy
from accounts.models import Credential, Team, User
from providers import registry

KINDS = {"api_key": "API key", "client": "Client secret", "device": "Login at GitHub", "oauth": "Login"}
NOT_ALLOWED = "The organisation does not allow keys of people’s own for this provider."
SOON = 14  # days before its date at which a rotation is marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One credential. `trouble` is what keeps it from being used, `days_left` the days to its date of
    rotation, less than 0 after it.
    """

    credential: Credential
    owner: str
    provider: str
    kind: str
    trouble: str | None
    can_connect: bool
    figure: KeyFigure | None
    days_left: int | None

    @property
    def rotation(self) -> str:
        """The date of rotation in words; "" where there is none."""
        days = self.days_left
        if days is None:
            return ""
        if days == 0:
            return "due today"
        many = "s" if abs(days) != 1 else ""
        return f"due in {days} day{many}" if days > 0 else f"overdue by {-days} day{many}"

    @property
    def is_due(self) -> bool:
        return self.days_left is not None and self.days_left <= SOON

    @property
    def is_overdue(self) -> bool:
        return self.days_left is not None and self.days_left < 0

    @property
    def pool(self) -> tuple[object, str]:
        """What the credentials of one pool have in common: their owner and their provider."""
        row = self.credential
        return row.person_id or row.team_id or row.organisation_id, row.provider


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """A key that the server was started with."""

    provider: str
    kind: str
    variable: str
    comes_second: bool


def lines(person: User, rows: Iterable[Credential], policy: KeyPolicy) -> list[Line]:
    """These credentials by provider and owner, the newest first. One query more for what was spent."""
    rows = list(rows)
    figures = key_figures.this_month(person, [row.pk for row in rows])
    listed = [line(row, policy, figures.get(row.pk)) for row in rows]
    return sorted(
        listed,
        key=lambda one: (
            one.provider,
            one.credential.team_id is not None,
            one.owner,
            one.credential.rank,
            -one.credential.id.int,
        ),
    )


def line(row: Credential, policy: KeyPolicy, figure: KeyFigure | None = None) -> Line:
    known = registry.provider(row.provider)
    trouble = credentials.trouble(row)
    if trouble is None and not policy.serves(row.scope, row.provider):
        trouble = NOT_ALLOWED
    return Line(
        credential=row,
        owner=f"Team {row.team.name}" if row.team is not None else EVERYONE,
        provider=known.label if known is not None else row.provider,
        kind=KINDS[row.kind],
        trouble=trouble,
        can_connect=row.kind == forms.login_kind(row.provider),
        figure=figure,
        days_left=_days_to(row.rotate_by),
    )


def has_pool(listed: Iterable[Line]) -> bool:
    """Whether one owner has several credentials for one provider."""
    return any(many > 1 for many in Counter(one.pool for one in listed).values())


def from_environment(listed: Iterable[Line]) -> list[FromEnvironment]:
    """What the server was started with; it comes after what the organisation has entered."""
    entered = {one.credential.provider for one in listed if one.credential.organisation_id is not None}
    found = []
    for slug, row in registry.providers().items():
        if credentials.needs_no_secret(slug) or not credentials.in_environment(slug):
            continue
        kind = credentials.environment_kind(slug)
        variables = {row.auth_kinds[0]: row.key_variable, **dict(row.other_key_variables)}
        found.append(FromEnvironment(row.label, KINDS[kind], variables.get(kind, ""), slug in entered))
    return found


def manages(person: User) -> bool:
    """Whether there are teams whose keys this person may change."""
    return Team.objects.managed_by(person).exists()


def _days_to(day: date | None) -> int | None:
    return (day - timezone.localdate()).days if day is not None else None
