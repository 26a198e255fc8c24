"""How a period compares with the one before it: its full days against as many days before.

Today is never compared, for it is not over: what is said of a period under way is said of its days up to
yesterday. A month is compared with the same days of the month before, a week and a quarter likewise; where
those are too few, and for days chosen freely, with the days directly before. Few calls make no percentage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from usage.reports.forms import Asked, Period
from usage.reports.reports import Filters, Key, Sums, groups
from usage.templatetags.figures import count, tokens, usd

FEW = 10  # calls, below which a percentage says nothing
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """As many full days of now and of before, the first and the last of each."""

    now: tuple[date, date]
    before: tuple[date, date]

    @property
    def text(self) -> str:
        """The days before, as people write them: "1 to 19 October"."""
        return _written(*self.before, year=self.now[1].year)

    @property
    def text_now(self) -> str:
        return _written(*self.now, year=self.now[1].year)


def pair(name: str, period: Period) -> Pair | None:
    """The full days of a period of this name (PERIODS) and those to compare them with; None without any."""
    last = min(period.end, period.today - ONE_DAY)
    length = (last - period.first).days + 1
    if length <= 0:
        return None
    first = _begin_before(name, period.first, length)
    if first + length * ONE_DAY > period.first:
        first = period.first - length * ONE_DAY
    return Pair((period.first, last), (first, first + (length - 1) * ONE_DAY))


@dataclass(frozen=True, slots=True)
class Change:
    """`now` against `before`, numbers of one kind. `few`: too little for a percentage."""

    now: int
    before: int
    few: bool = False

    @property
    def short(self) -> str:
        """For a column of numbers: "+12 %", "×2.4", "new"; "" where there is nothing to say."""
        if not self.before:
            return "new" if self.now else ""
        if self.few:
            return ""
        if self.now >= 2 * self.before:
            return f"×{self._times}"
        percent = self._percent
        return "" if not percent else f"{'+' if percent > 0 else '–'}{abs(percent)} %"

    @property
    def words(self) -> str:
        """The same, to be followed by what it is compared with: "12 % more than"."""
        if not self.before:
            return "new, nothing from" if self.now else ""
        if self.now >= 2 * self.before:
            return f"{self._times} times that of"
        percent = self._percent
        if not percent:
            return "the same as"
        return f"{abs(percent)} % {'more' if percent > 0 else 'less'} than"

    @property
    def _percent(self) -> int:
        """Rounded half up, but never to "nothing is left" or "twice as much" where that is not so."""
        exact = 100 * (self.now - self.before)
        rounded = (2 * abs(exact) + self.before) // (2 * self.before)
        most = 99 if self.now else 100
        return min(rounded, most) if exact > 0 else -min(rounded, most)

    @property
    def _times(self) -> str:
        tenths = (20 * self.now + self.before) // (2 * self.before)
        if tenths >= 1000:
            return "100 and more"
        if tenths >= 100:
            return str((tenths + 5) // 10)
        return f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The sums of a pair of days. `groups` are what the cost of each group that is shown has become."""

    pair: Pair
    now: Sums
    before: Sums
    groups: Mapping[Key, Change]

    @property
    def cost(self) -> str:
        return self._said("cost_nano", usd)

    @property
    def calls(self) -> str:
        return self._said("calls", count)

    @property
    def input(self) -> str:
        return self._said("prompt", tokens)

    @property
    def output(self) -> str:
        return self._said("output", tokens)

    @property
    def basis(self) -> str:
        """The two amounts behind it, in words."""
        now, before = (usd(found.cost_nano) for found in (self.now, self.before))
        return f"{self.pair.text_now}: {now}; {self.pair.text}: {before}"

    def _said(self, name: str, text: Callable[[int | None], str]) -> str:
        now, before = getattr(self.now, name), getattr(self.before, name)
        if not (now or before):
            return ""
        if before and _is_few(self.now, self.before):
            return f"{text(before)} from {self.pair.text}"
        return f"{Change(now, before).words} {self.pair.text}"


def compared(asked: Asked, filters: Filters, whole: Sums, shown: Mapping[Key, Sums]) -> Comparison | None:
    """A report's sum and the groups that are shown of it against those before. As many queries as `groups`
    twice, once if today is not in it.

    Days are no groups to compare: then there is only the sum.
    """
    days = pair(asked.name, asked.period)
    if days is None:
        return None
    by = () if "day" in asked.by else asked.by
    now = dict(shown) if by else {}
    if asked.period.end >= asked.period.today:
        today = groups(replace(filters, first=asked.period.today, last=asked.period.end), by)
        whole -= today.total
        for key, less in today.of(now).items():
            now[key] -= less
    earlier = groups(replace(filters, first=days.before[0], last=days.before[1]), by)
    whole_before, before = earlier.total, earlier.of(now)
    if not (whole or whole_before):
        return None
    changes = {key: _change(found, before.get(key, Sums())) for key, found in now.items()}
    return Comparison(days, whole, whole_before, changes)


def of_days(name: str, period: Period, by_day: Mapping[date, Sums]) -> Comparison | None:
    """A period against the one before, of sums by day that reach back far enough (`pair`)."""
    days = pair(name, period)
    if days is None:
        return None

    def whole(first: date, last: date) -> Sums:
        return sum((found for day, found in by_day.items() if first <= day <= last), Sums())

    found = Comparison(days, whole(*days.now), whole(*days.before), {})
    return found if found.now or found.before else None


def earliest(*asked: tuple[str, Period]) -> date:
    """The first day that must be known to compare these periods."""
    return min(days.before[0] if (days := pair(*one)) is not None else one[1].first for one in asked)


def _written(first: date, last: date, *, year: int) -> str:
    """Some days, without the year where it is this one."""
    of_last = "" if last.year == year else f" {last.year}"
    if first == last:
        return f"{last.day} {last:%B}{of_last}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {last.day} {last:%B}{of_last}"
    of_first = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {first:%B}{of_first} to {last.day} {last:%B}{of_last}"


def _change(now: Sums, before: Sums) -> Change:
    return Change(now.cost_nano, before.cost_nano, _is_few(now, before))


def _is_few(now: Sums, before: Sums) -> bool:
    return min(now.calls, before.calls) < FEW


def _begin_before(name: str, first: date, length: int) -> date:
    """The first day of the week, month or quarter before the one that begins on this day."""
    if name == "week":
        return first - 7 * ONE_DAY
    if name in ("month", "quarter"):
        for _ in range(1 if name == "month" else 3):
            first = (first - ONE_DAY).replace(day=1)
        return first
    return first - length * ONE_DAY
