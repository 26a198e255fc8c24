"""Which rows a report adds up, so that they are few: those of digests, of days, and of lines.

Digests of the fewest rows that know all that is asked come first; the days that no digest covers are read
from DailyUsage, which does not know outcomes. There, what ended in one way is read from the ledger's lines,
of which few did not complete; what completed is everything less those.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.functions import Coalesce

from usage import rows
from usage.models import NOBODY, DailyUsage, Digest, DigestRow, LedgerLine, Outcome
from usage.reports.digests import FACES, Face

NO_PROVIDER = "-"  # that of a model and another one's provider: no slug is called so
UNFINISHED = [outcome for outcome in Outcome if outcome != Outcome.COMPLETED]
# A moment belongs to a day in the zone of the time when it was written; this bound holds in every zone.
SLACK = timedelta(days=2)
ONE_DAY = timedelta(days=1)

Run = tuple[date, date]
"""Days one after the other: the first and the last."""


class Ready:
    """The digests of some days, looked up once for all that a page asks of them: those of a face when it is
    first wanted. What is outdated meanwhile keeps its rows for longer than any page takes.
    """

    def __init__(self, first: date, last: date) -> None:
        self._first, self._last = first, last
        self._found: dict[str, list[tuple[int, date, date]]] = {}

    def within(
        self, face: Face, others: Sequence[Face], first: date, last: date
    ) -> list[tuple[int, date, date]]:
        """Those of a face, by their numbers and days. The `others` will be wanted next."""
        if face.name not in self._found:
            names = [one.name for one in (face, *others) if one.name not in self._found]
            self._found |= {name: [] for name in names}
            ready = Digest.objects.filter(
                state=Digest.State.READY,
                face__in=names,
                first__gte=min(first, self._first),
                last__lte=max(last, self._last),
            )
            for digest in ready.order_by("first").values_list("face", "id", "first", "last"):
                self._found[digest[0]].append(digest[1:])
        return [one for one in self._found[face.name] if one[1] >= first and one[2] <= last]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which part of the ledger is meant: whole days from `first` to `last`, both counted. "" and None: any.

    `team` and `token` NOBODY: the calls without one. `model` is "provider/model", `key` whose credential
    was used (person, team, organisation …), `credential` one of them alone, which only the ledger knows.
    `ready`: where the digests of these days, and of others that will be asked for, are known already.
    """

    first: date
    last: date
    person: UUID | None = None
    team: UUID | None = None
    token: UUID | None = None
    provider: str = ""
    model: str = ""
    purpose: str = ""
    key: str = ""
    credential: UUID | None = None
    outcome: str = ""
    ready: Ready | None = field(default=None, compare=False, repr=False)

    @property
    def is_of_one(self) -> bool:
        """Whether it is about one person or one token: their rows are few, and found by an index."""
        return self.person is not None or self.token not in (None, NOBODY)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows whose sums are to be added, or taken off where `sign` is -1.

    `kind`: whose columns they have. They are those of a `table` that a condition finds, `where` with its
    `values`, or `lines` of the ledger that Django's compiler finds. `grain`: what tells the rows of a day
    apart beside what the filters narrow, where that is known.
    """

    kind: Literal["digests", "days", "lines"]
    lines: QuerySet[LedgerLine] | None = None
    sign: int = 1
    table: type[Model] = DailyUsage
    where: str = ""
    values: tuple[Any, ...] = ()
    grain: frozenset[str] | None = None


def sources(
    filters: Filters,
    columns: Collection[str],
    *,
    by_day: bool,
    people: Collection[UUID] | None = None,
) -> list[Source]:
    """What adds up to the filters' part, told apart by these columns of DailyUsage, and by day. One query if
    there may be digests. `people`: of these few alone.
    """
    if filters.credential is not None:
        its = lines(filters)
        return [Source("lines", its if people is None else its.filter(user__in=people))]
    wanted = narrowed(filters, "model")
    needed = {*columns, *wanted} - {"day"}
    few = filters.is_of_one or (people is not None and not by_day)
    read = _parts(filters, needed, by_day=by_day, of_few=few)
    where = [(f"{rows.quoted(name)} = %s", [_prepared(name, value)]) for name, value in wanted.items()]
    if people is not None:
        where.append(
            (f"{rows.quoted('user')} IN ({_marks(people)})", [_prepared("user", one) for one in people])
        )
    found: list[Source] = []
    if read.digests:
        ids = ", ".join(str(int(one)) for one in read.digests)
        conditions = [(f"digest_id IN ({ids}) AND outcome = %s", [str(filters.outcome)]), *where]
        grain = read.grain - set(wanted) if read.grain is not None else None
        found.append(_stored("digests", DigestRow, conditions, grain))
    if read.runs and filters.outcome in ("", Outcome.COMPLETED):
        found.append(_stored("days", DailyUsage, [_of_days(read.runs), *where], None))
    if filters.outcome:
        completed = filters.outcome == Outcome.COMPLETED
        ways, sign = (UNFINISHED, -1) if completed else ([filters.outcome], 1)
        for first, last in read.runs:
            of_lines = _unfinished(replace(filters, first=first, last=last), ways, people)
            found.append(replace(_stored("lines", LedgerLine, of_lines, None), sign=sign))
    return found


def _unfinished(
    filters: Filters, ways: Sequence[str], people: Collection[UUID] | None
) -> list[tuple[str, list[Any]]]:
    """The conditions of `unfinished`, without Django's compiler: a report has many of these sources."""
    begin, end = _moments(filters)
    conditions: list[tuple[str, list[Any]]] = [
        (
            f"NOT (outcome = '{Outcome.COMPLETED}') AND outcome IN ({_marks(ways)})",
            [str(way) for way in ways],
        ),
        ("accounted_at >= %s AND accounted_at <= %s", [_of_line("accounted_at", at) for at in (begin, end)]),
        ("day >= %s AND day <= %s", [_prepared("day", day) for day in (filters.first, filters.last)]),
    ]
    if people is not None:
        theirs = [_prepared("user", one) for one in people]
        conditions.append((f"{rows.quoted('user')} IN ({_marks(people)})", theirs))
    for name, value in narrowed(filters, "model_asked").items():
        column = rows.quoted(name)
        if connection.vendor == "sqlite":
            column = f"COALESCE({column}, {column})"
        if value == NOBODY:
            conditions.append((f"{column} IS NULL", []))
        else:
            conditions.append((f"{column} = %s", [_of_line(name, value)]))
    return conditions


def _of_line(column: str, value: Any) -> Any:
    return rows.prepared(LedgerLine, column, value)


def _stored(
    kind: Literal["digests", "days", "lines"],
    table: type[Model],
    conditions: Sequence[tuple[str, Sequence[Any]]],
    grain: frozenset[str] | None,
) -> Source:
    where = " AND ".join(condition for condition, _ in conditions)
    values = tuple(value for _, some in conditions for value in some)
    return Source(kind, table=table, where=where, values=values, grain=grain)


def _prepared(column: str, value: Any) -> Any:
    return rows.prepared(DailyUsage, column, value)


def _marks(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values)) or "NULL"


def days(filters: Filters) -> QuerySet[DailyUsage]:
    """The daily rows of the filters, whatever their outcome."""
    found = DailyUsage.objects.filter(day__range=(filters.first, filters.last))
    return found.filter(**narrowed(filters, "model"))


def lines(filters: Filters) -> QuerySet[LedgerLine]:
    """The ledger's lines of the filters."""
    found = _between(filters).filter(**of_nobody(narrowed(filters, "model_asked")))
    return found.filter(outcome=filters.outcome) if filters.outcome else found


def unfinished(filters: Filters, outcomes: Sequence[str] = ()) -> QuerySet[LedgerLine]:
    """The lines of the filters that ended in one of these ways, or as the filters say. They are few, and
    found by their outcome. For SQLite the other filters look as if no index could serve them, lest it takes
    one that finds most of the ledger; PostgreSQL finds them within the index of outcomes.
    """
    wanted = narrowed(filters, "model_asked")
    found = _between(filters).exclude(outcome=Outcome.COMPLETED)  # literally what the index holds
    found = found.filter(outcome__in=outcomes or [filters.outcome])
    if connection.vendor == "sqlite":
        found = found.alias(**{f"of_{name}": Coalesce(name, name) for name in wanted})
        wanted = {f"of_{name}": value for name, value in wanted.items()}
    return found.filter(**of_nobody(wanted))


def narrowed(filters: Filters, model_column: str) -> dict[str, Any]:
    """The columns that the filters narrow, beside day and outcome, and the value of each."""
    wanted: dict[str, Any] = {
        "user": filters.person,
        "team": filters.team,
        "token": filters.token,
        "provider": filters.provider,
        "purpose": filters.purpose,
        "credential_scope": filters.key,
        "credential": filters.credential,
    }
    if filters.model:
        provider, _, model = filters.model.partition("/")
        wanted[model_column] = model
        wanted["provider"] = provider if filters.provider in ("", provider) else NO_PROVIDER
    return {name: value for name, value in wanted.items() if value not in (None, "")}


def of_nobody(wanted: dict[str, Any]) -> dict[str, Any]:
    """For the ledger, in which nobody is NULL."""
    return {
        f"{name}__isnull" if value == NOBODY else name: True if value == NOBODY else value
        for name, value in wanted.items()
    }


@dataclass(frozen=True, slots=True)
class _Read:
    """The digests to read, none of whose days is in two of them, and the days that are in none. `grain`: the
    columns of the digests, where all are of one face of days.
    """

    digests: list[int]
    runs: list[Run]
    grain: frozenset[str] | None = None


def _parts(filters: Filters, needed: set[str], *, by_day: bool, of_few: bool) -> _Read:
    faces = [] if of_few and not filters.outcome else _faces(needed, by_day=by_day, outcome=filters.outcome)
    left = {filters.first + place * ONE_DAY for place in range((filters.last - filters.first).days + 1)}
    taken = []
    if faces and len(left) > 1:
        ready = filters.ready or Ready(filters.first, filters.last)
        for place, face in enumerate(faces):
            for digest, first, last in ready.within(face, faces[place:], filters.first, filters.last):
                its = {first + place * ONE_DAY for place in range((last - first).days + 1)}
                if its <= left:
                    left -= its
                    taken.append(digest)
    grain = frozenset(faces[0].columns) if len(faces) == 1 else None
    return _Read(taken, _runs(sorted(left)), grain)


def _faces(needed: set[str], *, by_day: bool, outcome: str) -> list[Face]:
    """The faces that know what is asked, the ones with the fewest rows for a long time first."""
    knowing = [
        face for face in FACES.values() if needed <= set(face.columns) and (face.outcomes or not outcome)
    ]
    of_days = [face for face in knowing if face.span == "day"][:1]
    if by_day or (of_days and of_days[0].few):
        return of_days
    return [face for face in knowing if face.span != "day"] + of_days


def _runs(found: Sequence[date]) -> list[Run]:
    runs: list[Run] = []
    for day in found:
        if runs and day - runs[-1][1] == ONE_DAY:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _of_days(runs: Sequence[Run]) -> tuple[str, list[Any]]:
    if len(runs) == 1:
        return "day >= %s AND day <= %s", [_prepared("day", day) for day in runs[0]]
    each = [first + place * ONE_DAY for first, last in runs for place in range((last - first).days + 1)]
    return f"day IN ({_marks(each)})", [_prepared("day", day) for day in each]


def _between(filters: Filters) -> QuerySet[LedgerLine]:
    """The lines of the days. The moments let an index find them, the days say which they are."""
    return LedgerLine.objects.filter(
        accounted_at__range=_moments(filters), day__range=(filters.first, filters.last)
    )


def _moments(filters: Filters) -> tuple[datetime, datetime]:
    begin = datetime.combine(filters.first, time(), UTC) - SLACK
    return begin, datetime.combine(filters.last, time(), UTC) + SLACK
