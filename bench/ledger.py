"""Ten million ledger lines: how long pages take over them, and what admission and settlement add to a call.

The database is made for the run and removed after it, or kept where `--at` says: a folder for SQLite, or the
address of an empty PostgreSQL database. What a first run has left there is used again.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from bench.processes import VENDORS, NotStarted
from bench.turns import say
from tests.services import LOCAL_DATABASE, NotThere, own_database

ROWS = 10_000_000
REPEATS, QUICK_REPEATS = 3, 1
ROUNDS, QUICK_ROUNDS = 300, 60
SLICE = 20  # seconds between what autovacuum does, where a server has it


def run(chosen: argparse.Namespace) -> Any:
    """A ledger_report.Found."""
    with _place(chosen) as environment:
        for name in [name for name in os.environ if name.startswith((*VENDORS, "DATABASE_URL", "REDIS_URL"))]:
            del os.environ[name]
        os.environ |= environment
        os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "PARLEY_LOG_LEVEL": "ERROR"}
        import django

        django.setup()
        return _measured(chosen)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ledger",
        action="store_true",
        help="instead: pages, admission and settlement over a ledger of ten million lines",
    )
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="of --ledger: how many lines (default: 10000000)"
    )
    parser.add_argument(
        "--database",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="of --ledger; PostgreSQL is that of DATABASE_URL, else the one at its usual port",
    )
    parser.add_argument(
        "--at",
        metavar="PLACE",
        help="of --ledger: keep the data in this folder or postgresql:// address, and use it again",
    )


def _measured(chosen: argparse.Namespace) -> Any:
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from accounts import actions
    from accounts.models import Organisation
    from bench import ledger_calls, ledger_cast, ledger_fill, ledger_pages
    from bench.ledger_report import Found
    from config.migrating import alone
    from usage.models import DailyUsage, DigestRow, LedgerLine
    from usage.reports import digests

    took: dict[str, float] = {}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        say(name)
        began = time.monotonic()
        yield
        took[name] = time.monotonic() - began

    began, load = datetime.now(UTC), os.getloadavg()[0]
    whole = ledger_cast.cast()
    call_command("migrate", verbosity=0)
    with alone(connection):  # without the limits on how long statements may take
        if not LedgerLine.objects.exists():
            with step("filling"):
                ledger_fill.fill(chosen.rows, whole, timezone.now(), say)
        if not Organisation.objects.exists():
            actions.found(
                organisation="Bench",
                email="owner@bench.invalid",
                password=os.urandom(20).hex(),
                display_name="Owner",
            )
        with step("digests"):
            while digests.make_missing(seconds=SLICE):
                if connection.vendor == "postgresql":
                    ledger_fill.analyze()
        if connection.vendor == "postgresql":
            ledger_fill.vacuum()
    with step("pages"):
        pages = ledger_pages.measured(timezone.now().date(), QUICK_REPEATS if chosen.quick else REPEATS)
    with step("calls"):
        added = ledger_calls.measured(whole, QUICK_ROUNDS if chosen.quick else ROUNDS)
    counts = {
        "ledger lines": LedgerLine.objects.count(),
        "daily rows": DailyUsage.objects.count(),
        "rows of digests": DigestRow.objects.count(),
    }
    connection.close()
    return Found(
        database=connection.vendor,
        version=_version(connection),
        machine=_machine(),
        began=began,
        load=(load, os.getloadavg()[0]),
        counts=counts,
        took=took,
        pages=pages,
        added=added,
    )


@contextmanager
def _place(chosen: argparse.Namespace) -> Iterator[dict[str, str]]:
    """The environment of a Parley whose data is in the place that was chosen. Raises NotStarted."""
    with tempfile.TemporaryDirectory(prefix="parley-ledger-") as folder:
        if chosen.at and chosen.at.startswith("postgresql://"):
            yield {"PARLEY_DATA_DIR": folder, "DATABASE_URL": chosen.at}
        elif chosen.at:
            Path(chosen.at).mkdir(parents=True, exist_ok=True)
            yield {"PARLEY_DATA_DIR": chosen.at}
        elif chosen.database == "sqlite":
            yield {"PARLEY_DATA_DIR": folder}
        else:
            try:
                with own_database(os.environ.get("DATABASE_URL") or LOCAL_DATABASE) as ours:
                    yield {"PARLEY_DATA_DIR": folder, "DATABASE_URL": ours}
            except NotThere as reason:
                raise NotStarted(str(reason)) from None


def _version(connection: Any) -> str:
    if connection.vendor == "postgresql":
        major, minor = divmod(connection.pg_version, 10_000)
        return f"PostgreSQL {major}.{minor}"
    return f"SQLite {connection.Database.sqlite_version}"


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} processors, {memory:.0f} GiB"
