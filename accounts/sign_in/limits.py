"""Counts attempts in the cache. Limits of allauth's own pages are in ACCOUNT_RATE_LIMITS."""

from __future__ import annotations

import hashlib

from django.core.cache import cache


def within(name: str, who: str, *, times: int, seconds: int) -> bool:
    """Counts one attempt; False once there were more than `times` within `seconds` of the first."""
    key = _key(name, who)
    if cache.add(key, 1, seconds):
        return times >= 1
    try:
        return cache.incr(key) <= times
    except ValueError:  # it ran out between the two lines
        return True


def forgive(name: str, who: str) -> None:
    """Forgets the attempts, after one that was right."""
    cache.delete(_key(name, who))


def _key(name: str, who: str) -> str:
    return f"attempts:{name}:{hashlib.sha256(who.encode()).hexdigest()}"
