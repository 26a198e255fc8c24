"""What Prometheus is told, and who may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from providers.access import Secret
from tests.chat.conftest import CLAUDE
from tests.chat.conftest import owner as owner
from tests.chat.conftest import server as server
from tests.chat.conftest import sign_in as sign_in
from tests.chat.conftest import vendor as vendor
from tests.chat.conftest import visitor as visitor
from tests.live import LiveServer, Visitor

Figures = dict[str, dict[tuple[tuple[str, str], ...], float]]
CANARY = "canary of a question 77ab"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def read(answer: httpx.Response) -> Figures:
    assert answer.status_code == 200, answer.text[:500]
    found: Figures = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(figures: Figures, name: str, **labels: str) -> float:
    return figures.get(name, {}).get(tuple(sorted(labels.items())), 0.0)


def answered(visitor: Visitor, text: str = "Hello.") -> None:
    """One answer of the scripted model, to its end."""
    conversation, _turns = visitor.start(text, CLAUDE)
    with visitor.listen(conversation) as page:
        while visitor.turns(conversation)[-1].status in {"queued", "running"}:
            page.hear_until("finished")
            break


def test_an_answer_is_counted_with_its_tokens_and_times(http: httpx.Client, visitor: Visitor) -> None:
    model = {"provider": "anthropic", "model": CLAUDE.partition("/")[2]}
    before = read(http.get("/metrics"))
    answered(visitor)
    after = read(http.get("/metrics"))

    def grew(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grew("parley_attempts_total", outcome="completed", error="", **model) >= 1
    assert grew("parley_tokens_total", kind="output", **model) > 0
    assert grew("parley_cost_dollars_total", **model) > 0
    assert grew("parley_time_to_first_token_seconds_count", **model) >= 1
    assert grew("parley_attempt_seconds_count", **model) >= 1
    assert value(after, "parley_journal_rows_total") > 0
    assert value(after, "parley_journal_bytes_total") > 100
    assert grew("parley_commit_seconds_count", writer="journal") >= 1
    assert grew("parley_commit_seconds_count", writer="money") >= 2
    assert value(after, "parley_breakers", provider="anthropic", state="closed") == 1
    assert value(after, "parley_breakers", provider="anthropic", state="open") == 0


def test_an_open_page_and_a_live_answer_are_seen(http: httpx.Client, visitor: Visitor) -> None:
    endless = '[[simulate {"deltas": -1, "rate": 20}]]'
    conversation, turns = visitor.start(f"Go on.\n{endless}", CLAUDE)
    with visitor.listen(conversation) as page:
        page.hear_until("events")
        figures = read(http.get("/metrics"))
        assert value(figures, "parley_live_runs") == 1
        assert value(figures, "parley_sockets") == 1
        assert value(figures, "parley_followers") == 1
        assert value(figures, "parley_open_calls") == 1
        page.say(type="stop", message=turns[-1].id)
        page.hear_until("finished")


def test_nothing_that_people_write_is_told(http: httpx.Client, visitor: Visitor, owner: User) -> None:
    answered(visitor, CANARY)
    text = http.get("/metrics").text
    assert "canary" not in text
    assert owner.email not in text
    assert "sk-ant" not in text


def test_a_token_is_asked_of_everybody_when_there_is_one(http: httpx.Client, settings: Any) -> None:
    settings.METRICS_TOKEN = Secret("a-long-token-for-prometheus")
    assert (
        http.get("/metrics", headers={"Authorization": "Bearer a-long-token-for-prometheus"}).status_code
        == 200
    )
    for wrong in (
        {},
        {"Authorization": "Bearer a-long-token"},
        {"Authorization": "Basic a-long-token-for-prometheus"},
        {"Authorization": "Bearer a-long-token-for-prometheus\xe9"},
    ):
        headers = {name: text.encode("latin-1") for name, text in wrong.items()}
        refused = http.get("/metrics", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert "parley_" not in refused.text


def test_with_a_token_any_host_name_will_do(http: httpx.Client, settings: Any) -> None:
    settings.METRICS_TOKEN = Secret("a-long-token-for-prometheus")
    headers = {"Authorization": "bearer a-long-token-for-prometheus", "Host": "10.1.2.3:8000"}
    assert http.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "chat.example.org"},  # a name that another page's script could point at this machine
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"X-Real-IP": "203.0.113.9"},
        {"Via": "1.1 proxy"},
    ],
)
def test_without_a_token_only_this_machine_may_ask_and_through_no_proxy(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    assert http.get("/metrics").status_code == 200
    refused = http.get("/metrics", headers=headers)
    assert refused.status_code == 403
    assert "PARLEY_METRICS_TOKEN" in refused.text


def test_scrapes_are_get_and_head_alone(http: httpx.Client) -> None:
    head = http.head("/metrics")
    assert (head.status_code, head.content) == (200, b"")
    assert http.post("/metrics").status_code == 405
    assert head.headers["Cache-Control"] == "no-store"


def test_openmetrics_is_spoken_to_those_who_ask_for_it(http: httpx.Client) -> None:
    answer = http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


def test_a_scrape_asks_no_database(
    http: httpx.Client, visitor: Visitor, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    with django_assert_max_num_queries(0):
        assert http.get("/metrics").status_code == 200
