"""Digests: sums of closed days, made ahead of the pages that need them.

A page over three months would add up every row of DailyUsage in them, several times. Instead it adds up a few
digests and the rows of the days that have none (usage.reports.sources). Nothing is written for this on the
way of a call: a duty makes the digests of days that are over since LATELY, newest first.

A digest is exact or it is not read. Whoever writes a line into days as old as those outdates their digests
in the same transaction (rollup.outdate), and the duty makes new ones. While a digest is made it is there
already, as `building`, so that it can be outdated as well.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as midnight
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Count

from usage import rows
from usage.budgets.periods import alone_with_ledger
from usage.clock import database_now, organisation_day
from usage.ledger import ledger, rollup
from usage.ledger.rollup import LATELY
from usage.models import NOBODY, DailyUsage, Digest, DigestRow, LedgerLine, Outcome
from usage.writer import write_turn

AT_ONCE = 300  # rows written or removed in one transaction
WORTH = 300  # rows of DailyUsage for each day of a span: fewer are as quick to read as a digest
LONGEST_RUN = 240.0  # seconds; the duty goes on the next time
KEPT = timedelta(hours=1)  # how long outdated rows stay, for pages that are reading them
ONE_DAY = timedelta(days=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Face:
    """A side from which spans of days are added up: `columns` of DailyUsage tell its rows apart.

    With `outcomes` it has the sums of each outcome too. `few`: its days have so few rows that a quarter is
    read day by day.
    """

    name: str
    span: str
    columns: tuple[str, ...]
    outcomes: bool = True
    few: bool = False

    def span_of(self, day: date) -> tuple[date, date]:
        """The first and last day of the span that this day is in."""
        if self.span == "week":
            first = day - day.weekday() * ONE_DAY
            return first, first + 6 * ONE_DAY
        if self.span == "month":
            first = day.replace(day=1)
            return first, (first + 31 * ONE_DAY).replace(day=1) - ONE_DAY
        return day, day


KINDS = ("token", "provider", "model", "purpose", "credential_scope")  # tokens are few, and used for little
# From the one with the fewest rows for a day to the one with the most. A face whose columns change gets
# another name: the digests that there are know the old columns.
FACES = {
    face.name: face
    for face in (
        Face("days", "day", (), outcomes=False, few=True),
        Face("models", "day", ("provider", "model", "purpose", "credential_scope"), outcomes=False, few=True),
        Face("teamuse", "day", ("team", "purpose", "credential_scope"), outcomes=False, few=True),
        Face("kinds", "day", KINDS, few=True),
        Face("users", "day", ("user",)),
        Face("userkey", "day", ("user", "credential_scope"), outcomes=False),
        Face("people", "day", ("user", "token")),
        Face("members", "day", ("user", "team"), outcomes=False),
        Face("userfrom", "day", ("user", "provider"), outcomes=False),
        Face("teams", "day", ("team", *KINDS)),
        Face("userfor", "day", ("user", "purpose"), outcomes=False),
        Face("tastes", "day", ("user", "provider", "model"), outcomes=False),
        Face("months", "month", ("user", "team", *KINDS)),
        Face("weeks", "week", ("user", "team", *KINDS)),
    )
}


def make_missing(now: datetime | None = None, *, seconds: float = LONGEST_RUN, worth: int = WORTH) -> int:
    """Makes the digests that are missing and worth it, the newest first, and removes what is outdated;
    returns how many it made. In small transactions; may be stopped anywhere.
    """
    until, made = time.monotonic() + seconds, 0
    now = now or database_now()
    _clean(now)
    for face, first, last in _missing(organisation_day(now), worth):
        if time.monotonic() > until:
            log.info("More digests of usage are missing; they are made the next time")
            break
        made += make(face, first, last)
    return made


def make(face: Face, first: date, last: date) -> bool:
    """Makes the digest of a span; says whether it is read from now on: not if a line came meanwhile."""
    with write_turn(), transaction.atomic():
        alone_with_ledger()  # lines that are being written are there when the rows are read
        digest = Digest.objects.create(face=face.name, first=first, last=last)
    if face.outcomes:
        found = _rows_of(face, first, last)
        for start in range(0, len(found), AT_ONCE):
            with write_turn(), transaction.atomic(), connection.cursor() as cursor:
                values = [(digest.pk, first, *row) for row in found[start : start + AT_ONCE]]
                cursor.executemany(_insert(face), values)
    else:
        with write_turn(), transaction.atomic():
            _copy(digest, face)
    building = Digest.objects.filter(pk=digest.pk, state=Digest.State.BUILDING)
    try:
        with write_turn(), transaction.atomic():
            return bool(building.update(state=Digest.State.READY, changed_at=database_now()))
    except IntegrityError:  # another process has made the same one
        return False


def verify(*, since: date | None = None, until: date | None = None) -> Iterator[ledger.Difference]:
    """What the ready digests of these days say that their days and lines do not. Reads all of them."""
    ready = Digest.objects.filter(state=Digest.State.READY, face__in=FACES)
    for digest in ready.order_by("first", "face"):
        if (since is None or digest.last >= since) and (until is None or digest.first <= until):
            yield from _differences(digest)


def rebuild(*, since: date | None = None, until: date | None = None) -> Iterator[ledger.Difference]:
    """Outdates the digests that `verify` finds wrong, so that none of them is read, and makes the missing
    ones.
    """
    found = list(verify(since=since, until=until))
    wrong = {difference.place.split(":")[0] for difference in found}
    for digest in Digest.objects.filter(state=Digest.State.READY):
        if _place(digest) in wrong:
            with write_turn(), transaction.atomic():
                rollup.outdate({digest.first})
    make_missing()
    yield from found


def _missing(today: date, worth: int) -> Iterator[tuple[Face, date, date]]:
    """The spans that are over, have so many rows for each of their days, and have no digest."""
    sizes = dict(DailyUsage.objects.values_list("day").annotate(Count("pk")).order_by())
    ready = set(Digest.objects.filter(state=Digest.State.READY).values_list("face", "first"))
    for back in range((today - min(sizes, default=today)).days):
        day = today - LATELY - (back + 1) * ONE_DAY
        for face in FACES.values():
            first, last = face.span_of(day)
            if last == day and (face.name, first) not in ready:
                days = [first + place * ONE_DAY for place in range((last - first).days + 1)]
                if sum(sizes.get(one, 0) for one in days) >= worth * len(days):
                    yield face, first, last


def _rows_of(face: Face, first: date, last: date) -> list[tuple[Any, ...]]:
    """What the digest of a span holds: the outcome, the face's columns as the database has them, the sums."""
    width = len(face.columns)
    whole = {row[:width]: list(map(int, row[width:])) for row in _of_days(face, first, last)}
    if not face.outcomes:
        return [("", *key, *amounts) for key, amounts in whole.items()]
    completed = {key: list(amounts) for key, amounts in whole.items()}
    found = [("", *key, *amounts) for key, amounts in whole.items()]
    for outcome, *row in _unfinished(face, first, last):
        key, amounts = tuple(row[:width]), list(map(int, row[width:]))
        before = completed.get(key, [0] * len(amounts))
        completed[key] = [had - amount for had, amount in zip(before, amounts, strict=True)]
        found.append((outcome, *key, *amounts))
    found += [(Outcome.COMPLETED.value, *key, *amounts) for key, amounts in completed.items() if any(amounts)]
    return found


def _of_days(face: Face, first: date, last: date) -> list[tuple[Any, ...]]:
    """The rows of DailyUsage, added up: the face's columns, the sums."""
    return _all(_adding(face, ()), *_days(first, last))


def _adding(face: Face, before: Sequence[str]) -> str:
    """The statement for that; its rows begin with other expressions. Its values: the first and last day."""
    keys = [rows.quoted(name) for name in face.columns]
    sums = [f"CAST(SUM({rows.quoted(name)}) AS bigint)" for name in DigestRow.SUMS]
    grouped = f"GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}" if keys else "HAVING COUNT(*) > 0"
    return (
        f"SELECT {', '.join([*before, *keys, *sums])} FROM {rows.quoted(DailyUsage._meta.db_table)} "  # noqa: S608
        f"WHERE day >= %s AND day <= %s {grouped}"
    )


def _days(*days: date) -> list[Any]:
    return [rows.prepared(DailyUsage, "day", day) for day in days]


def _copy(digest: Digest, face: Face) -> None:
    """Writes the rows of a digest without outcomes: few enough for one statement."""
    names, constants = _columns(face)
    marks = [
        f"CAST(%s AS {kind})" for kind in ("bigint", "date" if connection.vendor == "postgresql" else "text")
    ]
    rows.run(
        f"INSERT INTO {rows.quoted(DigestRow._meta.db_table)} "
        f"({rows.quoted('digest_id', 'day', *constants, *names)}) "
        + _adding(face, [*marks, *constants.values()]),
        digest.pk,
        *_days(digest.first, digest.first, digest.last),
    )


def _unfinished(face: Face, first: date, last: date) -> list[tuple[Any, ...]]:
    """The lines that did not complete, added up: the outcome, the face's columns, the sums."""
    of_line = {
        "team": f"COALESCE({rows.quoted('team')}, %s)",
        "token": f"COALESCE({rows.quoted('token')}, %s)",
        "model": rows.quoted("model_asked"),
    }
    columns = [of_line.get(name, rows.quoted(name)) for name in face.columns]
    sums = ", ".join(f"SUM({ledger.COUNTED.get(name, rows.quoted(name))})" for name in DigestRow.SUMS)
    places = ", ".join(str(place) for place in range(1, len(columns) + 2))
    ways = ", ".join(f"'{way}'" for way in Outcome if way != Outcome.COMPLETED)
    begin, end = (datetime.combine(day, midnight(), UTC) for day in (first, last))
    nobody = rows.prepared(DailyUsage, "user", NOBODY)
    return _all(
        f"SELECT outcome, {', '.join(columns)}, {sums} "  # noqa: S608
        f"FROM {rows.quoted(LedgerLine._meta.db_table)} "
        # Literally what the index of these lines holds, and the columns that it begins with.
        f"WHERE NOT (outcome = '{Outcome.COMPLETED}') AND outcome IN ({ways}) "
        "AND accounted_at >= %s AND accounted_at < %s AND day >= %s AND day <= %s "
        f"GROUP BY {places}",
        *(nobody for column in columns if "%s" in column),
        rows.prepared(LedgerLine, "accounted_at", begin - ledger.EAST),
        rows.prepared(LedgerLine, "accounted_at", end + ONE_DAY + ledger.WEST),
        rows.prepared(LedgerLine, "day", first),
        rows.prepared(LedgerLine, "day", last),
    )


def _all(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _insert(face: Face) -> str:
    names, constants = _columns(face)
    del constants["outcome"]
    names = ["digest_id", "day", "outcome", *names]
    marks = ", ".join([*["%s"] * len(names), *constants.values()])
    return (
        f"INSERT INTO {rows.quoted(DigestRow._meta.db_table)} ({rows.quoted(*names, *constants)}) "  # noqa: S608
        f"VALUES ({marks})"
    )


def _columns(face: Face) -> tuple[list[str], dict[str, str]]:
    """The columns of a digest's rows that differ from row to row, and the others, each with its SQL."""
    others: dict[str, Any] = {"outcome": "", **dict.fromkeys(KINDS, "")}
    others |= dict.fromkeys(("user", "team", "token"), NOBODY)
    fixed = {
        name: f"'{rows.prepared(DigestRow, name, value)}'{_cast(value)}"
        for name, value in others.items()
        if name not in face.columns
    }
    return [*face.columns, *DigestRow.SUMS], fixed


def _cast(value: Any) -> str:
    """PostgreSQL takes a literal in a SELECT for text."""
    return "::uuid" if value == NOBODY and connection.vendor == "postgresql" else ""


def _clean(now: datetime) -> None:
    """Removes digests that nobody reads any more."""
    old = Digest.objects.exclude(state=Digest.State.READY).filter(changed_at__lt=now - KEPT)
    for digest in old:
        while some := list(DigestRow.objects.filter(digest=digest).values_list("pk", flat=True)[:AT_ONCE]):
            with write_turn(), transaction.atomic():
                DigestRow.objects.filter(pk__in=some).delete()
        with write_turn(), transaction.atomic():
            digest.delete()


def _differences(digest: Digest) -> Iterator[ledger.Difference]:
    face = FACES[digest.face]
    keys = ("outcome", *face.columns)
    stored = {
        row[: len(keys)]: row[len(keys) :]
        for row in DigestRow.objects.filter(digest=digest).values_list(*keys, *DigestRow.SUMS)
    }
    fields = [DigestRow._meta.get_field(name) for name in keys]
    truth = {
        tuple(field.to_python(value) for field, value in zip(fields, row, strict=False)): row[len(keys) :]  # type: ignore[union-attr]
        for row in _rows_of(face, digest.first, digest.last)
    }
    if not Digest.objects.filter(pk=digest.pk, state=Digest.State.READY).exists():
        return  # a line came late while we read
    nothing = (0,) * len(DigestRow.SUMS)
    for key in stored.keys() | truth.keys():
        pairs = zip(DigestRow.SUMS, stored.get(key, nothing), truth.get(key, nothing), strict=True)
        for name, one, other in pairs:
            if one != other:
                place = f"{_place(digest)}: {' '.join(str(value) for value in key)}"
                yield ledger.Difference(place=place, name=name, stored=one, truth=other)


def _place(digest: Digest) -> str:
    return f"digest {digest.face} {digest.first}"
