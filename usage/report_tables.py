"""A report as its page shows it: named, sorted groups with their total, the chart, and what can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from accounts.models import Team, User

from .models import NOBODY, DailyUsage
from .report_chart import Chart, Layer, chart, leading
from .report_forms import Asked
from .report_names import HEADINGS, OUTCOMES, Name, Names, plain_name
from .reports import Filters, Key, Sums, costs_by_day, sums

COLUMNS = (
    ("calls", "Calls"),
    ("input", "Input"),
    ("cached", "From cache"),
    ("output", "Output"),
    ("cost", "Cost"),
)
SHOWN = 100  # groups; the others are one line on the page, and all of them are in the file


@dataclass(frozen=True, slots=True)
class Row:
    key: Key
    names: tuple[Name, ...]
    sums: Sums

    @property
    def ids(self) -> tuple[str, ...]:
        """What stands behind the names, as text."""
        return tuple(str(value) for value in self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Every group, sorted. `rows` from `shown` on are added up in `rest`: what is shown is `total`."""

    by: tuple[str, ...]
    rows: list[Row]
    total: Sums

    @property
    def headings(self) -> list[str]:
        return [HEADINGS[name] for name in self.by]

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """What it can be sorted by beside the name, in the order of its columns."""
        return COLUMNS

    @property
    def shown(self) -> list[Row]:
        return self.rows[:SHOWN]

    @property
    def hidden(self) -> int:
        """How many groups are not shown on their own."""
        return max(0, len(self.rows) - SHOWN)

    @property
    def rest(self) -> Sums:
        return sum((row.sums for row in self.rows[SHOWN:]), Sums())


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter of the page: what may be chosen, and what is; `label` names it and stands for no choice."""

    name: str
    label: str
    options: list[tuple[str, str]]
    value: str


def table(asked: Asked, filters: Filters) -> Table:
    """The groups that the address asks for. At most two queries for sums and three for names."""
    groups = sums(filters, asked.by)
    names = Names.of(asked.by, groups)
    rows = [
        Row(key, tuple(names.name(name, value) for name, value in zip(asked.by, key, strict=True)), found)
        for key, found in groups.items()
    ]
    return Table(by=asked.by, rows=_sorted(rows, asked.sort), total=sum(groups.values(), Sums()))


def drawn(asked: Asked, filters: Filters, table: Table) -> Chart | None:
    """The chart of cost per day, stacked by the table's first grouping that is not the day. At most two
    queries.
    """
    stacked = layer(asked)
    if not stacked:
        return chart(asked.period, [("Cost", {row.key[0]: row.sums.cost_nano for row in table.rows})])
    at = table.by.index(stacked)
    costs: dict[Any, int] = {}
    for row in table.rows:
        costs[row.key[at]] = costs.get(row.key[at], 0) + row.sums.cost_nano
    top = leading(costs)
    texts = {row.key[at]: row.names[at].text for row in table.rows}
    amounts: list[dict[date, int]] = [{} for _ in range(len(top) + 1)]
    for (day, place), cost in costs_by_day(filters, stacked, top).items():
        amounts[place][day] = cost
    names = [*(texts[value] for value in top), others(costs, top)]
    return chart(asked.period, [one for one in zip(names, amounts, strict=True) if any(one[1].values())])


def layers_of(groups: Mapping[Key, Sums], names: Callable[[Any], str]) -> list[Layer]:
    """The layers of a chart from sums by day and one more grouping."""
    costs: dict[Any, int] = {}
    for (_, value), found in groups.items():
        costs[value] = costs.get(value, 0) + found.cost_nano
    top = leading(costs)
    amounts: list[dict[date, int]] = [{} for _ in range(len(top) + 1)]
    places = {value: place for place, value in enumerate(top)}
    for (day, value), found in groups.items():
        place = places.get(value, len(top))
        amounts[place][day] = amounts[place].get(day, 0) + found.cost_nano
    texts = [*map(names, top), others(costs, top)]
    return [one for one in zip(texts, amounts, strict=True) if any(one[1].values())]


def others(costs: Mapping[Any, int], top: Sequence[Any]) -> str:
    """What the groups are called that are no layers of their own."""
    return f"{sum(1 for cost in costs.values() if cost) - len(top)} others"


def layer(asked: Asked) -> str:
    """The first grouping that is not the day; "" without one."""
    return next((name for name in asked.by if name != "day"), "")


def choices(asked: Asked, filters: Filters) -> list[Choice]:
    """The filters of this page with what can be chosen in this period; what is chosen is always among it.

    Two queries for people and teams, one for the rest, one for the names of tokens.
    """
    everything = Filters(first=filters.first, last=filters.last, person=_fixed(asked, filters))
    columns = ("provider", "model", "purpose", "credential_scope", "token")
    rows = DailyUsage.objects.filter(day__range=(everything.first, everything.last))
    if everything.person is not None:
        rows = rows.filter(user=everything.person)
    found = list(rows.order_by().values_list(*columns).distinct())
    options: dict[str, dict[str, str]] = {
        "provider": _plain("provider", {row[0] for row in found}),
        "model": _plain("model", {f"{row[0]}/{row[1]}" for row in found}),
        "purpose": _plain("purpose", {row[2] for row in found}),
        "key": _plain("key", {row[3] for row in found}),
        "outcome": {str(value): str(label) for value, label in OUTCOMES.items()},
    }
    if "person" in asked.can:
        people = User.objects.only("email", "display_name", "is_active")
        options["person"] = {str(person.pk): person.display for person in people}
        options["team"] = _without("team") | {str(team.pk): team.name for team in Team.objects.only("name")}
    tokens = {row[4] for row in found} - {NOBODY}
    if "token" in asked.can and tokens:
        names = Names(tokens=tokens)
        options["token"] = _without("token") | {str(one): names.name("token", one).whole for one in tokens}
    return [_choice(asked, name, options[name]) for name in _ORDER if name in asked.can and name in options]


_ORDER = ("team", "person", "token", "provider", "model", "purpose", "key", "outcome")


def _choice(asked: Asked, name: str, options: dict[str, str]) -> Choice:
    value = asked.narrowed.get(name)
    text = "" if value is None else str(value)
    if text and text not in options:
        options = {**options, text: Names.of((name,), [(value,)]).name(name, value).whole}
    ranked = sorted(options.items(), key=lambda item: (item[0] != str(NOBODY), item[1].casefold(), item[0]))
    return Choice(name, {"outcome": "Outcome", **HEADINGS}[name], ranked, text)


def _fixed(asked: Asked, filters: Filters) -> UUID | None:
    """Whose page it is, where it is one person's alone."""
    return None if "person" in asked.can else filters.person


def _plain(name: str, values: Iterable[str]) -> dict[str, str]:
    """The names of values, with what is beside them only where one name stands for several."""
    names = {value: plain_name(name, value) for value in values}
    texts = [one.text for one in names.values()]
    return {value: one.whole if texts.count(one.text) > 1 else one.text for value, one in names.items()}


def _without(name: str) -> dict[str, str]:
    return {str(NOBODY): {"team": "No team", "token": "No token"}[name]}


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    def name(row: Row) -> tuple[Any, ...]:
        return tuple(
            (str(value) if isinstance(value, date) else text.text.casefold(), str(value))
            for text, value in zip(row.names, row.key, strict=True)
        )

    rows = sorted(rows, key=name)
    if sort == "name":
        return rows
    column = {"cost": "cost_nano", "input": "prompt"}.get(sort, sort)
    return sorted(rows, key=lambda row: getattr(row.sums, column), reverse=True)
