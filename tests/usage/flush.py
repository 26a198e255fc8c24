"""Empties the tables between transactional tests: those that hold rows, and no others.

Django's own flush empties every table and makes permissions and content types anew, which takes longer than
most tests. Ledger and audit log refuse to be emptied; their triggers are lifted where they hold rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase

from accounts.audit import triggers as audit_triggers
from usage.ledger import triggers
from usage.writer import writer

KEPT = {"django_migrations", "django_content_type", "auth_permission"}  # made with the tables


@pytest.fixture(scope="session", autouse=True)
def ledger_can_be_flushed() -> Iterator[None]:
    """After each transactional test: the writer's threads end with their connections, and tables are
    emptied.
    """

    def teardown(_: Any) -> None:
        writer.stop()
        empty()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield


def empty() -> None:
    """One transaction, for its foreign keys are looked at when it ends."""
    with ExitStack() as lifted:
        full = _full()
        for protected in (triggers, audit_triggers):
            if protected.TABLE in full:
                lifted.enter_context(protected.lifted())
        with transaction.atomic(), connection.cursor() as cursor:
            for table in full:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our tables


def _full() -> list[str]:
    """The tables that hold rows. Two queries."""
    with connection.cursor() as cursor:
        names = [name for name in connection.introspection.table_names(cursor) if name not in KEPT]
        looks = [
            f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})"  # noqa: S608
            for name in names
        ]
        cursor.execute(" UNION ALL ".join(looks))
        return [name for (name,) in cursor.fetchall()]
