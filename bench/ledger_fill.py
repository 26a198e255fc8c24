"""Writes a ledger of millions of lines, and what is counted beside it, with the database's own means.

Lines are written day by day, the oldest first, as an installation writes them; the indexes are the product's
own, made again after the last line. The daily sums are one statement per day, and then `ledger verify`
compares some of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction

from bench import ledger_sql
from bench.ledger_cast import CLOCK, WEEKDAYS, Cast, clock, patterns, sizes
from usage import rows
from usage.ledger import ledger, triggers
from usage.models import NOBODY, DailyUsage, Digest, DigestRow, LedgerLine

DAYS = 396  # thirteen months
VERIFIED = 5  # days
ONE_DAY = timedelta(days=1)
TABLE = LedgerLine._meta.db_table


class NotEqual(Exception):
    """The daily sums are not those of the lines."""


def fill(count: int, whole: Cast, now: datetime, say: Callable[[str], None]) -> None:
    """About so many ledger lines up to now, the people and tokens they name, and their daily sums."""
    from accounts.models import AccessToken, Membership, Team, User

    User.objects.bulk_create(
        User(id=pk, email=f"person-{number}@bench.invalid", display_name=f"Person {number:03}")
        for number, pk in enumerate(whole.people)
    )
    Team.objects.bulk_create(Team(id=pk, name=f"Team {number:02}") for number, pk in enumerate(whole.teams))
    Membership.objects.bulk_create(
        Membership(user_id=person, team_id=team) for person, teams in whole.teams_of.items() for team in teams
    )
    AccessToken.objects.bulk_create(
        AccessToken(
            id=token,
            user_id=person,
            name=f"Token {token.hex[:4]}",
            prefix=f"prl_{token.hex[:6]}",
            sha256=hashlib.sha256(token.bytes).hexdigest(),
        )
        for person, tokens in whole.tokens_of.items()
        for token in tokens
    )
    _tables(whole)
    with triggers.lifted():
        indexes = _without_indexes()
        _lines(count, now, say)
        if connection.vendor == "postgresql":
            _run("SET maintenance_work_mem = '1GB'")
        for name, statement in indexes:
            say(f"index {name}")
            _run(statement)
    say("daily sums")
    _daily(now)
    if connection.vendor == "postgresql":
        vacuum()
    _verified(now, say)


def vacuum() -> None:
    """What PostgreSQL's autovacuum does; nothing analyses an SQLite file."""
    for model in (LedgerLine, DailyUsage, DigestRow, Digest):
        _run(f"VACUUM ANALYZE {model._meta.db_table}")


def analyze() -> None:
    """Lets PostgreSQL plan anew for tables that grew: it checks rows of digests by a plan of when they were
    few.
    """
    for model in (DigestRow, Digest):
        _run(f"ANALYZE {model._meta.db_table}")


def _lines(count: int, now: datetime, say: Callable[[str], None]) -> None:
    """Each day has its share; a call that was tried again or corrected has a second line."""
    today = datetime.combine(now.date(), time(), UTC)
    begins = [today - back * ONE_DAY for back in range(DAYS - 1, -1, -1)]
    passed = (now - today) / ONE_DAY
    weights = [WEEKDAYS[day.weekday()] * (1.0 if day < today else passed) for day in begins]
    each = count / 1.02 / sum(weights)  # of a hundred calls two have a second line
    first, written, statement = 1, 0, ledger_sql.lines(connection.vendor)
    for number, (day, weight) in enumerate(zip(begins, weights, strict=True)):
        calls = int(each * weight)
        seconds = int(day.timestamp())
        with transaction.atomic():
            part = passed if day == today else 1.0
            written += _run(statement, first, first + calls - 1, seconds, first, calls, part)
        first += calls
        if number % 40 == 39:
            say(f"{written:,} lines")


def _daily(now: datetime) -> None:
    for day in ledger.days():
        begin = datetime.combine(day, time(), UTC)
        values = [rows.prepared(DailyUsage, name, NOBODY) for name in ("team", "token")]
        values += [rows.prepared(LedgerLine, "accounted_at", moment) for moment in (begin, begin + ONE_DAY)]
        _run(_summing(), *values)


def _verified(now: datetime, say: Callable[[str], None]) -> None:
    """Raises NotEqual."""
    for number in range(VERIFIED):
        day = (now - number * (DAYS // VERIFIED) * ONE_DAY).date()
        wrong = list(ledger.wrong_days(day))
        say(f"verified {day}: {len(wrong)} rows differ")
        if wrong:
            raise NotEqual(wrong[0].place)


def _without_indexes() -> list[tuple[str, str]]:
    """Drops the ledger's indexes that are no constraints; returns the name and statement of each."""
    if connection.vendor == "postgresql":
        found = _all(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint)",
            TABLE,
        )
    else:
        found = _all(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL",
            TABLE,
        )
        found = [(name, sql) for name, sql in found if "UNIQUE" not in sql]
    for name, _ in found:
        _run(f'DROP INDEX "{name}"')
    return found


def _tables(whole: Cast) -> None:
    """What a line looks up: patterns, sizes, moments."""
    ids = "uuid" if connection.vendor == "postgresql" else "char(32)"
    numbers = ", ".join(f"{name} bigint" for name in ("input", "cached", "written", "output"))
    _run(
        f'CREATE TEMP TABLE b_pattern (place integer PRIMARY KEY, "user" {ids}, team {ids}, token {ids}, '
        "credential_scope text, provider text, model text, purpose text, "
        f"{numbers.replace(' bigint', '_rate bigint')})"
    )
    _run(
        f"CREATE TEMP TABLE b_size (place integer PRIMARY KEY, {numbers}, thinking bigint, ttft bigint, "
        "duration bigint)"
    )
    _run("CREATE TEMP TABLE b_clock (place integer PRIMARY KEY, begins bigint, wide bigint)")
    _many(
        "b_pattern",
        [
            (
                place,
                *(
                    rows.prepared(LedgerLine, name, one)
                    for name, one in zip(("user", "team", "token"), each, strict=False)
                ),
                *each[3:],
            )
            for place, each in enumerate(patterns(whole))
        ],
    )
    _many("b_size", [(place, *each) for place, each in enumerate(sizes())])
    moments = clock()
    _many("b_clock", [(place, moments[place], moments[place + 1] - moments[place]) for place in range(CLOCK)])
    if connection.vendor == "postgresql":
        _run("ANALYZE b_pattern")


def _summing() -> str:
    """Its values: nobody twice, the day's begin and its end."""
    ours = {name: rows.quoted(name) for name in DailyUsage.KEY} | {
        "team": f"COALESCE({rows.quoted('team')}, %s)",
        "token": f"COALESCE({rows.quoted('token')}, %s)",
        "model": rows.quoted("model_asked"),
    }
    places = ", ".join(str(number) for number in range(1, len(ours) + 1))
    sums = (f"SUM({ledger.COUNTED.get(name, rows.quoted(name))})" for name in DailyUsage.SUMS)
    return (
        f"INSERT INTO {DailyUsage._meta.db_table} ({rows.quoted(*DailyUsage.KEY, *DailyUsage.SUMS)}) "  # noqa: S608 - our own names
        f"SELECT {', '.join(ours.values())}, {', '.join(sums)} FROM {TABLE} "
        f"WHERE accounted_at >= %s AND accounted_at < %s GROUP BY {places}"
    )


def _run(statement: str, *values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return int(cursor.rowcount)


def _all(statement: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[Any] = cursor.fetchall()
    return found


def _many(table: str, found: Sequence[tuple[Any, ...]]) -> None:
    marks = ", ".join(["%s"] * len(found[0]))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", found)  # noqa: S608
