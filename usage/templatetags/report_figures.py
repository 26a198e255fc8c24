"""Figures of reports as text, and the lines of the ledger as people read them. Integers in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import template

from usage.models import LedgerLine, Source
from usage.reports.chart import Chart
from usage.reports.csv_file import exact as exact_dollars
from usage.reports.forms import narrowing, query
from usage.reports.names import Name, plain_name
from usage.templatetags.figures import usd

register = template.Library()


@register.filter
def exact(nano: int) -> str:
    """Nano-dollars as dollars, exactly: "1284.070000000"."""
    return exact_dollars(nano)


@register.filter
def exact_usd(nano: int) -> str:
    """Nano-dollars exactly, as people write them: "$0.365199400", "-$0.080990000"."""
    return f"{'-' if nano < 0 else ''}${exact_dollars(abs(nano))}"


@register.filter
def share(part: float | None) -> str:
    """From 0 to 1 as per cent with one decimal; "–" where there is none."""
    return "–" if part is None else f"{part * 100:.1f} %"


@register.filter
def share_of(part: int, whole: int) -> str:
    """A part of a whole as per cent; "–" of nothing."""
    return "–" if whole <= 0 else f"{part * 100 / whole:.1f} %"


@register.filter
def named(value: Any, grouping: str) -> Name:
    """The name of a value that needs no look into the database: a model, a purpose, a provider …"""
    return plain_name(grouping, value)


@register.filter
def ref(line: LedgerLine) -> str:
    """The model that a line's call asked for, with its provider."""
    return f"{line.provider}/{line.model_asked}"


@register.filter
def kind(line: LedgerLine) -> str:
    """What sets a line apart from the first one of a call, or from the vendor's own numbers."""
    words = [f"attempt {line.attempt}"] if line.attempt > 1 else []
    if line.source == Source.CORRECTED:
        words.append("correction")
    elif line.line:
        words.append("raised estimate")
    elif line.source == Source.ESTIMATED:
        words.append("estimated")
    return ", ".join(words)


@register.simple_tag
def only(asked: Any, by: tuple[str, ...], key: tuple[Any, ...]) -> str:
    """The address's query that leaves one group of a report, with the days spelt out."""
    parts: dict[str, Any] = {}
    for grouping, value in zip(by, key, strict=True):
        parts |= narrowing(grouping, value)
    return str(asked.days_query(**parts))


@register.simple_tag
def sorted_by(asked: Any, column: str) -> str:
    """The address's query of the same report, sorted by a column."""
    return str(asked.query(sort=column))


@register.simple_tag
def on_day(asked: Any, day: date) -> str:
    """The address's query that leaves one day of a report; of everything where there is no asked."""
    parts = narrowing("day", day)
    return str(asked.days_query(**parts)) if asked else query(parts)


@register.simple_tag
def drawing(chart: Chart, lines_url: str, asked: Any) -> dict[str, Any]:
    """A chart in words and addresses. `data`: what static/js/chart.js draws. `rows`: its table, each day that
    cost anything with (text, address) of each layer and of the whole day; an address opens the lines.
    """
    ends = [_end(one.only, asked.narrowed if asked else {}) for one in chart.series]
    first, last = chart.days[0].day, chart.days[-1].day
    several = (first.year, first.month) != (last.year, last.month)
    days, rows = [], []
    for day in chart.days:
        address = lines_url + on_day(asked, day.day) if day.whole else ""
        texts = [usd(cost) for cost in day.costs]
        long = f"{day.day:%A} {day.day.day} {day.day:%B %Y}"
        days.append(
            {
                "short": f"{day.day.day} {day.day:%b}" if several else str(day.day.day),
                "long": long,
                "costs": day.costs,
                "texts": texts,
                "whole": usd(day.whole),
                "ahead": day.ahead,
                "aheadText": usd(day.ahead),
                "address": address,
            }
        )
        if address:
            addresses = [
                address + end if cost and end is not None else ""
                for cost, end in zip(day.costs, ends, strict=True)
            ]
            rows.append((long, list(zip(texts, addresses, strict=True)), day.whole, address))
    layers = [{"text": one.text, "end": end} for one, end in zip(chart.series, ends, strict=True)]
    return {"data": {"layers": layers, "days": days, "partial": chart.partial}, "rows": rows}


def _end(only: Mapping[str, Any], narrowed: Mapping[str, Any]) -> str | None:
    """What narrows an address of a day to one layer; None where a layer has no address of its own."""
    more = {name: value for name, value in only.items() if name not in narrowed}
    return (f"&{urlencode(more)}" if more else "") if only else None


@register.simple_tag
def between(first: date, last: date, grouping: str = "", value: Any = "") -> str:
    """The query of some days, and of one group in them."""
    return query({"period": "own", "from": first, "to": last, **({grouping: value} if grouping else {})})
