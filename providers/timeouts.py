"""How long each part of an exchange with a provider may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `connect` includes the wait for a place in the pool; `first` is from the call to the
    first sign of the answer, `idle` between two of them, `total` for everything.
    """

    connect: float = 5.0
    first: float = 60.0
    idle: float = 60.0
    total: float = 600.0
