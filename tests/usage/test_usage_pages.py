"""My usage, Manage → Overview and Manage → Usage: for whom they are, and that their numbers are the rows'."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.ids import uuid7
from accounts.models import AccessToken, Team, User
from usage.models import Budget, LedgerLine

from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in
from .spent import figures, spent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

NOW = datetime(2026, 11, 20, 11, 42, tzinfo=UTC)
TODAY = NOW.date()
MANAGE = ["/manage/overview/", "/manage/usage/", "/manage/usage.csv", "/manage/usage/calls/"]
MINE = ["/usage/", "/usage.csv", "/usage/calls/"]
HOSTILE = "<script>alert(1)</script>\"'&{{ 7 }}"
FORMULA = '=HYPERLINK("http://evil.example")'


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@dataclass(frozen=True)
class Whole:
    """What a page says of its sums."""

    text: str

    @property
    def total(self) -> Decimal:
        """The exact amount in the foot of the table."""
        foot = self.text[self.text.index("<tfoot>") :]
        return Decimal(re.findall(r'<data value="([^"]+)"', foot)[0])

    @property
    def rows(self) -> list[Decimal]:
        """The exact amounts of the table's lines."""
        body = self.text[: self.text.index("<tfoot>")].rpartition("<tbody>")[2]
        return [Decimal(one) for one in re.findall(r'<data value="([^"]+)"', body)]


def report(client: Client, path: str, **query: Any) -> Whole:
    response = client.get(path, query)
    assert response.status_code == 200
    return Whole(response.content.decode())


def file(client: Client, path: str, **query: Any) -> list[dict[str, str]]:
    response = client.get(path, query)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="usage-')
    return list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))


def dollars(lines: list[LedgerLine]) -> Decimal:
    return Decimal(figures(lines)["cost_nano"]) / 10**9


# For whom


@pytest.mark.parametrize("path", MANAGE)
def test_manage_is_for_owners_and_admins_alone(owner: User, admin: User, member: User, path: str) -> None:
    made = spent(TODAY, 10)
    for person in (owner, admin):
        client = signed_in(person)
        assert client.get(path).status_code == 200
        assert client.get(f"/manage/usage/calls/{made.call_id}/").status_code == 200
    assert signed_in(member).get(path).status_code == 404
    assert signed_in(member).get(f"/manage/usage/calls/{made.call_id}/").status_code == 404
    assert Client(headers={"host": "localhost"}).get(path).status_code == 302
    assert signed_in(owner).post(path).status_code == 405


@pytest.mark.parametrize("path", MINE)
def test_my_usage_is_for_everyone_signed_in(owner: User, member: User, path: str) -> None:
    for person in (owner, member):
        assert signed_in(person).get(path).status_code == 200
    assert Client(headers={"host": "localhost"}).get(path).status_code == 302


def test_my_usage_shows_nobody_elses_calls_whatever_is_asked(owner: User, member: User) -> None:
    mine, other = spent(TODAY, 3 * 10**9, user=member.pk), spent(TODAY, 5 * 10**9, user=owner.pk)
    client = signed_in(member)
    for query in ({}, {"person": str(owner.pk)}, {"by": "day"}, {"outcome": "completed"}):
        found = report(client, "/usage/", **query)
        assert found.total == 3
        assert found.rows == [Decimal(3)]
        assert sum(Decimal(row["usd"]) for row in file(client, "/usage.csv", **query)) == 3
    listed = page(client, f"/usage/calls/?person={owner.pk}")
    assert str(mine.call_id) in listed
    assert str(other.call_id) not in listed
    assert client.get(f"/usage/calls/{mine.call_id}/").status_code == 200
    assert client.get(f"/usage/calls/{other.call_id}/").status_code == 404
    assert client.get("/usage/", {"by": "person"}).status_code == 422


def test_a_call_that_is_not_there_is_not_found(owner: User) -> None:
    client = signed_in(owner)
    for path in (f"/manage/usage/calls/{uuid7()}/", f"/usage/calls/{uuid7()}/"):
        assert client.get(path).status_code == 404
    assert client.get("/manage/usage/calls/?after=nonsense").status_code == 404


# Empty and wrong


def test_empty_pages_say_what_belongs_there(owner: User) -> None:
    client = signed_in(owner)
    assert "Nothing was used yet" in page(client, "/manage/overview/")
    assert "No calls in this time" in page(client, "/manage/usage/")
    assert "No calls in this time" in page(client, "/usage/")
    assert "Nothing was used between these days" in page(client, "/usage/calls/")
    assert file(client, "/manage/usage.csv") == []
    assert "No calls fit" in page(client, "/manage/usage/?purpose=nothing")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"period": "century"}, "Period: Select a valid choice"),
        ({"period": "own"}, "Name the first and the last day."),
        (
            {"period": "own", "from": "2026-11-02", "to": "2026-11-01"},
            "The last day is before the first one.",
        ),
        ({"period": "own", "from": "2025-01-01", "to": "2026-06-01"}, "more than 92 days"),
        ({"period": "own", "from": "0001-01-01", "to": "0001-01-02"}, "no usage in those years"),
        ({"period": "own", "from": "9999-12-30", "to": "9999-12-31"}, "no usage in those years"),
        ({"period": "own", "from": "yesterday", "to": "2026-11-01"}, "From: Enter a valid date."),
        ({"person": "x' OR 1=1"}, "Person: Enter a valid UUID."),
        ({"outcome": "splendid"}, "Outcome: Select a valid choice"),
        ({"by": "password"}, "By: Select a valid choice"),
        ({"model": "a\x00b"}, "Model: Null characters are not allowed."),
    ],
)
def test_what_is_wrong_in_the_address_is_said_and_no_number_shown(
    owner: User, query: dict[str, str], said: str
) -> None:
    spent(TODAY, 10**9)
    client = signed_in(owner)
    for path in ("/manage/usage/", "/manage/usage.csv", "/manage/usage/calls/"):
        if path.endswith(".csv") and "days" in said:
            continue  # a file may have more
        response = client.get(path, query)
        assert response.status_code == 422
        text = html.unescape(response.content.decode())
        assert said in text
        assert "$1" not in text


def test_a_file_may_have_more_days_than_a_page_and_is_offered(owner: User) -> None:
    spent(TODAY - timedelta(days=300), 10**9)
    client = signed_in(owner)
    query = {"period": "own", "from": "2025-11-21", "to": "2026-11-20"}
    refused = client.get("/manage/usage/", query)
    assert refused.status_code == 422
    assert "CSV of these days" in refused.content.decode()
    assert [row["usd"] for row in file(client, "/manage/usage.csv", **query)] == ["1.000000000"]
    assert client.get("/manage/usage.csv", query | {"from": "2025-11-19"}).status_code == 422


# Numbers


PEOPLE, TEAMS, TOKENS = ([uuid7() for _ in range(3)] for _ in range(3))
ROW = st.fixed_dictionaries(
    {
        "day": st.integers(0, 40).map(lambda back: TODAY - timedelta(days=back)),
        "cost_nano": st.integers(0, 10**11),
        "user": st.sampled_from(PEOPLE),
        "team": st.sampled_from([None, *TEAMS]),
        "token": st.sampled_from([None, *TOKENS]),
        "provider": st.sampled_from(["anthropic", "openai"]),
        "purpose": st.sampled_from(["chat", "title"]),
        "outcome": st.sampled_from(["completed", "failed", "stopped"]),
        "input_tokens": st.integers(0, 10**6),
    }
)
GROUPS = st.sampled_from(["day", "person", "team", "token", "provider", "model", "purpose", "key"])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ROW, min_size=1, max_size=8),
    by=GROUPS,
    then=st.one_of(st.just(""), GROUPS),
    wanted=st.fixed_dictionaries(
        {
            "person": st.sampled_from(["", *PEOPLE]),
            "team": st.sampled_from(["", *TEAMS]),
            "provider": st.sampled_from(["", "openai"]),
            "purpose": st.sampled_from(["", "chat"]),
            "outcome": st.sampled_from(["", "completed", "stopped"]),
        }
    ),
    days=st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted),
)
def test_page_file_and_list_have_the_sum_of_the_rows(
    owner: User, rows: list[dict[str, Any]], by: str, then: str, wanted: dict[str, Any], days: list[int]
) -> None:
    mark = f"example-{uuid7()}"  # each example has a model of its own, and so its own part of the ledger
    ledger = [spent(**row, model_asked=mark) for row in rows]
    first, last = TODAY - timedelta(days=days[1]), TODAY - timedelta(days=days[0])
    provider = wanted["provider"] or "anthropic"
    fields = {"person": "user"}
    meant = [
        one
        for one in ledger
        if first <= one.day <= last
        and one.provider == provider
        and all(not value or getattr(one, fields.get(name, name)) == value for name, value in wanted.items())
    ]
    query = {name: str(value) for name, value in wanted.items() if value} | {
        "period": "own",
        "from": str(first),
        "to": str(last),
        "by": by,
        "then": then,
        "model": f"{provider}/{mark}",
    }
    client = signed_in(owner)
    told = file(client, "/manage/usage.csv", **query)
    assert sum(Decimal(row["usd"]) for row in told) == dollars(meant)
    expected = figures(meant)
    assert sum(int(row["calls"]) for row in told) == expected["calls"]
    assert sum(int(row["input"]) for row in told) == expected["input"]
    if not meant:
        assert "No calls fit" in page(client, f"/manage/usage/?{_query(query)}")
        return
    found = report(client, "/manage/usage/", **query)
    assert found.total == dollars(meant) == sum(found.rows)
    listed = report(client, "/manage/usage/calls/", **query).text
    shown = [Decimal(one) for one in re.findall(r'<data value="([^"]+)"', listed)]
    assert shown[0] == sum(shown[1:]) == dollars(meant)
    assert set(re.findall(r"/manage/usage/calls/([0-9a-f-]{36})/", listed)) == {
        str(one.call_id) for one in meant
    }


def _query(values: dict[str, str]) -> str:
    return urlencode(values)


def test_a_number_opens_the_rows_that_it_stands_for(owner: User) -> None:
    one = spent(TODAY, 2 * 10**9, model_asked="claude-opus-5-5")
    spent(TODAY, 10**9)
    spent(TODAY, 10**9, model_asked="claude-opus-5-5", user=owner.pk)
    client = signed_in(owner)
    text = report(client, "/manage/usage/", by="model", then="person").text
    links = [html.unescape(link) for link in re.findall(r'href="(/manage/usage/calls/\?[^"]+)"', text)]
    mine = next(link for link in links if str(one.user) in link and "opus" in link)
    opened = page(client, mine)
    assert re.findall(r"/manage/usage/calls/([0-9a-f-]{36})/", opened) == [str(one.call_id)]
    assert "$2.00" in page(client, f"/manage/usage/calls/{one.call_id}/")


def test_more_groups_than_a_page_shows_are_one_line_and_the_sum_stays_whole(owner: User) -> None:
    for number in range(130):
        spent(TODAY, number + 1, model_asked=f"model-{number}")
    found = report(signed_in(owner), "/manage/usage/")
    assert "30 more, in the CSV" in found.text
    assert len(found.rows) == 101
    assert sum(found.rows) == found.total == Decimal(131 * 65) / 10**9
    assert len(file(signed_in(owner), "/manage/usage.csv")) == 130


def test_a_call_shows_its_attempts_and_corrections_and_their_sum(owner: User) -> None:
    call_id = uuid7()
    spent(TODAY, 0, call_id=call_id, outcome="failed", error="overloaded_error", source="reported")
    spent(TODAY, 700, call_id=call_id, attempt=2, outcome="stopped", source="estimated")
    spent(TODAY, -200, call_id=call_id, attempt=2, line=1, outcome="stopped", source="corrected")
    text = page(signed_in(owner), f"/manage/usage/calls/{call_id}/")
    assert "$0.000000500" in text
    assert "-$0.000000200" in text
    assert "Overloaded" in text
    assert 'class="tag">Estimated' not in text  # the correction settled it
    listed = page(signed_in(owner), "/manage/usage/calls/")
    assert "attempt 2, correction" in listed
    assert "1 call," in listed


# Names


def test_hostile_names_are_text_on_the_page_and_no_formula_in_the_file(owner: User, member: User) -> None:
    User.objects.filter(pk=member.pk).update(display_name=HOSTILE)
    team = Team.objects.create(name=FORMULA)
    token = AccessToken.objects.create(user=member, name="@SUM(A1)", prefix="pk", sha256="a" * 64)
    model = "\t+1\u202e<img src=x onerror=alert(1)>"
    made = spent(
        TODAY, 10**9, user=member.pk, team=team.pk, token=token.pk, model_asked=model, purpose="-2+3"
    )
    client = signed_in(owner)
    paths = ["/manage/overview/", "/manage/usage/calls/", f"/manage/usage/calls/{made.call_id}/"]
    paths += [f"/manage/usage/?by={by}" for by in ("person", "team", "token", "model", "purpose")]
    for path in paths:
        text = page(client, path)
        assert "<script>alert" not in text
        assert "<img" not in text
        assert " style=" not in text
    assert html.escape(HOSTILE) in page(client, "/manage/usage/?by=person")
    for by, said in (("team", f"'{FORMULA}"), ("token", "'@SUM(A1) (pk…)"), ("purpose", "'-2+3")):
        (row,) = file(client, "/manage/usage.csv", by=by)
        assert next(iter(row.values())) == said
        assert row["usd"] == "1.000000000"
    (row,) = file(client, "/manage/usage.csv", by="model")
    assert row["Model"].startswith("'\t+1")


def test_who_is_gone_is_called_removed_and_who_is_away_is_still_named(owner: User, member: User) -> None:
    User.objects.filter(pk=member.pk).update(is_active=False)
    gone, team, token = uuid7(), uuid7(), uuid7()
    spent(TODAY, 10**9, user=gone, team=team, token=token)
    spent(TODAY, 10**9, user=member.pk)
    client = signed_in(owner)
    people = page(client, "/manage/usage/?by=person&then=team")
    assert "Removed person" in people
    assert "Removed team" in people
    assert "Mo" in people
    assert "deactivated" in people
    assert "No team" in people
    assert "Removed token" in page(client, "/manage/usage/?by=token")
    assert "Removed person" in page(client, f"/manage/usage/?person={gone}")


# Queries


@pytest.mark.parametrize(
    ("path", "queries", "of_the_time"),  # PostgreSQL is asked for the time, for budgets
    [
        ("/manage/usage/?by=person&then=token", 19, 0),
        ("/manage/usage/calls/", 8, 0),
        ("/manage/overview/", 20, 1),
        ("/usage/", 15, 2),
    ],
)
def test_pages_ask_the_database_as_often_for_many_rows_as_for_few(
    owner: User, path: str, queries: int, of_the_time: int, django_assert_num_queries: Any
) -> None:
    client = signed_in(owner)
    if connection.vendor == "postgresql":
        queries += of_the_time
    Budget.objects.create(name="House", scope="organisation", limit=10**12, created_by=owner.pk)
    some_usage(owner, 1)
    client.get(path)  # what models there are is read once
    for _ in range(2):
        with django_assert_num_queries(queries):
            page(client, path)
        some_usage(owner, 30)


def some_usage(owner: User, people: int) -> None:
    """Calls of so many new people, with tokens and teams, and of the owner."""
    for number in range(people):
        person = User.objects.create(email=f"p{uuid7()}@example.org")
        digest = f"{uuid7().hex:0>64}"
        token = AccessToken.objects.create(user=person, name="t", prefix="t", sha256=digest)
        spent(TODAY - timedelta(days=number % 9), 5, user=person.pk, token=token.pk, team=uuid7())
        spent(TODAY, 5, user=owner.pk, token=token.pk, model_asked=f"m-{number}")


def test_days_are_the_organisations(owner: User) -> None:
    spent(date(2026, 10, 31), 10**9)
    spent(date(2026, 11, 1), 2 * 10**9)
    client = signed_in(owner)
    assert report(client, "/manage/usage/").total == 2
    assert report(client, "/manage/usage/", period="quarter").total == 3
    assert (
        report(client, "/manage/usage/", period="own", **{"from": "2026-10-31", "to": "2026-10-31"}).total
        == 1
    )
    assert "No calls in this time" in page(client, "/manage/usage/?period=week")
