"""The cache of many processes, Redis, which people can do without.

It counts attempts: to sign in, to enter a code. While Redis does not answer, each process counts in its own
memory: the limits hold, but for each process apart. Nobody is kept from signing in, and nothing fails.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

ANSWER_SECONDS = 1.0  # for Redis to connect, and to answer
REST_SECONDS = 5.0  # without asking it again

log = logging.getLogger(__name__)


class RedisOrMemory(BaseCache):
    """Redis; while it is away, restarting, full or read-only, this process's memory."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._either = _either(server)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either.ask("add", *args, **kwargs))

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._either.ask("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._either.ask("set", *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either.ask("touch", *args, **kwargs))

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either.ask("delete", *args, **kwargs))

    def incr(self, *args: Any, **kwargs: Any) -> int:
        return int(self._either.ask("incr", *args, **kwargs))

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._either.ask("has_key", *args, **kwargs))

    def clear(self) -> None:
        self._either.ask("clear")


class _Either:
    """One Redis as this process knows it; Django makes a cache object for every request."""

    def __init__(self, server: str) -> None:
        options = {
            "socket_connect_timeout": ANSWER_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "retry": Retry(
                NoBackoff(), 1
            ),  # a connection that Redis has closed meanwhile looks like Redis away
        }
        self._redis = RedisCache(server, {"OPTIONS": options})
        self._memory = LocMemCache("while-redis-is-away", {})
        self._changing = threading.Lock()
        self._ask_again_at = 0.0  # time.monotonic(); 0 while Redis answers

    def ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= self._ask_again_at:
            try:
                answer = getattr(self._redis, method)(*args, **kwargs)
            except (RedisError, OSError) as error:
                self._went_away(error)
            else:
                self._came_back()
                return answer
        return getattr(self._memory, method)(*args, **kwargs)

    def _went_away(self, error: Exception) -> None:
        with self._changing:
            news, self._ask_again_at = self._ask_again_at == 0, time.monotonic() + REST_SECONDS
        if news:
            log.warning("Redis does not answer (%s): this process counts alone", type(error).__name__)

    def _came_back(self) -> None:
        if self._ask_again_at == 0:
            return
        with self._changing:
            news, self._ask_again_at = self._ask_again_at != 0, 0.0
        if news:
            self._memory.clear()
            log.info("Redis answers again")


_either = functools.cache(_Either)
