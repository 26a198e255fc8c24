"""A report as its page shows it: named, sorted groups with their total, the chart, and what can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from accounts.models import Team, User
from usage.models import NOBODY
from usage.reports.chart import Chart, Layer, chart
from usage.reports.chart import leading as leading_layers
from usage.reports.forms import Asked, narrowing
from usage.reports.names import HEADINGS, OUTCOMES, Name, Names, plain_name
from usage.reports.reports import Filters, Groups, Key, Sums, costs_by_day, groups, leading, sums, values

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
    """The groups, sorted: `count` of them, of which `rows` are all or the first. Those that are not `shown`
    are added up in `rest`: together they are `total`.

    For the chart: `costs` by the grouping that is not the day, and the `names` of the dearest of them.
    """

    by: tuple[str, ...]
    rows: list[Row]
    total: Sums
    count: int
    costs: Mapping[Any, int] = field(default_factory=dict)
    names: Mapping[Any, Name] = field(default_factory=dict)

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
        return max(0, self.count - SHOWN)

    @property
    def rest(self) -> Sums:
        return self.total - sum((row.sums for row in self.shown), Sums())


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter of the page: what may be chosen, and what is; `label` names it and stands for no choice."""

    name: str
    label: str
    options: list[tuple[str, str]]
    value: str


def table(asked: Asked, filters: Filters) -> Table:
    """Every group that the address asks for, for a file. Few queries, and at most three for names."""
    found = groups(filters, asked.by)
    rows = _sorted(_rows(asked.by, dict(found.items())), asked.sort)
    return Table(by=asked.by, rows=rows, total=found.total, count=len(rows))


def page_table(asked: Asked, filters: Filters) -> Table:
    """The same for a page, with the first groups alone. Of the others no more is read than their sum needs,
    and of those by day and something else not even that.
    """
    stacked = layer(asked)
    if "day" in asked.by and stacked:
        stack = groups(filters, (stacked,))
        found, count = _first(asked, filters, stack)
        costs = stack.costs(0)
    else:
        stack = groups(filters, asked.by)
        count = len(stack)
        found = dict(stack.items()) if asked.sort == "name" else stack.first(asked.sort, SHOWN)
        costs = stack.costs(asked.by.index(stacked)) if stacked else {}
    top = leading_layers(costs)
    names = _names(asked.by, found, stacked, top)
    rows = _sorted(_named(asked.by, found, names), asked.sort)[:SHOWN]
    known = {value: names.name(stacked, value) for value in top}
    return Table(by=asked.by, rows=rows, total=stack.total, count=count, costs=costs, names=known)


def drawn(asked: Asked, filters: Filters, table: Table) -> Chart | None:
    """The chart of cost per day, stacked by the table's first grouping that is not the day. Few queries."""
    stacked = layer(asked)
    if not stacked:
        return chart(asked.period, [Layer("Cost", {row.key[0]: row.sums.cost_nano for row in table.rows})])
    top = leading_layers(table.costs)
    amounts: list[dict[date, int]] = [{} for _ in range(len(top) + 1)]
    for (day, place), cost in costs_by_day(filters, stacked, top).items():
        amounts[place][day] = cost
    return chart(
        asked.period, _layers(stacked, table.costs, top, amounts, lambda value: table.names[value].text)
    )


def layers_of(groups: Mapping[Key, Sums], grouping: str, names: Callable[[Any], str]) -> list[Layer]:
    """The layers of a chart from sums by day and this grouping."""
    costs: dict[Any, int] = {}
    for (_, value), found in groups.items():
        costs[value] = costs.get(value, 0) + found.cost_nano
    top = leading_layers(costs)
    amounts: list[dict[date, int]] = [{} for _ in range(len(top) + 1)]
    places = {value: place for place, value in enumerate(top)}
    for (day, value), found in groups.items():
        place = places.get(value, len(top))
        amounts[place][day] = amounts[place].get(day, 0) + found.cost_nano
    return _layers(grouping, costs, top, amounts, names)


def _layers(
    grouping: str,
    costs: Mapping[Any, int],
    top: Sequence[Any],
    amounts: Sequence[Mapping[date, int]],
    names: Callable[[Any], str],
) -> list[Layer]:
    """The groups that are layers of their own, and all others in one."""
    rest = sum(1 for cost in costs.values() if cost) - len(top)
    layers = [
        Layer(names(value), amounts[place], narrowing(grouping, value)) for place, value in enumerate(top)
    ]
    layers.append(Layer(f"{rest} other{'' if rest == 1 else 's'}", amounts[len(top)]))
    return [one for one in layers if any(one.costs.values())]


def layer(asked: Asked) -> str:
    """The first grouping that is not the day; "" without one."""
    return next((name for name in asked.by if name != "day"), "")


def choices(asked: Asked, filters: Filters) -> list[Choice]:
    """The filters of this page with what can be chosen in this period; what is chosen is always among it.

    Two queries for people and teams, few for the rest, one for the names of tokens.
    """
    everything = Filters(first=filters.first, last=filters.last, person=_fixed(asked, filters))
    found = values(everything, "provider", "model", "purpose", "credential_scope", "token")
    options: dict[str, dict[str, str]] = {
        "provider": _plain("provider", {row[0] for row in found}),
        "model": _plain("model", {f"{row[0]}/{row[1]}" for row in found}),
        "purpose": _plain("purpose", {row[2] for row in found}),
        "key": _plain("key", {row[3] for row in found}),
        "outcome": {str(value): str(label) for value, label in OUTCOMES.items()},
    }
    if "person" in asked.can:
        people = User.objects.values_list("pk", "email", "display_name")
        options["person"] = {
            str(pk): name or email.partition("@")[0]  # as User.display
            for pk, email, name in people
        }
        options["team"] = _without("team") | {
            str(pk): name for pk, name in Team.objects.values_list("pk", "name")
        }
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


def _first(asked: Asked, filters: Filters, stack: Groups) -> tuple[dict[Key, Sums], int]:
    """Of the groups by day and one thing more: at least those that come first, and how many there are."""
    most = leading(filters, asked.by, "first" if asked.sort == "name" else asked.sort, SHOWN)
    if asked.sort != "name" or most.count <= SHOWN:
        return most.groups, most.count
    if asked.by[0] == "day":  # the days that come first, the last one of them whole
        until = max(key[0] for key in most.groups)
        return sums(replace(filters, last=until), asked.by), most.count
    if asked.by[0] != "person":
        return sums(filters, asked.by), most.count
    people = [row.key[0] for row in _sorted(_rows(("person",), dict(stack.items())), "name")]
    found: dict[Key, Sums] = {}
    for count in (5, 20, SHOWN):  # of each there is one day at least
        found = sums(filters, asked.by, people=people[:count])
        if len(found) >= SHOWN:
            break
    return found, most.count


def _rows(by: tuple[str, ...], found: Mapping[Key, Sums]) -> list[Row]:
    return _named(by, found, Names.of(by, found))


def _names(by: tuple[str, ...], found: Iterable[Key], stacked: str, top: Sequence[Any]) -> Names:
    """Those of some groups, and of the chart's layers."""
    wanted = {name: {key[at] for key in found} for at, name in enumerate(by)}
    if stacked:
        wanted[stacked] |= set(top)
    return Names(
        people=wanted.get("person", ()), teams=wanted.get("team", ()), tokens=wanted.get("token", ())
    )


def _named(by: tuple[str, ...], found: Mapping[Key, Sums], names: Names) -> list[Row]:
    known = [
        {value: names.name(name, value) for value in {key[at] for key in found}} for at, name in enumerate(by)
    ]
    return [
        Row(key, tuple([name[value] for name, value in zip(known, key, strict=True)]), amounts)
        for key, amounts in found.items()
    ]


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    places: dict[tuple[int, Any], tuple[str, str]] = {}  # of each value, for few have many rows
    for row in rows:
        for one in enumerate(row.key):
            if one not in places:
                at, value = one
                text = str(value) if isinstance(value, date) else row.names[at].text.casefold()
                places[one] = text, str(value)
    rows = sorted(rows, key=lambda row: [places[one] for one in enumerate(row.key)])
    if sort == "name":
        return rows
    column = {"cost": "cost_nano", "input": "prompt"}.get(sort, sort)
    return sorted(rows, key=lambda row: getattr(row.sums, column), reverse=True)
