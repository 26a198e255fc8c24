"""Lets Django empty the ledger's table between transactional tests, which its triggers refuse to everybody
else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import TransactionTestCase

from usage import triggers
from usage.writer import writer


@pytest.fixture(scope="session", autouse=True)
def ledger_can_be_flushed() -> Iterator[None]:
    """After each transactional test: the writer's threads end with their connections, and the flush may
    delete.
    """
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(case: Any) -> None:
        writer.stop()
        with triggers.lifted():
            flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield
