"""The rows of a report's tables and the options of its filters, each list written in one go.

A page has up to 100 groups, 92 days of six layers and 500 options: 10,000 nodes of a template, which took
longer than all that the database is asked. Every text is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from django import template
from django.utils.safestring import SafeString

from usage.reports.changes import Comparison
from usage.reports.names import Name
from usage.reports.tables import Choice, Row, Table
from usage.templatetags.figures import count, tokens, usd
from usage.templatetags.report_figures import exact, only, share_of

register = template.Library()


@register.simple_tag
def group_rows(table: Table, asked: Any, change: Comparison | None, lines_url: str) -> SafeString:
    """The groups that a page shows: names, figures that open their lines, what the cost has become, share."""
    whole = table.total.cost_nano
    before = escape(change.pair.text) if change else ""
    return SafeString(
        "".join(
            _group(row, escape(lines_url + only(asked, table.by, row.key)), change, before, whole)
            for row in table.shown
        )
    )


@register.simple_tag
def day_rows(rows: Iterable[tuple[str, Sequence[tuple[str, str]], int, str]]) -> SafeString:
    """The chart's table (report_figures: drawing): each day, what each layer cost on it, and all of them."""
    return SafeString(
        "".join(
            f'<tr><th scope="row">{escape(day)}</th>'
            + "".join(
                f'<td data-figure><a href="{escape(opened)}">{escape(text)}</a></td>'
                if opened
                else f"<td data-figure>{escape(text)}</td>"
                for text, opened in cells
            )
            + f'<td data-figure><a href="{escape(address)}"><data value="{exact(whole)}">{escape(usd(whole))}'
            "</data></a></td></tr>"
            for day, cells, whole, address in rows
        )
    )


@register.simple_tag
def choice_options(choice: Choice) -> SafeString:
    """What a filter can be set to."""
    return SafeString(
        "".join(
            f'<option value="{escape(value)}"{" selected" if value == choice.value else ""}>'
            f"{escape(label)}</option>"
            for value, label in choice.options
        )
    )


def _group(row: Row, address: str, change: Comparison | None, before: str, whole: int) -> str:
    """`address` and `before` are escaped."""
    sums, moved = row.sums, ""
    first, *others = map(_named, row.names)
    failed = (
        f'<small><a href="{address}&amp;outcome=failed">{count(sums.failed)} failed</a></small>'
        if sums.failed
        else ""
    )
    became = change.groups.get(row.key) if change else None
    if became is not None and (short := became.short):
        moved = (
            f'<small><span aria-hidden="true">{escape(short)}</span>'
            f'<span class="sr">{escape(became.words)} {before}</span></small>'
        )
    cost = exact(sums.cost_nano)
    return (
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{name}</td>" for name in others)}'
        f'<td data-figure><a href="{address}">{count(sums.calls)}</a>{failed}</td>'
        f"<td data-figure>{tokens(sums.prompt)}</td><td data-figure>{tokens(sums.cached)}</td>"
        f"<td data-figure>{tokens(sums.output)}</td>"
        f'<td data-figure><a href="{address}"><data value="{cost}" title="${cost}">'
        f"{escape(usd(sums.cost_nano))}</data></a>{moved}</td>"
        f"<td data-figure>{share_of(sums.cost_nano, whole)}</td></tr>"
    )


def _named(name: Name) -> str:
    beside = f"<small><bdi>{escape(name.beside)}</bdi></small>" if name.beside else ""
    return f"<bdi>{escape(name.text)}</bdi>{beside}"
