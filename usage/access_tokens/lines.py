"""Access tokens as pages list them: what each may, what it spent this month, what keeps it from use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.utils import timezone

from accounts.models import AccessToken, Team, User
from accounts.models.token import AccessTokenQuerySet
from accounts.tokens import standing
from usage.budgets.words import limit_words
from usage.clock import organisation_day
from usage.models import Budget
from usage.reports.forms import Period, period
from usage.reports.names import model_name
from usage.reports.reports import Filters, Sums, sums

Sort = Literal["name", "spend", "used", "expires"]
SORTS: tuple[Sort, ...] = ("name", "spend", "used", "expires")
MOST = 500  # of one page
FEW = 3  # models that are named
SOON = 14  # days before its end at which a token is marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One token. `limit` is its narrowest monthly budget in words, `trouble` why it is refused now."""

    token: AccessToken
    spent: Sums
    limit: str
    trouble: str
    now: datetime

    @property
    def models(self) -> list[str]:
        """The names of its models; empty: all that its owner may use."""
        return [model_name(ref).text for ref in self.token.allowed_models]

    @property
    def few_models(self) -> str:
        """ "Haiku 5.5, Sonnet 5.5 and 3 more"."""
        names = self.models
        more = len(names) - FEW
        return ", ".join(names) if more <= 0 else f"{', '.join(names[:FEW])} and {more} more"

    @property
    def state(self) -> str:
        """In one word, where it is not in use."""
        return {"": "", "Revoked.": "Revoked", "Expired.": "Expired"}.get(self.trouble, "Refused")

    @property
    def ends_soon(self) -> str:
        """ "in 6 days", in the last two weeks of a token that is taken; else ""."""
        end = self.token.expires_at
        if self.trouble or end is None:
            return ""
        days = (organisation_day(end) - organisation_day(self.now)).days
        if days >= SOON:
            return ""
        return f"in {days} day{'s' if days != 1 else ''}" if days else "today"


def month() -> Period:
    """The present one, of the organisation."""
    return period("month", organisation_day(timezone.now()))


def of_person(person: User, sort: str = "name", *, ended: bool = False) -> list[Line]:
    """Those that are not revoked, or all with `ended`, with what they spent this month."""
    rows = AccessToken.objects.for_user(person)
    return _sorted(_lines(rows if ended else rows.live(), person=person.pk), sort)


def of_team(team: Team) -> list[Line]:
    """Those that are not revoked and for which this team pays, with what they spent of it this month."""
    rows = AccessToken.objects.live().filter(paying_team=team)
    lines = _lines(rows, team=team.pk)
    return sorted(lines, key=lambda line: (line.token.user.display.casefold(), line.token.name.casefold()))


def one(token: AccessToken) -> Line:
    return _lines(AccessToken.objects.filter(pk=token.pk), token=token.pk)[0]


def _lines(rows: AccessTokenQuerySet, **whose: UUID) -> list[Line]:
    tokens = list(rows.with_standing().order_by("revoked_at", "-id")[:MOST])
    if not tokens:
        return []
    now, days = timezone.now(), month()
    found = sums(Filters(first=days.first, last=days.last, **whose), ("token",))  # type: ignore[arg-type]
    limits = _limits(token.pk for token in tokens)
    return [
        Line(
            token=token,
            spent=found.get((token.pk,), Sums()),
            limit=limits.get(token.pk, ""),
            trouble=standing.trouble(token, now),
            now=now,
        )
        for token in tokens
    ]


def _limits(tokens: Iterable[UUID]) -> dict[UUID, str]:
    """The narrowest monthly limit in money of each."""
    budgets = Budget.objects.filter(
        scope=Budget.Scope.TOKEN,
        scope_id__in=list(tokens),
        measure=Budget.Measure.MONEY,
        period=Budget.Period.MONTH,
        enabled=True,
    )
    return {
        budget.scope_id: limit_words(budget.measure, budget.limit)
        for budget in budgets.order_by("-limit")
        if budget.scope_id is not None
    }


def _sorted(lines: list[Line], sort: str) -> list[Line]:
    """Revoked ones always come last, and of two that are alike the name decides."""

    def key(line: Line) -> tuple[object, ...]:
        token = line.token
        by: object = 0
        if sort == "spend":
            by = -line.spent.cost_nano
        elif sort == "used":
            by = -token.last_used_at.timestamp() if token.last_used_at else 1.0
        elif sort == "expires":
            by = token.expires_at.timestamp() if token.expires_at else float("inf")
        return token.revoked_at is not None, by, token.name.casefold(), token.pk

    return sorted(lines, key=key)
