"""What sending would cost: the figures that a page gets, held against what is then held and billed."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.ids import uuid7
from accounts.models import User
from chat import transcript
from chat.models import Conversation, Message, Run
from providers import catalogue
from providers.catalogue import ModelSpec
from providers.simulator.server import ThreadServer
from providers.types import Usage
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.live import Visitor
from tests.usage.lines import line
from usage.budgets.demands import LEAST_SAMPLE, usual_output
from usage.models import Hold, LedgerLine
from usage.prices.pricing import Rates, Tariff, cost_nano, upper_bound_nano
from usage.templatetags.figures import usd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

OPUS, HAIKU = "anthropic/claude-opus-5-5", "anthropic/claude-haiku-5-5"
HOST = {"host": "localhost"}
VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "estimates.json").read_text("utf-8"))
LONG = "Tell me about the harbour. " * 300
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "sealed"}
PROMPT, WRITTEN, READ, OUTPUT = 120, 1_000, 40_000, 700  # tokens of the last call


@pytest.fixture
def signed_in(client: Client, owner: User, vendor: ThreadServer) -> Client:
    """The owner's browser."""
    usual_output.forget()
    client.force_login(owner)
    return client


def spec_of(ref: str) -> ModelSpec:
    found = catalogue.spec(ref)
    assert found is not None
    return found


def brought(client: Client, conversation: Any = None, model: str = CLAUDE, **query: str) -> str:
    path = f"/c/{getattr(conversation, 'id', conversation)}/estimate/" if conversation else "/c/estimate/"
    answer = client.get(path, {"model": model, **query}, headers=HOST)
    assert answer.status_code == 200
    return answer.content.decode()


def figures(client: Client, conversation: Any = None, model: str = CLAUDE, **query: str) -> Any:
    script = re.search(r"<script[^>]*>(.*?)</script>", brought(client, conversation, model, **query), re.S)
    assert script is not None
    return json.loads(script[1])


def most(found: dict[str, Any], text: int) -> int:
    """At most, for so many bytes of text, by the arithmetic of admission."""
    return upper_bound_nano(
        tariff_of(found),
        prompt_tokens=min(found["bound"] + -(-text * 2 // 5), found["context"]),
        max_tokens=found["longest"],
        cached=found["caches"],
        searches=found["searches"],
        context=found["context"],
    )


def likely(found: dict[str, Any], text: int, *, warm: bool) -> int:
    """The likely cost, by the prices that bills are made by."""
    prompt = min(found["prompt"] + -(-text * 2 // 7), found["context"])
    cached = min(found["cached"], prompt) if warm else 0
    fresh = "cache_creation_input_tokens" if found["caches"] and prompt >= 1024 else "input_tokens"
    usage = Usage(
        **{"cache_read_input_tokens": cached, "output_tokens": found["usual"], fresh: prompt - cached}
    )
    return cost_nano(usage, tariff_of(found))


def tariff_of(found: dict[str, Any]) -> Tariff:
    above = found["longContext"]
    return Tariff(
        rates=Rates(**found["rates"]),
        long_context_above=found["longContextAbove"],
        long_context=Rates(**above) if above else None,
        web_search_per_1000_nano=found["searchesNano"],
        source="test",
    )


@pytest.mark.parametrize("vector", VECTORS["estimates"], ids=lambda vector: vector["name"])
def test_the_page_computes_as_bills_and_admission_do(vector: dict[str, Any]) -> None:
    found, text = vector["figures"], vector["bytes"]
    assert vector["likely"]["nano"] == likely(found, text, warm=vector["warm"])
    assert vector["most"] == most(found, text)


def test_the_page_writes_amounts_as_the_server_does() -> None:
    assert [usd(nano) for nano, _text in VECTORS["amounts"]] == [text for _nano, text in VECTORS["amounts"]]


@pytest.mark.parametrize("search", [{}, {"web_search": "on"}], ids=["plain", "with searches"])
def test_at_most_is_what_is_held(signed_in: Client, visitor: Visitor, search: dict[str, str]) -> None:
    first, second = scripted(LONG, deltas=1), scripted("Wie hoch ist der Turm in Böen?", deltas=1)
    signed_in.get("/", headers=HOST)  # which is when the vendor is asked what its models read
    before = figures(signed_in, **search)
    conversation, _turns = visitor.start(first, CLAUDE, **search)
    finished(visitor, conversation)
    then = figures(signed_in, conversation, **search)
    visitor.send(conversation, second, CLAUDE, **search)
    finished(visitor, conversation)
    held = list(
        Hold.objects.filter(purpose="chat").order_by("opened_at").values_list("amount_nano", flat=True)
    )
    shown = [most(before, len(first.encode())), most(then, len(second.encode()))]
    assert [0 <= said - amount <= 100_000 for said, amount in zip(shown, held, strict=True)] == [True, True]


def test_what_was_counted_and_cached_is_taken_from_the_last_answer(
    signed_in: Client, visitor: Visitor
) -> None:
    new = figures(signed_in)
    assert (new["cached"], new["prompt"] < 50) == (0, True)
    conversation, _turns = visitor.start(scripted(LONG, deltas=3), CLAUDE)
    finished(visitor, conversation)
    line = LedgerLine.objects.get(purpose="chat")
    found = figures(signed_in, conversation)
    assert found["prompt"] == line.prompt_tokens + line.output_tokens
    assert found["cached"] == line.cache_read_input_tokens + line.cache_creation_input_tokens > 1024
    assert 0 < found["cachedFor"] <= 300_000
    told = likely(found, len("Go on."), warm=True)
    visitor.send(conversation, "Go on.", CLAUDE)
    finished(visitor, conversation)
    billed = LedgerLine.objects.filter(purpose="chat").latest("id")
    assert billed.cache_read_input_tokens == found["cached"]
    of_answer = (found["usual"] - billed.output_tokens) * found["rates"]["output"] // 1000
    assert abs(told - of_answer - billed.cost_nano) < billed.cost_nano // 5


def answered(
    owner: User, *, ago: float = 10, model: str = CLAUDE, thinking: bool = False, **fields: Any
) -> Conversation:
    """A conversation of one question and its answer, `ago` seconds old, as its run and the ledger have it."""
    conversation = Conversation.objects.create(owner=owner, title="T", model=model)
    question = Message.objects.create(
        conversation=conversation, role="user", author=owner, blocks_text='[{"type":"text","text":"Why?"}]'
    )
    blocks = [*([THOUGHT] if thinking else []), {"type": "text", "text": "So."}]
    answer = Message.objects.create(
        conversation=conversation,
        parent=question,
        role="assistant",
        model=model,
        blocks_text=json.dumps(blocks),
    )
    Conversation.objects.filter(id=conversation.id).update(head=answer)
    conversation.refresh_from_db()
    run = Run.objects.create(
        message=answer,
        conversation=conversation,
        status="completed",
        host="h",
        call_id=uuid7(),
        model_served=model,
        vendor_account="org-1",
        prefix_hash=transcript.asking([question], model, {}, spec_of(model)).prefix,
    )
    provider, _, name = model.partition("/")
    counts = {
        "input_tokens": PROMPT,
        "cache_creation_input_tokens": WRITTEN,
        "cache_read_input_tokens": READ,
        "output_tokens": OUTPUT,
        "cost_nano": 1,
    }
    facts = {"call_id": run.call_id, "run": run.id, "conversation": conversation.id, "user": owner.pk}
    line(ago=ago, provider=provider, model_asked=name, **{**counts, **facts, **fields})
    return conversation


@pytest.mark.parametrize(
    ("facts", "warm"),
    [
        ({}, True),
        ({"ago": 299}, True),
        ({"ago": 301}, False),
        ({"ago": 301, "cache_creation_1h": 1_000}, True),
        ({"ago": 3601, "cache_creation_1h": 1_000}, False),
        ({"credential_scope": "organisation"}, False),
        ({"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}, False),
    ],
    ids=["lately", "in time", "too late", "for an hour", "after an hour", "another key", "nothing kept"],
)
def test_a_cache_is_warm_for_its_time_and_its_key(
    signed_in: Client, owner: User, facts: dict[str, Any], warm: bool
) -> None:
    found = figures(signed_in, answered(owner, **facts))
    assert (found["cached"] > 0, found["cachedFor"] > 0) == (warm, warm)
    if warm:
        assert found["cached"] == READ + WRITTEN


def system(conversation: Conversation) -> dict[str, str]:
    Conversation.objects.filter(id=conversation.id).update(settings={"system": "Be brief."})
    return {}


def tools(conversation: Conversation) -> dict[str, str]:
    return {"web_search": "on"}


@pytest.mark.parametrize("change", [system, tools], ids=["system prompt", "tools"])
def test_a_change_at_the_beginning_makes_everything_new(
    signed_in: Client, owner: User, change: Callable[[Conversation], dict[str, str]]
) -> None:
    conversation = answered(owner)
    assert figures(signed_in, conversation)["prompt"] == PROMPT + WRITTEN + READ + OUTPUT
    found = figures(signed_in, conversation, **change(conversation))
    assert found["cached"] == 0
    assert found["prompt"] < 2_000, "what the vendor counted was another prompt"


def words(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", markup, flags=re.S)).split())


def test_switching_says_what_the_lost_cache_costs(signed_in: Client, owner: User) -> None:
    conversation = answered(owner)
    assert "Switching" not in brought(signed_in, conversation)
    said = words(brought(signed_in, conversation, OPUS))
    # 41,000 tokens written at Opus' $5 instead of read at Sonnet's $0.10 per million
    assert "Switching resends 41,000 tokens without cache: about $0.201 more." in said
    assert "Stay with" in said
    assert "thinking" not in said


# Written to Haiku's cache at $0.125 per million, the tokens cost less than read from that of Opus at $0.20.
@pytest.mark.parametrize(
    ("facts", "other"), [({"ago": 301}, OPUS), ({"model": OPUS}, HAIKU)], ids=["cold", "to a cheaper one"]
)
def test_nothing_is_said_where_nothing_is_lost(
    signed_in: Client, owner: User, facts: dict[str, Any], other: str
) -> None:
    conversation = answered(owner, **facts)
    found = figures(signed_in, conversation, other)
    assert (found["model"], found["cached"]) == (other, 0)
    assert "Switching" not in brought(signed_in, conversation, other)


def test_switching_says_that_thinking_is_left_behind(signed_in: Client, owner: User) -> None:
    conversation = answered(owner, ago=301, thinking=True)
    assert "Switching leaves earlier thinking out." in words(brought(signed_in, conversation, OPUS))


def test_the_usual_answer_is_the_middle_of_those_before(signed_in: Client, owner: User) -> None:
    assert figures(signed_in)["usualIsKnown"] is False
    for number in range(LEAST_SAMPLE):
        line(output_tokens=10 + number)
    usual_output.forget()
    found = figures(signed_in)
    assert (found["usual"], found["usualIsKnown"]) == (10 + LEAST_SAMPLE // 2 - 1, True)
    assert figures(signed_in, max_tokens="15")["usual"] == 15


def test_without_a_price_or_while_an_answer_is_written_there_is_none(signed_in: Client, owner: User) -> None:
    conversation = answered(owner)
    assert figures(signed_in, model="anthropic/nothing-like-this") is None
    assert figures(signed_in, model="") is None
    Message.objects.filter(role="assistant").update(status="running")
    assert figures(signed_in, conversation) is None


def test_only_its_owner_learns_anything(
    signed_in: Client, owner: User, stranger: User, server: Any, sign_in: Callable[[str], Visitor]
) -> None:
    conversation = answered(owner)
    paths = [f"/c/{conversation.id}/estimate/?model={CLAUDE}", f"/c/{conversation.id}/details/"]
    visits = {who: sign_in(who.email).http for who in (owner, stranger)}
    for path in paths:
        assert visits[owner].get(path).status_code == 200
        assert visits[stranger].get(path).status_code == 404
        assert Client().get(path, headers=HOST).status_code == 302


def test_it_takes_few_queries(
    signed_in: Client, owner: User, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    conversation = answered(owner, thinking=True)
    figures(signed_in, conversation)
    with django_assert_max_num_queries(13):
        figures(signed_in, conversation)
    with django_assert_max_num_queries(17):
        brought(signed_in, conversation, OPUS)
