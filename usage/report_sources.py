"""Which rows a report adds up, so that they are few: those of digests, of days, and of lines.

Digests of the fewest rows that know all that is asked come first; the days that no digest covers are read
from DailyUsage, which does not know outcomes. There, what ended in one way is read from the ledger's lines,
of which few did not complete; what completed is everything less those.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from .digests import FACES, Face
from .models import NOBODY, DailyUsage, Digest, DigestRow, LedgerLine, Outcome

NO_PROVIDER = "-"  # that of a model and another one's provider: no slug is called so
UNFINISHED = [outcome for outcome in Outcome if outcome != Outcome.COMPLETED]
# A moment belongs to a day in the zone of the time when it was written; this bound holds in every zone.
SLACK = timedelta(days=2)
ONE_DAY = timedelta(days=1)

Run = tuple[date, date]
"""Days one after the other: the first and the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which part of the ledger is meant: whole days from `first` to `last`, both counted. "" and None: any.

    `team` and `token` NOBODY: the calls without one. `model` is "provider/model", `key` whose credential
    was used (person, team, organisation …), `credential` one of them alone, which only the ledger knows.
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

    @property
    def is_of_one(self) -> bool:
        """Whether it is about one person or one token: their rows are few, and found by an index."""
        return self.person is not None or self.token not in (None, NOBODY)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows whose sums are to be added, or taken off where `sign` is -1. `kind`: whose columns they have."""

    rows: QuerySet[Any]
    kind: Literal["digests", "days", "lines"]
    sign: int = 1


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
        return [Source(lines(filters), "lines")]
    wanted = narrowed(filters, "model")
    needed = {*columns, *wanted} - {"day"}
    digests, runs = _parts(filters, needed, by_day=by_day, of_few=filters.is_of_one or people is not None)
    found = _sources(filters, wanted, digests, runs)
    if people is None:
        return found
    return [replace(source, rows=source.rows.filter(user__in=people)) for source in found]


def _sources(filters: Filters, wanted: dict[str, Any], digests: list[int], runs: list[Run]) -> list[Source]:
    found: list[Source] = []
    completed = filters.outcome == Outcome.COMPLETED
    if digests:
        rows = DigestRow.objects.filter(digest__in=digests, **wanted)
        found.append(Source(rows.filter(outcome=filters.outcome), "digests"))
    if runs and filters.outcome in ("", Outcome.COMPLETED):
        found.append(Source(_days(runs).filter(**wanted), "days"))
    if filters.outcome:
        ways, sign = (UNFINISHED, -1) if completed else ([filters.outcome], 1)
        found += [
            Source(unfinished(replace(filters, first=first, last=last), ways), "lines", sign)
            for first, last in runs
        ]
    return found


def days(filters: Filters) -> QuerySet[DailyUsage]:
    """The daily rows of the filters, whatever their outcome."""
    return _days([(filters.first, filters.last)]).filter(**narrowed(filters, "model"))


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


def _parts(filters: Filters, needed: set[str], *, by_day: bool, of_few: bool) -> tuple[list[int], list[Run]]:
    """The digests to read, none of whose days is in two of them, and the days that are in none."""
    faces = [] if of_few and not filters.outcome else _faces(needed, by_day=by_day)
    left = {filters.first + place * ONE_DAY for place in range((filters.last - filters.first).days + 1)}
    taken = []
    if faces and len(left) > 1:
        ready = Digest.objects.filter(
            state=Digest.State.READY,
            face__in=[face.name for face in faces],
            first__gte=filters.first,
            last__lte=filters.last,
        ).values_list("id", "face", "first", "last")
        order = [face.name for face in faces]
        for digest, _, first, last in sorted(ready, key=lambda row: (order.index(row[1]), row[2])):
            its = {first + place * ONE_DAY for place in range((last - first).days + 1)}
            if its <= left:
                left -= its
                taken.append(digest)
    return taken, _runs(sorted(left))


def _faces(needed: set[str], *, by_day: bool) -> list[Face]:
    """The faces that know these columns, the ones with the fewest rows for a long time first."""
    knowing = [face for face in FACES.values() if needed <= set(face.columns)]
    of_days = [face for face in knowing if face.span == "day"][:1]
    if by_day or of_days == [FACES["kinds"]]:
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


def _days(runs: Sequence[Run]) -> QuerySet[DailyUsage]:
    if len(runs) == 1:
        return DailyUsage.objects.filter(day__range=runs[0])
    each = [first + place * ONE_DAY for first, last in runs for place in range((last - first).days + 1)]
    return DailyUsage.objects.filter(day__in=each)


def _between(filters: Filters) -> QuerySet[LedgerLine]:
    """The lines of the days. The moments let an index find them, the days say which they are."""
    begin = datetime.combine(filters.first, time(), UTC) - SLACK
    end = datetime.combine(filters.last, time(), UTC) + SLACK
    return LedgerLine.objects.filter(
        accounted_at__range=(begin, end), day__range=(filters.first, filters.last)
    )
