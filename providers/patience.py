"""How long an answer may keep its reader waiting."""

import asyncio
from types import TracebackType

from providers.errors import DeadlineExceeded


class Patience:
    """Ends a wait whose time is over, with one timer for a whole answer instead of one for each chunk.

        with patience:
            chunk = await ...

    Two limits: seconds spent *waiting* since the last `renew` (the reader's own work does not count), and
    the end of everything, a time of the loop's clock. Either raises DeadlineExceeded. For one waiting task at
    a time. asyncio.timeout does the same for a single wait; for each of some ten thousand chunks a second,
    arming and disarming its timer is what a chunk would cost most of all.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, seconds: float, ends_at: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._left = seconds
        self._ends_at = ends_at
        self._since = 0.0
        self._due = 0.0
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | None = None
        self._expired = False

    def renew(self, seconds: float | None = None) -> None:
        """Something came that was worth waiting for; now wait for `seconds` (unchanged when None)."""
        if seconds is not None:
            self._seconds = seconds
        self._left = self._seconds

    def __enter__(self) -> None:
        self._since = self._loop.time()
        self._due = min(self._since + self._left, self._ends_at)
        if self._due <= self._since:
            raise self._exceeded()
        task = self._task = asyncio.current_task(self._loop)
        self._cancelling = task.cancelling() if task is not None else 0
        # A timer that rings too early looks at the time again; one that would ring too late is replaced.
        if self._timer is None or self._timer.when() > self._due:
            self.stop()
            self._timer = self._loop.call_at(self._due, self._ring)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._expired:
            self._expired = False
            if task is not None and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise self._exceeded() from None
        self._left -= self._loop.time() - self._since

    def stop(self) -> None:
        """The answer is over; the timer is let go."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._task is None:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._ring)
        else:
            self._expired = True
            self._task.cancel()

    def _exceeded(self) -> DeadlineExceeded:
        if self._due >= self._ends_at:
            return DeadlineExceeded("The answer took too long as a whole.")
        return DeadlineExceeded(f"Nothing of the answer came for {self._seconds:g} seconds.")
