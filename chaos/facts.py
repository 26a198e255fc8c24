"""What the database says, read past Parley: rows as plain values, the same from PostgreSQL and SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psycopg

T = TypeVar("T")
Query = Callable[[str], list[tuple[Any, ...]]]

LIVE = ("queued", "running", "waiting")
BUCKETS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_5m",
    "cache_creation_1h",
    "thinking_tokens",
    "web_search_requests",
    "web_fetch_requests",
)
DAY_KEY = ("day", "user", "team", "token", "provider", "model", "purpose", "credential_scope")
DAY_SUMS = (*BUCKETS, "cost_nano", "calls", "failed", "estimated")
NOBODY = "0" * 32


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    message: str
    conversation: str
    status: str
    host: str
    lease_until: datetime | None
    attempts: int
    call: str
    finished: bool

    @property
    def live(self) -> bool:
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    conversation: str
    parent: str
    role: str
    status: str
    blocks: str
    cut_input: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    head: str


@dataclass(frozen=True, slots=True)
class Hold:
    call: str
    run: str
    purpose: str
    state: str
    renewed_until: datetime
    tariff: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    call: str
    attempt: int
    line: int
    run: str
    purpose: str
    source: str
    outcome: str
    error: str
    cost: int
    tokens: dict[str, int]
    day: tuple[str, ...]  # the values of DAY_KEY


@dataclass(slots=True)
class Facts:
    """One look at everything, in one transaction where the database can. Ids are hexadecimal."""

    at: datetime
    runs: list[Run] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    journal: dict[str, int] = field(default_factory=dict)  # rows by run
    holds: list[Hold] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    days: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)

    @property
    def live(self) -> list[Run]:
        return [run for run in self.runs if run.live]

    @property
    def open_holds(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.state == "open"]


class Database:
    """Where the rows are: a PostgreSQL URL or an SQLite file. A database that is away raises Away."""

    def __init__(self, place: str | Path) -> None:
        self._place = place

    def facts(self) -> Facts:
        return self._read(_facts)

    def states(self) -> Facts:
        """Runs, messages without their words, and the journal: what can be looked at often."""
        return self._read(
            lambda query: Facts(datetime.now(UTC), _runs(query), _stubs(query), [], _journal(query))
        )

    def fences(self) -> dict[str, tuple[str, int]]:
        """Host and fence of every run."""
        return self._read(
            lambda query: {
                _id(row[0]): (row[1], row[2]) for row in query("SELECT id, host, fence FROM chat_run")
            }
        )

    def live_runs(self, process: int) -> list[tuple[str, str]]:
        """The runs that a process writes, each with the host's name, of which the process id is a part."""
        return [(run, host) for run, host in self.live().items() if str(process) in host.split(":")]

    def live(self) -> dict[str, str]:
        """The host of every live run."""
        return self._read(
            lambda query: {
                _id(run): str(host)
                for run, host in query(
                    "SELECT id, host FROM chat_run WHERE status IN ('queued', 'running', 'waiting')"
                )
            }
        )

    def _read(self, look: Callable[[Query], T]) -> T:
        try:
            if isinstance(self._place, Path):
                with closing(sqlite3.connect(self._place, timeout=10, isolation_level=None)) as connection:
                    connection.execute("BEGIN")
                    return look(lambda query: connection.execute(query).fetchall())
            with psycopg.connect(self._place, connect_timeout=5) as server:
                server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                return look(lambda query: server.execute(query.encode()).fetchall())
        except (psycopg.OperationalError, sqlite3.OperationalError) as error:
            raise Away(str(error)) from None


class Away(Exception):
    """The database does not answer now."""


def _facts(query: Query) -> Facts:
    return Facts(
        at=datetime.now(UTC),
        runs=_runs(query),
        messages=[
            Message(
                id=_id(row[0]),
                conversation=_id(row[1]),
                parent=_id(row[2]),
                role=row[3],
                status=row[4],
                blocks=row[5],
                cut_input=row[6],
                deleted=row[7] is not None,
            )
            for row in query(
                "SELECT id, conversation_id, parent_id, role, status, blocks, cut_input, deleted_at "
                "FROM chat_message"
            )
        ],
        conversations=[
            Conversation(_id(one), _id(head))
            for one, head in query("SELECT id, head_id FROM chat_conversation")
        ],
        journal=_journal(query),
        holds=[
            Hold(_id(row[0]), _id(row[1]), row[2], row[3], _time(row[4]), _json(row[5]))
            for row in query("SELECT call_id, run, purpose, state, renewed_until, tariff FROM usage_hold")
        ],
        lines=_lines(query),
        days={
            tuple(_key(value) for value in row[: len(DAY_KEY)]): dict(
                zip(DAY_SUMS, map(int, row[len(DAY_KEY) :]), strict=True)
            )
            for row in query(f"SELECT {_columns(DAY_KEY + DAY_SUMS)} FROM usage_dailyusage")  # noqa: S608
        },
    )


def _runs(query: Query) -> list[Run]:
    return [
        Run(
            id=_id(row[0]),
            message=_id(row[1]),
            conversation=_id(row[2]),
            status=row[3],
            host=row[4],
            lease_until=_time(row[5]) if row[5] is not None else None,
            attempts=row[6],
            call=_id(row[7]),
            finished=row[8] is not None,
        )
        for row in query(
            "SELECT id, message_id, conversation_id, status, host, lease_until, attempts, call_id, "
            "finished_at FROM chat_run ORDER BY created_at"
        )
    ]


def _journal(query: Query) -> dict[str, int]:
    rows = query("SELECT run_id, count(*) FROM chat_journalentry GROUP BY run_id")
    return {_id(run): count for run, count in rows}


def _stubs(query: Query) -> list[Message]:
    rows = query("SELECT id, conversation_id, parent_id, role, status FROM chat_message")
    return [Message(_id(row[0]), _id(row[1]), _id(row[2]), row[3], row[4], "[]", "", False) for row in rows]


def _lines(query: Query) -> list[Line]:
    names = ("call_id", "attempt", "line", "run", "purpose", "source", "outcome", "error", "cost_nano")
    key = ("day", "user", "team", "token", "provider", "model_asked", "purpose", "credential_scope")
    rows = query(f"SELECT {_columns(names + BUCKETS + key)} FROM usage_ledgerline ORDER BY id")  # noqa: S608
    return [
        Line(
            call=_id(row[0]),
            attempt=row[1],
            line=row[2],
            run=_id(row[3]),
            purpose=row[4],
            source=row[5],
            outcome=row[6],
            error=row[7],
            cost=row[8],
            tokens=dict(zip(BUCKETS, row[9 : 9 + len(BUCKETS)], strict=True)),
            day=tuple(_key(value) for value in row[9 + len(BUCKETS) :]),
        )
        for row in rows
    ]


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _id(value: Any) -> str:
    """Hexadecimal, however the database keeps it; "" for none."""
    return str(value).replace("-", "") if value is not None else ""


def _key(value: Any) -> str:
    """A part of a day's key; where a line has no team or token, the day has NOBODY."""
    if value is None:
        return NOBODY
    return value.hex if isinstance(value, UUID) else str(value)


def _time(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _json(value: Any) -> dict[str, Any]:
    return dict(json.loads(value) if isinstance(value, str) else value)


def question_text(message: Message) -> str:
    return "\n\n".join(block["text"] for block in json.loads(message.blocks))
