"""Does the short database transactions of money off the event loop, several of them in one commit.

On SQLite one thread takes all waiting pieces of work and commits them together, each in its own savepoint:
writers in threads of their own would find each other's lock and sleep in SQLite's busy handler. On PostgreSQL
a few threads run one transaction each: the server groups the commits itself, and a transaction that holds the
rows of one call alone, taken in order, cannot deadlock with another process.

Threads and connections are made with the first piece of work and stay. A connection that broke is replaced.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

from django.db import InterfaceError, OperationalError, connection, transaction

PATIENCE = 5.0  # seconds for which a database that does not answer is tried again
BATCH_SECONDS = 0.008  # a transaction takes no more work after this: others wait for its lock and its result
BATCH_SIZE = 100
POSTGRESQL_THREADS = 4
RETRY_FIRST, RETRY_MOST = 0.02, 1.0  # seconds between tries, doubling
PASSING_STATES = {"25006", "40001", "40P01"}  # read-only; not serializable; deadlock (PostgreSQL, appendix A)
SQLITE_ERROR = 1  # sqlite3's result code for a statement that can never succeed

T = TypeVar("T")
log = logging.getLogger(__name__)
_turn = threading.Lock()


def write_turn() -> AbstractContextManager[Any]:
    """On SQLite: this process's turn to write. Take it outside a transaction, never inside one.

    Only for threads that write in short transactions of their own (this writer, the chat's committer):
    waiting here costs nothing, waiting for SQLite's lock means sleeping up to 100 ms at a time.
    """
    return _turn if connection.vendor == "sqlite" else nullcontext()


@dataclass(slots=True, eq=False)
class _Work:
    function: Callable[[], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    give_up_at: float  # time.monotonic()
    result: Any = None
    error: Exception | None = None

    def deliver(self) -> None:
        if self.future.done():  # nobody waits any more; the work is done all the same
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Runs functions in transactions on threads of its own; serves every event loop of the process."""

    def __init__(self, name: str = "usage-writer", *, threads: int = POSTGRESQL_THREADS) -> None:
        """`threads` on PostgreSQL; on SQLite it is one. `watch` hears, on those threads, how many pieces of
        work each transaction did and how many seconds it took, waiting for its turn included.
        """
        self.watch: Callable[[int, float], None] = lambda _pieces, _seconds: None
        self._name = name
        self._most_threads = threads
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._stopping = threading.Event()

    def submit(self, function: Callable[[], T], *, patience: float = PATIENCE) -> asyncio.Future[T]:
        """Queues the function at once and returns its result to come, for the running loop.

        The function runs in a transaction; what it raises undoes its own writes alone. It must be safe to run
        again: that happens when the answer to a commit was lost. After `patience` seconds of a database that
        does not answer the future gets django.db.OperationalError or InterfaceError. Cancelling the future
        does not stop work.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._start()
        self._queue.put(_Work(function, future, loop, time.monotonic() + patience))
        return future

    async def run(self, function: Callable[[], T], *, patience: float = PATIENCE) -> T:
        """`submit`, awaited."""
        return await self.submit(function, patience=patience)

    def stop(self, timeout: float = 10.0) -> None:
        """Does what is queued, then ends the threads and closes their connections.

        Later work starts them again.
        """
        with self._starting:
            threads, self._threads = self._threads, []
            for _ in threads:
                self._queue.put(None)
            self._stopping.set()
            for thread in threads:
                thread.join(timeout)
            self._stopping.clear()

    def _start(self) -> None:
        if self._threads:
            return
        with self._starting:
            if self._threads:
                return
            count = self._most_threads if connection.vendor == "postgresql" else 1
            names = [f"{self._name}-{number + 1}" for number in range(count)]
            self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for name in names]
            for thread in self._threads:
                thread.start()

    def _serve(self) -> None:
        try:
            while (first := self._queue.get()) is not None:
                batch = self._with_waiting(first)
                try:
                    self._perform(batch)
                except Exception as error:  # this thread must outlive whatever happens, or every call hangs
                    log.exception("Work on the database ended unexpectedly")
                    for work in batch:
                        work.error = work.error or error
                    _deliver(batch)
        finally:
            connection.close()

    def _with_waiting(self, first: _Work) -> list[_Work]:
        batch = [first]
        while connection.vendor == "sqlite" and len(batch) < BATCH_SIZE:
            try:
                work = self._queue.get_nowait()
            except Empty:
                break
            if work is None:  # the order to stop; it comes after all work, so put it back and finish
                self._queue.put(None)
                break
            batch.append(work)
        return batch

    def _perform(self, batch: list[_Work]) -> None:
        waiting = deque(batch)
        while waiting:
            taken: list[_Work] = []
            began_at = time.monotonic()
            try:
                _together(waiting, taken)
            except Exception as error:
                if not taken:  # the transaction did not even begin
                    taken.append(waiting.popleft())
                if len(taken) == 1 and not may_pass(error):
                    taken[0].error = error
                else:
                    # Which piece of work is the culprit is unknown, so each is tried on its own.
                    log.info(
                        "A transaction of %d pieces of work failed: %s", len(taken), type(error).__name__
                    )
                    for work in taken:
                        self._alone(work)
            self.watch(len(taken), time.monotonic() - began_at)
            _deliver(taken)

    def _alone(self, work: _Work) -> None:
        """One transaction for one piece of work; tried again while the database does not answer."""
        pause = RETRY_FIRST
        while True:
            work.error = None
            try:
                with write_turn(), transaction.atomic():
                    work.result = work.function()
                return
            except Exception as error:
                work.error = error
                if not may_pass(error):
                    return
                drop_connection()
                if time.monotonic() + pause > work.give_up_at:
                    return
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, RETRY_MOST)


def _together(waiting: deque[_Work], taken: list[_Work]) -> None:
    """Runs waiting work in one transaction until BATCH_SECONDS are over; moves what it ran to `taken`.

    Raises what ended the transaction; nothing of `taken` is then in the database, as far as one can know.
    """
    with write_turn(), transaction.atomic():
        end = time.monotonic() + BATCH_SECONDS
        alone = len(waiting) == 1
        while waiting and (not taken or time.monotonic() < end):
            work = waiting.popleft()
            taken.append(work)
            if alone:
                work.result = work.function()
                return
            try:
                with transaction.atomic():
                    work.result = work.function()
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:
                work.error = error


def may_pass(error: Exception) -> bool:
    """Whether the same statement may succeed later: the database is away, restarting, locked, full, or
    read-only for the time being.
    """
    cause = error.__cause__
    if isinstance(error, OperationalError | InterfaceError):
        code = getattr(cause, "sqlite_errorcode", None)
        return code is None or cast(int, code) & 0xFF != SQLITE_ERROR
    return getattr(cause, "sqlstate", None) in PASSING_STATES


def drop_connection() -> None:
    """Forgets this thread's connection; the next statement makes a new one."""
    try:
        connection.close()
    except Exception as error:  # a connection that is already dead may refuse to be closed
        log.info("Closing a broken database connection failed: %s", type(error).__name__)
        connection.connection = None


def _deliver(done: list[_Work]) -> None:
    for loop in {work.loop for work in done}:
        mine = [work for work in done if work.loop is loop]
        try:
            loop.call_soon_threadsafe(_deliver_here, mine)
        except RuntimeError:  # that loop has ended; the work is done all the same
            log.debug("An event loop ended before %d results reached it.", len(mine))


def _deliver_here(done: list[_Work]) -> None:
    for work in done:
        work.deliver()


writer = Writer()
