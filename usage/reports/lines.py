"""The ledger's own lines behind a figure, page by page, and one call with all that is known of it.

Pages are cut by key, never by number: however far somebody reads, a page costs the same, and what is written
meanwhile shifts nothing. Newest first, by when a call was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from usage.models import LedgerLine, estimated_attempts
from usage.reports.reports import Filters
from usage.reports.search import parts

PAGE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLACE = re.compile(r"([0-9]{1,17})-([0-9]{1,18})")


class NoSuchPlace(ValueError):
    """The address names no place in the list."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, and the place after which the older ones begin; "" when there are none."""

    lines: list[LedgerLine]
    older: str


def page(filters: Filters, after: str = "") -> Page:
    """The lines after a place that an earlier page named, or the newest. Raises NoSuchPlace.

    One query, or hardly ever more than two where filters leave some lines alone.
    """
    before = _place(after)[0] if after else None
    for part, since in parts(filters, PAGE + 1, before):
        found = cut(part, after)
        if since is None or (found.older and found.lines[-1].accounted_at >= since):
            return found
    raise AssertionError("the last part is everything")


def cut(found: QuerySet[LedgerLine], after: str = "") -> Page:
    """A page of these lines, as `page`."""
    if after:
        moment, number = _place(after)
        found = found.filter(
            Q(accounted_at__lt=moment) | Q(accounted_at=moment, id__lt=number), accounted_at__lte=moment
        )
    some = list(found.order_by("-accounted_at", "-id")[: PAGE + 1])
    more = len(some) > PAGE
    return Page(some[:PAGE], _text(some[PAGE - 1]) if more else "")


@dataclass(frozen=True, slots=True)
class OneCall:
    """A call with all its lines, in the order of its attempts."""

    lines: Sequence[LedgerLine]

    @property
    def first(self) -> LedgerLine:
        return self.lines[0]

    @property
    def last(self) -> LedgerLine:
        """The last attempt's first line: it says how the call ended."""
        return next(line for line in self.lines if line.attempt == self.lines[-1].attempt)

    @property
    def cost_nano(self) -> int:
        return sum(line.cost_nano for line in self.lines)

    @property
    def prompt(self) -> int:
        return sum(line.prompt_tokens for line in self.lines)

    @property
    def cached(self) -> int:
        return sum(line.cache_read_input_tokens for line in self.lines)

    @property
    def output(self) -> int:
        return sum(line.output_tokens for line in self.lines)

    @property
    def is_estimated(self) -> bool:
        return bool(estimated_attempts(self.lines))


def call(call_id: UUID, person: UUID | None = None) -> OneCall | None:
    """A call, or None: there is none, or it is not of this person."""
    found = LedgerLine.objects.filter(call_id=call_id)
    if person is not None:
        found = found.filter(user=person)
    rows = list(found.order_by("attempt", "line"))
    return OneCall(rows) if rows else None


def _text(line: LedgerLine) -> str:
    return f"{(line.accounted_at - EPOCH) // timedelta(microseconds=1)}-{line.pk}"


def _place(text: str) -> tuple[datetime, int]:
    found = PLACE.fullmatch(text)
    if found is None:
        raise NoSuchPlace(text)
    try:
        return EPOCH + timedelta(microseconds=int(found[1])), int(found[2])
    except OverflowError:
        raise NoSuchPlace(text) from None
