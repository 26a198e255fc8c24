"""A credential that the vendor turned away for want of capacity is left alone for a while.

For as long as the vendor asked; else for a few seconds, and twice as long each time that it happens again
before a call succeeded: an overload lasts minutes, and calls that keep knocking make it last longer.
"""

import time
from collections.abc import Callable

FIRST = 5.0  # seconds
LONGEST = 60.0  # seconds, where the vendor did not say how long
LONGEST_SAID = 24 * 3600.0  # seconds; a vendor that asks for more is not believed


class CoolDown:
    """That of one model as reached with one credential."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._times = 0
        self.reason = ""

    def left(self) -> float:
        """Seconds that are left of it; 0.0: it is over."""
        return max(0.0, self._until - self._clock())

    def cool(self, seconds: float | None, reason: str) -> None:
        """Begins it, or prolongs it. `seconds` as the vendor asked, None where it did not say."""
        now = self._clock()
        if seconds is None:
            if self.left() > 0:  # many calls that were turned away together are one event
                return
            seconds = min(FIRST * 2.0**self._times, LONGEST)
        self._times = min(self._times + 1, 10)
        self._until = max(self._until, now + min(seconds, LONGEST_SAID))
        self.reason = reason

    def succeeded(self) -> None:
        """A call went through; if it is over by now, the next one begins short again."""
        if self.left() <= 0:
            self._times = 0

    def end(self) -> None:
        self._until, self._times = float("-inf"), 0
