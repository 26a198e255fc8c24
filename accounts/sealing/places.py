"""Where sealed values are stored, for whoever seals all of them under another data key.

Every SealedField of every model is found by itself. What seals values in another way (inside a JSON column,
say) registers its place here, in its app's `ready`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Reseal = Callable[[int], int]
Count = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """`reseal(most)` seals at most so many values anew that open and stand under another data key than the
    active one, and returns how many it did: 0 when none is left. It writes each value only where the old one
    still stands. `under(number)` counts the values under one data key, whether they open or not.
    """

    name: str
    reseal: Reseal
    under: Count


_registered: dict[str, SealedPlace] = {}


def register(name: str, reseal: Reseal, under: Count) -> None:
    """`name` says where, such as "mfa_authenticator.data". Registering a name again replaces it."""
    _registered[name] = SealedPlace(name, reseal, under)


def registered() -> list[SealedPlace]:
    return list(_registered.values())


def forget(name: str) -> None:
    _registered.pop(name, None)
