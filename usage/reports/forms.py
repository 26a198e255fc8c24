"""What an address of a usage page asks for: which days, which part of the usage, grouped and sorted how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms

from usage.models import Outcome
from usage.reports.names import HEADINGS
from usage.reports.reports import Filters

PERIODS = {"week": "Week", "month": "Month", "quarter": "Quarter", "own": "Dates"}
SORTS = ("cost", "calls", "input", "cached", "output", "name")
LONGEST = 366  # days
LONGEST_PAGE = 92  # days that a page adds up while somebody waits: a quarter
NARROWING = ("person", "team", "token", "provider", "model", "purpose", "key", "credential", "outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days from `first` to `end`, both counted; `today` may be among them, and later ones."""

    first: date
    end: date
    today: date

    @property
    def last(self) -> date:
        """The last day of which anything can be known."""
        return max(self.first, min(self.end, self.today))

    @property
    def is_partial(self) -> bool:
        return self.end >= self.today

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=place) for place in range((self.end - self.first).days + 1)]

    @property
    def passed(self) -> int:
        """How many of its days have begun."""
        return 0 if self.first > self.today else (self.last - self.first).days + 1

    @property
    def text(self) -> str:
        """The days as people write them: "1 to 30 November 2026"."""
        if self.first == self.end:
            return f"{self.end.day} {self.end:%B %Y}"
        first = f"{self.first.day}"
        if (self.first.month, self.first.year) != (self.end.month, self.end.year):
            first += f" {self.first:%B}"
        if self.first.year != self.end.year:
            first += f" {self.first.year}"
        return f"{first} to {self.end.day} {self.end:%B %Y}"


def period(name: str, today: date) -> Period:
    """The week (from Monday), month or quarter of the calendar in which today lies."""
    if name == "week":
        first = today - timedelta(days=today.weekday())
        return Period(first=first, end=first + timedelta(days=6), today=today)
    if name == "quarter":
        first = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
        return Period(first=first, end=_month_end(first.replace(month=first.month + 2)), today=today)
    return Period(first=today.replace(day=1), end=_month_end(today), today=today)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an address asks for. `name` is the period's, `by` one or two groupings, `narrowed` the filters
    that are set, `given` all that the address said, `can` what it may say, `groupings` what it may group by.
    """

    name: str
    period: Period
    by: tuple[str, ...]
    sort: str
    narrowed: Mapping[str, Any]
    given: Mapping[str, Any]
    can: frozenset[str]
    groupings: list[tuple[str, str]]

    def filters(self, **fixed: UUID) -> Filters:
        """What is meant; `fixed` filters hold whatever the address says."""
        return Filters(first=self.period.first, last=self.period.end, **{**self.narrowed, **fixed})

    def query(self, **changes: Any) -> str:
        """The page's own address with some changes, from its question mark on; "" takes a part out."""
        return query({**self.given, **changes})

    def days_query(self, **changes: Any) -> str:
        """The filters with the days spelt out, so that the address means the same tomorrow."""
        days = {"period": "own", "from": self.period.first, "to": self.period.end}
        return query({**days, **self.narrowed, **changes})

    def bare_query(self) -> str:
        """The same days without filters."""
        kept = ("period", "from", "to") if self.name == "own" else ("period",)
        return query({name: self.given[name] for name in kept})


class ReportForm(forms.Form):
    """The filters of a page, as its address holds them. What is wrong in them is said, never passed over.

    `only` names the filters and groupings that this page has beside the period, `longest` how many days it
    takes.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        today: date,
        only: Iterable[str] = tuple(HEADINGS),
        longest: int = LONGEST,
    ) -> None:
        super().__init__(data)
        self.today = today
        self.longest = longest
        self.groupings = [(name, HEADINGS[name]) for name in HEADINGS if name in set(only) | {"day"}]
        self.fields["period"] = forms.ChoiceField(choices=PERIODS.items(), required=False)
        for name in ("from", "to"):
            self.fields[name] = forms.DateField(input_formats=["%Y-%m-%d"], required=False)
        for name in ("person", "team", "token"):
            if name in only:
                self.fields[name] = forms.UUIDField(required=False)
        for name in ("provider", "model", "purpose", "key"):
            if name in only:
                self.fields[name] = forms.CharField(max_length=300, required=False)
        self.fields["credential"] = forms.UUIDField(required=False)
        self.fields["outcome"] = forms.ChoiceField(choices=Outcome.choices, required=False)
        self.fields["by"] = forms.ChoiceField(choices=self.groupings, required=False)
        self.fields["then"] = forms.ChoiceField(choices=self.groupings, required=False)
        self.fields["sort"] = forms.ChoiceField(choices=[(name, name) for name in SORTS], required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("period") == "own":
            first, last = data.get("from"), data.get("to")
            if "from" in self.errors or "to" in self.errors:
                return data
            if first is None or last is None:
                raise forms.ValidationError("Name the first and the last day.")
            if last < first:
                raise forms.ValidationError("The last day is before the first one.")
            if (last - first).days >= self.longest:
                raise forms.ValidationError(
                    f"These are more than {self.longest} days. Ask for fewer; a file may have {LONGEST}.",
                    code="long",
                )
            if not 2000 <= first.year <= last.year <= 2200:
                raise forms.ValidationError("There was no usage in those years.")
        return data

    @property
    def problems(self) -> list[str]:
        """What is wrong with the address, as sentences."""
        return [
            str(message) if name == "__all__" else f"{name.capitalize()}: {message}"
            for name, messages in self.errors.items()
            for message in messages
        ]

    @property
    def is_only_too_long(self) -> bool:
        """Whether a file of what is asked for could be had."""
        wrong = [one.code for errors in self.errors.as_data().values() for one in errors]
        first, last = self.cleaned_data.get("from"), self.cleaned_data.get("to")
        return wrong == ["long"] and bool(first and last and (last - first).days < LONGEST)

    def asked(self) -> Asked:
        """What a valid address asks for."""
        data = self.cleaned_data
        name = data["period"] or "month"
        if name == "own":
            days = Period(first=data["from"], end=data["to"], today=self.today)
        else:
            days = period(name, self.today)
        first, then = data["by"] or "model", data["then"]
        return Asked(
            name=name,
            period=days,
            by=(first, then) if then and then != first else (first,),
            sort=data["sort"] or ("name" if first == "day" else "cost"),
            narrowed={one: data[one] for one in NARROWING if data.get(one)},
            given={one: data.get(one) for one in self.fields},
            can=frozenset(self.fields),
            groupings=self.groupings,
        )


def query(values: Mapping[str, Any]) -> str:
    """An address's query, with its question mark; without what is empty."""
    return "?" + urlencode({name: str(value) for name, value in values.items() if value not in ("", None)})


def narrowing(grouping: str, value: Any) -> dict[str, Any]:
    """The parts of an address that leave one group of a grouping."""
    if grouping == "day":
        return {"period": "own", "from": value, "to": value}
    return {grouping: value}


def _month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
