"""Reports as CSV for spreadsheets. Texts can be no formula there; amounts are dollars with nine decimals."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from accounts.spreadsheets import safe
from usage.reports.names import HEADINGS, Name
from usage.reports.reports import Sums

NANO = 1_000_000_000
FIGURES = (
    "calls",
    "failed_attempts",
    "input",
    "cache_read",
    "cache_write",
    "output",
    "estimated_rows",
    "usd",
)


def table(by: tuple[str, ...], rows: Iterable[tuple[tuple[Name, ...], tuple[str, ...], Sums]]) -> str:
    """Every group with its names, ids and figures, and no line of totals: each column adds up to its own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    columns = [column for name in by for column in (HEADINGS[name], f"{HEADINGS[name]} id")]
    writer.writerow([*columns, *FIGURES])
    for names, ids, sums in rows:
        texts = [safe(text) for name, id in zip(names, ids, strict=True) for text in (name.whole, id)]
        tokens = (sums.input, sums.cached, sums.written, sums.output)
        writer.writerow([*texts, sums.calls, sums.failed, *tokens, sums.estimated, exact(sums.cost_nano)])
    return out.getvalue()


def exact(nano: int) -> str:
    """Nano-dollars as dollars, exactly: "1284.070000000"."""
    whole, rest = divmod(abs(nano), NANO)
    return f"{'-' if nano < 0 else ''}{whole}.{rest:09d}"
