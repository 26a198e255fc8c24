"""The periods of budgets: when they begin and end, which of them a call counts in, and what is in them.

A call counts in the period of its hold's moment, in every budget of its payer, also in one that is switched
off or was made while the call ran: so a counter is the ledger's sum over the budget's scope and period, and
nothing else. A row that is missing is opened with that sum. On PostgreSQL whoever opens one is alone with the
ledger until the commit, and whoever writes lines shares it (`share_ledger`), so that no line is counted twice
or never; SQLite has one writer at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import BigIntegerField, Case, F, Func, Q, QuerySet, When
from django.db.models.functions import Coalesce

from usage import rows
from usage.models import NOBODY, Budget, BudgetPeriod, Hold, LedgerLine

LOCK = 0x5041524C4559  # of PostgreSQL's advisory locks
TOKENS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
ONE_DAY = timedelta(days=1)


class Window(NamedTuple):
    """From a moment on to before another, UTC; no end: for ever."""

    begins_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """Whose budgets a call counts in."""

    user: UUID
    team: UUID | None
    project: UUID | None
    token: UUID | None

    @property
    def scope(self) -> tuple[Any, ...]:
        """The values for `scopes`."""
        ids = (self.team, self.user, self.project, self.token)
        return tuple(rows.prepared(Budget, "scope_id", found) for found in ids)


def window(budget: Budget, moment: datetime) -> Window:
    """The budget's period that this moment is in; days begin at midnight in its timezone."""
    zone = ZoneInfo(budget.timezone)
    day = moment.astimezone(zone).date()
    if budget.period == Budget.Period.TOTAL:
        return Window(_midnight(budget.created_at.astimezone(zone).date(), zone), None)
    if budget.period == Budget.Period.MONTH:
        first = day.replace(day=1)
        after = (first + 31 * ONE_DAY).replace(day=1)
    elif budget.period == Budget.Period.WEEK:
        first = day - day.weekday() * ONE_DAY
        after = first + 7 * ONE_DAY
    else:
        first, after = day, day + ONE_DAY
    return Window(_midnight(first, zone), _midnight(after, zone))


class Counted(NamedTuple):
    """What the ledger had for a row up to its newest line then, in the budget's measure."""

    amount: int
    newest: int


def opened(budget_id: UUID, subject: UUID, moment: datetime, counted: Counted | None = None) -> UUID:
    """The row of the period that this moment is in; made, with what the ledger has for it, if it is missing.

    To be called in a transaction that has not locked any row yet. What was `counted` before is not read
    again.
    """
    alone_with_ledger()
    budget = Budget.objects.get(pk=budget_id)
    span = window(budget, moment)
    key = {"budget": budget, "subject": subject, "begins_at": span.begins_at}
    found = BudgetPeriod.objects.filter(**key).values_list("pk", flat=True).first()
    if found is not None:
        return found
    settled = spent(budget, subject, span, since=counted.newest if counted else 0)
    settled += counted.amount if counted else 0
    # Of two that open it at once the second finds that of the first.
    made, _ = BudgetPeriod.objects.get_or_create(
        **key, defaults={"ends_at": span.ends_at, "settled": settled}
    )
    return made.pk


def open_ahead(budget: Budget, subject: UUID, moment: datetime) -> None:
    """Opens a row that may have much behind it, of a budget that counts nothing yet: nobody waits while most
    of its lines are added up. Not to be called in a transaction.
    """
    with transaction.atomic():
        alone_with_ledger()  # lines with smaller numbers are all there
        newest = LedgerLine.objects.order_by("-id").values_list("id", flat=True).first() or 0
    counted = Counted(spent(budget, subject, window(budget, moment), until=newest), newest)
    with transaction.atomic():
        opened(budget.pk, subject, moment, counted)


def alone_with_ledger() -> None:
    """Waits for the lines that are being written; no others are until the transaction ends."""
    if connection.vendor == "postgresql":
        rows.first("SELECT pg_advisory_xact_lock(%s)", LOCK)


def share_ledger() -> None:
    """Before lines are written: no period is opened and no digest begun until the transaction ends."""
    rows.together(sharing_ledger())


def sharing_ledger() -> list[rows.Statement]:
    """The statements for that."""
    if connection.vendor != "postgresql":
        return []
    return [rows.Statement("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])]


def counting(payee: Payee, moment: datetime) -> rows.Statement:
    """Finds the periods that a call of this moment counts in (`counted`)."""
    at = rows.prepared(BudgetPeriod, "begins_at", moment)
    nobody, user = (rows.prepared(BudgetPeriod, "subject", found) for found in (NOBODY, payee.user))
    return rows.Statement(_counting(), [user, nobody, at, at, *payee.scope])


def counted(answer: rows.Answer) -> list[tuple[UUID, str]]:
    """The periods that were found, each with its budget's measure."""
    return [(as_uuid(period), measure) for period, measure in answer.found]


def spent(budget: Budget, subject: UUID, span: Window, *, since: int = 0, until: int | None = None) -> int:
    """What the ledger says for this window, in the budget's measure. Reads every line of it; of those with
    numbers after `since` and up to `until` alone.
    """
    return _first([_spent(budget, subject, span, since=since, until=until)])[0]


def all_spent(rows_of: Sequence[tuple[Budget, UUID, Window]]) -> list[int]:
    """The same for several, with one query; none for none."""
    return _first([_spent(*one) for one in rows_of]) if rows_of else []


def _first(sums: Sequence[QuerySet[LedgerLine, Any]]) -> list[int]:
    """What each of these finds, in one statement."""
    asked = [found.query.sql_with_params() for found in sums]
    columns = ", ".join(f"({statement})" for statement, _ in asked)
    found = rows.first(f"SELECT {columns}", *(value for _, values in asked for value in values))
    return [int(total or 0) for total in found or ()]


def _spent(
    budget: Budget, subject: UUID, span: Window, *, since: int = 0, until: int | None = None
) -> QuerySet[LedgerLine, Any]:
    # What an index is not to be taken for looks as if none could serve it: few new lines are found by their
    # numbers, all others by their moments.
    at, number = ("moment", "id") if since else ("accounted_at", "number")
    lines = LedgerLine.objects.alias(
        moment=Coalesce("accounted_at", "accounted_at"), number=Coalesce("id", "id")
    ).filter(in_scope(budget, subject), **{f"{at}__gte": span.begins_at})
    if since:
        lines = lines.filter(id__gt=since)
    if until is not None:
        lines = lines.filter(**{f"{number}__lte": until})
    if span.ends_at is not None:
        lines = lines.filter(**{f"{at}__lt": span.ends_at})
    amounts: dict[str, Any] = {
        Budget.Measure.MONEY: F("cost_nano"),
        Budget.Measure.REQUESTS: Case(When(attempt=1, line=0, then=1), default=0),
        Budget.Measure.TOKENS: sum((F(name) for name in TOKENS[1:]), F(TOKENS[0])),
    }
    # Not Sum: that would group.
    total = Func(amounts[budget.measure], function="SUM", output_field=BigIntegerField())
    return lines.order_by().values_list(total)


def amount_of(line: LedgerLine, measure: str) -> int:
    """What a line adds to a counter of this measure; the same as `spent`."""
    if measure == Budget.Measure.MONEY:
        return line.cost_nano
    if measure == Budget.Measure.REQUESTS:
        return int(line.attempt == 1 and line.line == 0)
    return sum(getattr(line, name) for name in TOKENS)


def held(period_id: UUID) -> int:
    """What the open holds say for this row, in the budget's measure. Reads every open hold."""
    taken = Hold.objects.filter(state=Hold.State.OPEN).values_list("budget_lines", flat=True)
    return sum(line["amount"] for lines in taken for line in lines if line["period"] == str(period_id))


def in_scope(budget: Budget, subject: UUID) -> Q:
    """Which ledger lines and holds a row of the budget counts."""
    match budget.scope:
        case Budget.Scope.ORGANISATION:
            return Q()
        case Budget.Scope.MEMBER:
            return Q(team=budget.scope_id, user=subject)
        case Budget.Scope.PERSON:
            return Q(user=budget.scope_id)
    return Q(**{budget.scope: budget.scope_id})


def as_uuid(value: UUID | str) -> UUID:
    """An id as one database or the other returns it."""
    return value if isinstance(value, UUID) else UUID(value)


def scopes() -> str:
    """The budgets of a payee, as SQL over `b`; its values are those of Payee.scope."""
    scope, scope_id = (f"b.{rows.quoted(name)}" for name in ("scope", "scope_id"))
    kinds = (("team", "member"), ("person",), ("project",), ("token",))
    of_ids = (
        f"({scope} IN ({', '.join(repr(str(kind)) for kind in kind_group)}) AND {scope_id} = %s)"
        for kind_group in kinds
    )
    return f"({scope} = 'organisation' OR {' OR '.join(of_ids)})"


def in_force() -> str:
    """The row of `b` at a moment, as SQL over `p`; its values: the person, NOBODY, the moment twice."""
    return (
        "p.budget_id = b.id AND p.subject = CASE WHEN b.scope = 'member' THEN %s ELSE %s END "
        "AND p.begins_at <= %s AND (p.ends_at IS NULL OR p.ends_at > %s)"
    )


@cache
def _counting() -> str:
    budgets, periods = (rows.quoted(model._meta.db_table) for model in (Budget, BudgetPeriod))
    return f"SELECT p.id, b.measure FROM {budgets} b JOIN {periods} p ON {in_force()} WHERE {scopes()}"  # noqa: S608


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which the day begins there, UTC; where clocks skip midnight, that of the skip."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
