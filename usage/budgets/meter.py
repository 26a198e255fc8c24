"""How full one counter of a budget is, in words and as the widths of a drawn meter."""

from __future__ import annotations

from dataclasses import dataclass

from usage.budgets import words

NEAR = 80  # percent of a limit, used and held together
STATES = {"near": "Near", "over": "Reached", "ok": "On course", "off": "Off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How full one counter is. Amounts are in the budget's measure; money in nano-dollars.

    The words of one meter have as many decimal places as each other, and add up.
    """

    measure: str
    limit: int
    settled: int = 0
    held: int = 0

    @property
    def percent(self) -> int:
        """Used and held of the limit, rounded down, so that only a full one is called full."""
        return min(100, max(0, (self.settled + self.held) * 100 // max(1, self.limit)))

    @property
    def state(self) -> str:
        if self.settled + self.held >= self.limit:
            return "over"
        return "near" if self.percent >= NEAR else "ok"

    @property
    def state_words(self) -> str:
        return STATES[self.state]

    @property
    def kind(self) -> str:
        """How the meter is coloured: "" plainly."""
        return "" if self.state == "ok" else self.state

    @property
    def used_width(self) -> str:
        return width(self.settled, self.limit)

    @property
    def held_width(self) -> str:
        return width(min(self.held, max(0, self.limit - self.settled)), self.limit)

    @property
    def used(self) -> str:
        return self._words(self.settled)

    @property
    def held_words(self) -> str:
        return self._words(self.held)

    @property
    def limit_words(self) -> str:
        return f"{self._words(self.limit)}{words.unit(self.measure)}"

    @property
    def left(self) -> str:
        """What the words of limit, used and held leave."""
        if self.measure != "money":
            return self._words(max(0, self.limit - self.settled - self.held))
        places = self._places
        used, held = words.rounded(self.settled, places), words.rounded(self.held, places)
        return self._words(max(0, self.limit - used - held))

    @property
    def _places(self) -> int:
        return words.places(self.measure, self.limit)

    def _words(self, amount: int) -> str:
        return words.written(self.measure, amount, self._places)


def width(amount: int, limit: int) -> str:
    """Of 100, in tenths."""
    tenths = min(1000, max(0, amount * 1000 // max(1, limit)))
    return f"{tenths // 10}.{tenths % 10}"
