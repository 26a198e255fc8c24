"""The database's tables are brought up to date by one process at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

ASK_EVERY = 0.25  # seconds, while another process holds the lock
LOCK = 0x5061_726C_6579  # "Parley"; PostgreSQL's advisory locks are known by a number

log = logging.getLogger(__name__)


@contextmanager
def alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """On PostgreSQL: waits until no other process migrates this database, and keeps others waiting.

    The lock belongs to the connection, so a process that dies gives it back. Statements may take as long as
    they need meanwhile. On SQLite `serve` holds the data folder, and each migration is one transaction.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        waiting = False
        # Asked again and again: a statement that waits would hold up an index that is built concurrently.
        while not _locked(cursor):
            if not waiting:
                log.info("Another process brings the database up to date; waiting for it")
            waiting = True
            time.sleep(ASK_EVERY)
    try:
        yield
    finally:
        connection.close()  # the lock and the settings go with it


def _locked(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
    return bool(cursor.fetchone()[0])
