# ruff: noqa: S608 - the statements are made of this file's own words
from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from accounts.append_only import Unprotected
from usage.calls.settlement import settle
from usage.ledger import triggers
from usage.models import LedgerLine

from .conftest import lines
from .holds import hold, reported

pytestmark = [pytest.mark.django_db, pytest.mark.services]

TABLE = triggers.TABLE


@pytest.fixture
def line() -> LedgerLine:
    settle(hold(), [reported()])
    return lines()[0]


def refused(statement: str) -> None:
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_nobody_changes_a_line(line: LedgerLine) -> None:
    refused(f"UPDATE {TABLE} SET cost_nano = 0")
    refused(f"UPDATE {TABLE} SET cost_nano = cost_nano WHERE id = {line.pk}")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        LedgerLine.objects.update(cost_nano=1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        line.save()


def test_nobody_removes_a_line(line: LedgerLine) -> None:
    refused(f"DELETE FROM {TABLE}")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        line.delete()
    assert lines() == [line]


def test_nobody_puts_another_line_in_its_place(line: LedgerLine) -> None:
    columns = ", ".join(connection.ops.quote_name(field.column) for field in LedgerLine._meta.concrete_fields)
    if connection.vendor == "sqlite":
        refused(f"INSERT OR REPLACE INTO {TABLE} ({columns}) SELECT {columns} FROM {TABLE}")
        rest = columns.replace('"id", ', "")
        refused(f"INSERT OR REPLACE INTO {TABLE} ({rest}) SELECT {rest} FROM {TABLE}")
    else:
        refused(
            f"INSERT INTO {TABLE} ({columns}) SELECT {columns} FROM {TABLE} "
            "ON CONFLICT (id) DO UPDATE SET cost_nano = 0"
        )
        refused(f"TRUNCATE {TABLE}")
        refused(f"TRUNCATE {TABLE} CASCADE")


def test_the_start_is_refused_when_a_trigger_is_missing_or_altered() -> None:
    triggers.check()
    for name in triggers.POSTGRESQL if connection.vendor == "postgresql" else triggers.SQLITE:
        with connection.cursor() as cursor:
            on = f" ON {TABLE}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER {name}{on}")
            with pytest.raises(Unprotected, match=name):
                triggers.check()
            if connection.vendor == "sqlite":
                cursor.execute(f"CREATE TRIGGER {name} BEFORE UPDATE ON {TABLE} BEGIN SELECT 1; END")
                with pytest.raises(Unprotected, match=name):
                    triggers.check()
        triggers.install()
        triggers.check()


@pytest.fixture
def whole_again(transactional_db: None) -> Iterator[None]:
    yield
    call_command("migrate", "usage", verbosity=0)


@pytest.mark.usefixtures("whole_again")
def test_the_migrations_go_back_and_forth() -> None:
    call_command("migrate", "usage", "zero", verbosity=0)
    assert TABLE not in connection.introspection.table_names()
    call_command("migrate", "usage", verbosity=0)
    triggers.check()


def test_a_remade_table_without_its_triggers_is_noticed() -> None:
    """What Django's table remake does on SQLite, and a restored dump may do anywhere."""
    triggers.remove()
    with pytest.raises(Unprotected):
        triggers.check()
    with triggers.lifted():
        pass
    triggers.check()
