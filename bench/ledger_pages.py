"""Every kind of address that the pages of usage answer, asked one after the other, and how long each took.

They are asked through Django's test client: middleware, session, view, queries and template are those of the
server; what is left out is the socket and the HTTP parser. An address is asked once before its clock runs.
"""

from __future__ import annotations

import gc
import itertools
import random
import secrets
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts import actions
from accounts.models import User
from accounts.sign_in import first_visit
from usage.models import DailyUsage, LedgerLine
from usage.reports.forms import LONGEST, LONGEST_PAGE, PERIODS, SORTS
from usage.reports.forms import NARROWING as EVERY_FILTER
from usage.reports.lines import PAGE
from usage.reports.names import HEADINGS, OUTCOMES
from usage.reports.reports import GROUPINGS, Filters, lines
from usage.reports.sources import unfinished

NARROWING = tuple(name for name in EVERY_FILTER if name != "credential")  # only the pages of keys lead there
SEED = 5
MIXED = 40  # addresses with two or three filters and two groupings, drawn
OFTEN = 12  # the slowest, asked again this often
OTHER_PAGES = ("budgets", "recommendations", "alerts", "reconciliation")


@dataclass(frozen=True)
class Page:
    """`kind` is what the table of results calls it, `own` for the busiest person's pages."""

    kind: str
    path: str
    own: bool = False

    @property
    def is_file(self) -> bool:
        """A download: reported, and not held to a page's limit."""
        return ".csv" in self.path


@dataclass
class Timed:
    """`seconds` by the clock, `worked` those of a processor, and of these `server` those of PostgreSQL's
    process: what is between the two clocks, other programs took.
    """

    page: Page
    status: int
    size: int
    seconds: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def work(self) -> float:
        """The middle of `worked`."""
        return statistics.median(self.worked)


class Broken(Exception):
    """A page was not answered with 200."""


def measured(today: date, repeats: int) -> list[Timed]:
    """All pages, each `repeats` times, the slowest more often."""
    if not first_visit.is_set_up():
        actions.found(
            organisation="Bench",
            email="owner@bench.invalid",
            password=secrets.token_hex(),
            display_name="Owner",
        )
    known = Known(today)
    clients = {False: Client(), True: Client()}
    clients[False].force_login(User.objects.filter(role=User.Role.OWNER).first())
    clients[True].force_login(User.objects.get(pk=known.most["person"]))
    found = [_asked(clients[page.own], Timed(page, 0, 0)) for page in pages(known)]
    for one in found:  # the first time fills caches that a server has long filled
        for some in (one.seconds, one.worked, one.server):
            some.clear()
    for number in range(repeats):
        for one in found:
            if number == 0 or not one.page.is_file:
                _asked(clients[one.page.own], one)
    shown = [one for one in found if not one.page.is_file]
    for one in sorted(shown, key=lambda one: -max(one.seconds))[:OFTEN]:
        for _ in range(OFTEN):
            _asked(clients[one.page.own], one)
    return found


class Known:
    """What there is to filter by: the most and the least used value of everything in the last days."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.first = today - timedelta(days=LONGEST_PAGE - 1)
        self.most: dict[str, Any] = {}
        self.least: dict[str, Any] = {}
        recent = DailyUsage.objects.filter(day__gte=self.first)
        for name, columns in GROUPINGS.items():
            if name == "day":
                continue
            rows = recent.values(*columns).annotate(many=Sum("calls")).order_by("-many", *columns)
            values = ["/".join(str(row[column]) for column in columns) for row in rows]
            if name in ("team", "token"):
                nobody = str(UUID(int=0))
                values = [value for value in values if value != nobody]
            self.most[name], self.least[name] = values[0], values[-1]


def pages(known: Known) -> Iterator[Page]:
    yield Page("Overview", reverse("usage:overview"))
    yield from _reports(known)
    yield from _lists(known)
    yield from _files(known)
    yield from _own(known)
    for name in OTHER_PAGES:
        try:
            yield Page(name.capitalize(), reverse(f"usage:{name}"))
        except NoReverseMatch:
            continue


def _reports(known: Known) -> Iterator[Page]:
    path = reverse("usage:usage")
    longest = _days(known.first, known.today)
    for name in PERIODS:
        if name != "own":
            yield Page("Usage, time spans", _address(path, period=name))
    for length in (1, 31, LONGEST_PAGE):
        first = known.today - timedelta(days=length - 1)
        yield Page("Usage, time spans", _address(path, **_days(first, known.today)))
        yield Page(
            "Usage, time spans",
            _address(path, **_days(first - timedelta(days=200), known.today - timedelta(days=200))),
        )
    for by, then in itertools.product(HEADINGS, ["", *HEADINGS]):
        if by != then:
            yield Page("Usage, groupings, 92 days", _address(path, by=by, then=then, **longest))
    for sort in SORTS:
        yield Page("Usage, sorted, 92 days", _address(path, by="person", then="model", sort=sort, **longest))
    for narrowed in _filters(known):
        for by, then in (("model", ""), ("person", "day"), ("day", "team")):
            yield Page("Usage, one filter, 92 days", _address(path, by=by, then=then, **narrowed, **longest))
    for by, outcome in itertools.product(HEADINGS, OUTCOMES):
        yield Page(
            "Usage, outcome, 92 days", _address(path, by=by, then="person", outcome=outcome, **longest)
        )
    draw = random.Random(SEED)
    values = _values(known)
    for _ in range(MIXED):
        narrowed = {name: draw.choice(values[name]) for name in draw.sample(NARROWING, draw.choice((2, 3)))}
        by, then = draw.sample(list(HEADINGS), 2)
        yield Page("Usage, several filters, 92 days", _address(path, by=by, then=then, **narrowed, **longest))


def _lists(known: Known) -> Iterator[Page]:
    path = reverse("usage:calls")
    longest = _days(known.first, known.today)
    yield Page("Calls, first page", _address(path, period="month"))
    for narrowed in ({}, *_filters(known)):
        yield Page("Calls, first page", _address(path, **narrowed, **longest))
        deep = _deep(known, narrowed)
        if deep:
            yield Page("Calls, deep page", _address(path, after=deep, **narrowed, **longest))
    draw = random.Random(SEED + 1)
    values = _values(known)
    for _ in range(MIXED):
        narrowed = {name: draw.choice(values[name]) for name in draw.sample(NARROWING, draw.choice((2, 3)))}
        yield Page("Calls, several filters", _address(path, **narrowed, **longest))
    some = LedgerLine.objects.order_by("-id")[:3]
    for line in some:
        yield Page("One call", reverse("usage:call", args=[line.call_id]))


def _files(known: Known) -> Iterator[Page]:
    path = reverse("usage:usage_csv")
    year = _days(known.today - timedelta(days=LONGEST - 1), known.today)
    yield Page("CSV, 92 days", _address(path, by="day", then="person", **_days(known.first, known.today)))
    yield Page("CSV, 92 days", _address(path, by="person", then="model", **_days(known.first, known.today)))
    yield Page("CSV, 366 days", _address(path, by="model", **year))
    yield Page("CSV, 366 days", _address(path, by="day", then="person", **year))


def _own(known: Known) -> Iterator[Page]:
    path = reverse("usage:mine")
    longest = _days(known.first, known.today)
    yield Page("My usage", path, own=True)
    for by, then in itertools.product(("day", "model", "team", "token", "purpose"), ("", "day", "model")):
        yield Page("My usage", _address(path, by=by, then=then, **longest), own=True)
    for outcome in OUTCOMES:
        yield Page("My usage", _address(path, outcome=outcome, **longest), own=True)
        yield Page("My calls", _address(reverse("usage:my_calls"), outcome=outcome, **longest), own=True)
    yield Page("My calls", _address(reverse("usage:my_calls"), **longest), own=True)
    yield Page("My CSV", _address(reverse("usage:mine_csv"), by="day", then="model", **longest), own=True)


def _filters(known: Known) -> Iterator[dict[str, str]]:
    for name, values in _values(known).items():
        for value in values:
            yield {name: value}


def _values(known: Known) -> dict[str, list[str]]:
    nobody = str(UUID(int=0))
    found = {
        name: list(dict.fromkeys((known.most[name], known.least[name])))
        for name in NARROWING
        if name != "outcome"
    }
    for name in ("team", "token"):
        found[name].append(nobody)
    return {**found, "outcome": list(OUTCOMES)}


def _deep(known: Known, narrowed: dict[str, str]) -> str:
    """The place some thousand lines down the list, as its links name it."""
    values: dict[str, Any] = dict(narrowed)
    for name in ("person", "team", "token"):
        if name in values:
            values[name] = UUID(values[name])
    filters = Filters(first=known.first, last=known.today, **values)
    found = unfinished(filters) if filters.outcome not in ("", "completed") else lines(filters)
    some = list(found.order_by("-accounted_at", "-id")[20 * PAGE : 20 * PAGE + 1])
    if not some:
        return ""
    line = some[0]
    micros = (line.accounted_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return f"{micros}-{line.pk}"


def _asked(client: Client, one: Timed) -> Timed:
    gc.collect()
    began, own, theirs = time.perf_counter(), time.process_time(), _server_seconds()
    answer = client.get(one.page.path, HTTP_HOST="localhost")
    body = answer.content
    one.seconds.append(time.perf_counter() - began)
    server = _server_seconds() - theirs
    one.server.append(server)
    one.worked.append(time.process_time() - own + server)
    if answer.status_code != 200:
        raise Broken(f"{answer.status_code} for {one.page.path}")
    one.status, one.size = answer.status_code, len(body)
    return one


def _server_seconds() -> float:
    """For how long our connection's process of PostgreSQL has run on a processor; 0 where nobody can say: the
    server is on another machine, or this is not Linux. SQLite works in our own process.
    """
    if connection.vendor != "postgresql":
        return 0.0
    connection.ensure_connection()
    counted = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    return int(counted.read_text().split()[0]) / 1e9 if counted.exists() else 0.0


def _days(first: date, last: date) -> dict[str, str]:
    return {"period": "own", "from": str(first), "to": str(last)}


def _address(path: str, **query: str) -> str:
    return f"{path}?{urlencode({name: value for name, value in query.items() if value})}"
