"""When an attempt that failed before its first content is made again, and after which pause."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from providers.errors import ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """At most `most` attempts more, and one of them at most after an attempt that may have been billed.

    A provider that asks for a longer wait than `longest_wait` (seconds) is not asked again. `sleep` and
    `jitter` (from 0 to 1) can be given by tests.
    """

    most: int = 2
    most_billed: int = 1
    longest_wait: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 8.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    def pause(self, error: ProviderError, *, attempts: int, billed: int) -> float | None:
        """Seconds to wait before the same is asked again; None: it is not.

        `attempts` were made, `billed` of them may have been billed; `error` ended the last one. What the
        provider said about retrying (`retryable`, `retry_after`) is in the error; a spend limit is never
        retryable.
        """
        if not error.retryable or attempts > self.most or billed > self.most_billed:
            return None
        if error.retry_after is None:
            pause = min(self.first_pause * 2.0 ** (attempts - 1), self.longest_pause)
            return pause * (1 - self.jitter() / 4)
        if error.retry_after > self.longest_wait:
            return None
        return error.retry_after + self.jitter() * self.first_pause / 2
