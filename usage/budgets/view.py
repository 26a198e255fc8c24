"""Budgets as pages show them: whom each is for, how full it is, when it resets, and what was asked of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, Q

from accounts.models import AccessToken, Membership, Team, User
from usage.budgets import words
from usage.budgets.meter import STATES, Meter
from usage.budgets.periods import Window, spent, window
from usage.budgets.states import BudgetState, states
from usage.budgets.words import KINDS, MODES, PER
from usage.catalogue import overrides
from usage.clock import database_now
from usage.models import NOBODY, Budget, BudgetPeriod, LimitRequest

MOST_DECIDED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A budget on a page, with its fullest counter. `who` names whose that is, where each has one.

    `resets_at` stands in the budget's own time zone; None: never.
    """

    budget: Budget
    meter: Meter
    target: str
    who: str = ""
    subject: UUID = NOBODY
    people: int = 0
    begins_at: datetime
    resets_at: datetime | None
    asked: LimitRequest | None = None

    @property
    def state(self) -> str:
        return self.meter.state if self.budget.enabled else "off"

    @property
    def state_words(self) -> str:
        return STATES[self.state]

    @property
    def scope_words(self) -> str:
        """ "Team, per month"; the team's or person's name where the budget is called otherwise."""
        named = f" {self.target}" if self.target and self.target not in self.budget.name else ""
        return f"{KINDS[self.budget.scope]}{named}, {self.per}"

    @property
    def per(self) -> str:
        return PER[self.budget.period]

    @property
    def granted(self) -> str:
        """The limit that the person's last request brought, in words."""
        if self.asked is None or self.asked.granted is None:
            return ""
        return words.limit_words(self.budget.measure, self.asked.granted)

    @property
    def resets_day(self) -> str:
        return f"{self.resets_at.day} {self.resets_at:%B}" if self.resets_at is not None else ""

    @property
    def resets(self) -> str:
        """ "1 December, 00:00 Europe/Lisbon"; "" for never."""
        at = self.resets_at
        return f"{self.resets_day}, {at:%H:%M} {self.budget.timezone}" if at is not None else ""

    @property
    def mode_words(self) -> str:
        if self.budget.mode == "cheaper":
            spec = overrides.spec(self.budget.cheaper_model)
            return f"Goes on with {spec.name if spec is not None else self.budget.cheaper_model}"
        return MODES[self.budget.mode]

    @property
    def inherited(self) -> str:
        """Why it limits this person: "from Data team", or "" where it is theirs alone."""
        match self.budget.scope:
            case "organisation":
                return "from the organisation, shared by everyone"
            case "team":
                return f"from {self.target}, shared by the team"
            case "member":
                return f"from {self.target}, the same for each member"
            case "token":
                return f"of the access token {self.target}"
            case "project":
                return "of a project"
            case _:
                return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A request on the admins' page."""

    request: LimitRequest
    shown: Shown
    person: str
    decided_by: str = ""

    @property
    def wanted_words(self) -> str:
        return self._words(self.request.wanted)

    @property
    def granted_words(self) -> str:
        return self._words(self.request.granted)

    @property
    def proposed(self) -> str:
        """The new limit as the field first shows it: what was wished for, else a quarter more."""
        budget = self.request.budget
        amount = self.request.wanted or budget.limit + max(1, budget.limit // 4)
        return words.typed(budget.measure, amount)

    def _words(self, amount: int | None) -> str:
        return words.limit_words(self.request.budget.measure, amount) if amount is not None else ""


def shown(rows: Iterable[Budget] | None = None) -> list[Shown]:
    """These budgets, or all of them, for admins: the fullest first, those that are off last."""
    found = list(Budget.objects.all() if rows is None else rows)
    now = database_now()
    counters: dict[UUID, list[BudgetPeriod]] = defaultdict(list)
    for row in _present([budget.pk for budget in found], now):
        counters[row.budget_id].append(row)
    targets = _targets(found)
    fullest = {pk: max(rows, key=lambda row: row.settled + row.held) for pk, rows in counters.items()}
    people = _people({row.subject for row in fullest.values()})
    sizes = _sizes(found)
    lines = []
    for budget in found:
        most = fullest.get(budget.pk)
        subject = most.subject if most is not None else NOBODY
        lines.append(
            _line(
                budget,
                most,
                now,
                target=targets.get(budget.scope_id, "") if budget.scope_id else "",
                who=people.get(subject, "") if budget.scope == "member" else "",
                people=sizes.get(budget.scope_id, 0) if budget.scope == "member" and budget.scope_id else 0,
            )
        )
    return sorted(lines, key=_fullness)


def members(budget: Budget) -> list[tuple[str, Meter]]:
    """The counters of each person of a `member` budget in the present period, the fullest first."""
    rows = sorted(_present([budget.pk], database_now()), key=lambda row: -(row.settled + row.held))
    people = _people({row.subject for row in rows})
    return [(people.get(row.subject, "Somebody who left"), _meter(budget, row)) for row in rows]


def own(person: User) -> list[Shown]:
    """The budgets that limit this person's calls, and what became of asking for more, the fullest first."""
    mine = states(person)
    if not mine:
        return []
    now, budgets = database_now(), [state.budget for state in mine]
    asked, targets = _latest(person, budgets), _targets(budgets)
    return [
        _line(
            state.budget,
            state,
            now,
            target=targets.get(state.budget.scope_id, "") if state.budget.scope_id else "",
            asked=asked.get(state.budget.pk),
        )
        for state in mine
    ]


def latest_request(person: User, budget: Budget) -> LimitRequest | None:
    """What this person asked last of a budget, if it waits or was decided in the present period."""
    found = _latest(person, [budget]).get(budget.pk)
    return found if found is not None and _is_news(found, window(budget, database_now())) else None


def waiting() -> list[Waiting]:
    """The open requests, the oldest first."""
    return _requests(LimitRequest.objects.filter(state="open").select_related("budget").order_by("id"))


def decided() -> list[Waiting]:
    """The requests that were decided last."""
    rows = LimitRequest.objects.exclude(state="open").select_related("budget").order_by("-decided_at", "-id")
    return _requests(rows[:MOST_DECIDED])


def _requests(rows: Iterable[LimitRequest]) -> list[Waiting]:
    found = list(rows)
    lines = {line.budget.pk: line for line in shown({row.budget_id: row.budget for row in found}.values())}
    now = database_now()
    counters = {
        (row.budget_id, row.subject): row for row in _present(list(lines), now) if row.subject != NOBODY
    }
    people = _people({row.asked_by for row in found} | {row.decided_by for row in found if row.decided_by})
    requests = []
    for row in found:
        line = lines[row.budget_id]
        if row.subject != NOBODY:
            line = _line(row.budget, counters.get((row.budget_id, row.subject)), now, target=line.target)
        requests.append(
            Waiting(
                request=row,
                shown=line,
                person=people.get(row.asked_by, "Somebody who left"),
                decided_by=people.get(row.decided_by, "") if row.decided_by else "",
            )
        )
    return requests


def _line(
    budget: Budget,
    row: BudgetPeriod | BudgetState | None,
    now: datetime,
    *,
    asked: LimitRequest | None = None,
    **more: Any,
) -> Shown:
    span = window(budget, now)
    zone = ZoneInfo(budget.timezone)
    return Shown(
        budget=budget,
        meter=_meter(budget, row) if row is not None else _unopened(budget, span),
        begins_at=span.begins_at.astimezone(zone),
        resets_at=span.ends_at.astimezone(zone) if span.ends_at is not None else None,
        subject=row.subject if row is not None else NOBODY,
        asked=asked if asked is not None and _is_news(asked, span) else None,
        **more,
    )


def _is_news(asked: LimitRequest, span: Window) -> bool:
    """What was decided in an earlier period is not."""
    return asked.decided_at is None or asked.decided_at >= span.begins_at


def _meter(budget: Budget, row: BudgetPeriod | BudgetState) -> Meter:
    return Meter(measure=budget.measure, limit=budget.limit, settled=row.settled, held=row.held)


def _unopened(budget: Budget, span: Window) -> Meter:
    """Nobody called since the period began, or the budget was made: what the ledger says. Each member of a
    team who called has a row.
    """
    settled = 0 if budget.scope == Budget.Scope.MEMBER else spent(budget, NOBODY, span)
    return Meter(measure=budget.measure, limit=budget.limit, settled=settled)


def _present(ids: Sequence[UUID], now: datetime) -> list[BudgetPeriod]:
    """The counters of the present periods."""
    rows = BudgetPeriod.objects.filter(budget__in=ids, begins_at__lte=now)
    return list(rows.filter(Q(ends_at=None) | Q(ends_at__gt=now)))


def _latest(person: User, mine: Sequence[Budget]) -> dict[UUID, LimitRequest]:
    rows = LimitRequest.objects.filter(asked_by=person.pk, budget__in=[budget.pk for budget in mine])
    return {row.budget_id: row for row in rows.order_by("id")}


def _targets(found: Iterable[Budget]) -> dict[UUID | None, str]:
    """Names of the teams, people and tokens that budgets are for."""
    ids: dict[str, set[UUID]] = defaultdict(set)
    for budget in found:
        if budget.scope_id is not None:
            ids["team" if budget.scope == "member" else budget.scope].add(budget.scope_id)
    names: dict[UUID | None, str] = {}
    if ids["team"]:
        names |= dict(Team.objects.filter(pk__in=ids["team"]).values_list("pk", "name"))
    if ids["token"]:
        names |= dict(AccessToken.objects.filter(pk__in=ids["token"]).values_list("pk", "name"))
    return names | _people(ids["person"]) if ids["person"] else names


def _people(ids: Iterable[UUID]) -> dict[Any, str]:
    wanted = {one for one in ids if one != NOBODY}
    return {person.pk: person.display for person in User.objects.filter(pk__in=wanted)} if wanted else {}


def _sizes(found: Iterable[Budget]) -> dict[UUID, int]:
    teams = {budget.scope_id for budget in found if budget.scope == "member"}
    if not teams:
        return {}
    rows = Membership.objects.filter(team__in=teams).values_list("team").annotate(Count("pk"))
    return dict(rows)


def _fullness(line: Shown) -> tuple[bool, float, str]:
    share = (line.meter.settled + line.meter.held) / max(1, line.meter.limit)
    return not line.budget.enabled, -share, line.budget.name.casefold()
