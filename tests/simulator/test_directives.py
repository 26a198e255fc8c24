"""Scripted answers: what a directive says is what comes."""

import math
from pathlib import Path

import msgspec
import pytest

from providers.fold import fold
from providers.simulator.script import PRESETS, Directive
from tests.simulator.conftest import Caller, directive, joined_text


def test_every_field_and_preset_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text("utf-8")
    names = [*Directive.__struct_fields__, *PRESETS]
    assert [name for name in names if f"`{name}`" not in page and f"`{name}:" not in page] == []


def test_every_preset_is_a_directive() -> None:
    for preset in PRESETS.values():
        msgspec.convert(preset, Directive)


async def test_a_text_comes_in_the_wanted_number_of_deltas(caller: Caller) -> None:
    events = await caller.events(directive(text="abcdefghij", deltas=4))
    deltas = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == ["ab", "cde", "fg", "hij"]


async def test_deltas_without_text_are_numbered_words(caller: Caller) -> None:
    assert joined_text(await caller.events(directive(deltas=3))) == "w0 w1 w2 "


async def test_an_empty_text_is_an_empty_block(caller: Caller) -> None:
    assert fold(await caller.events(directive(text="")))["content"] == [{"type": "text", "text": ""}]


async def test_stamps_are_times_of_sending_and_rise(caller: Caller) -> None:
    stamps = [
        int(word) for word in joined_text(await caller.events(directive(deltas=20, stamp=True))).split()
    ]
    assert len(stamps) == 20 and stamps == sorted(stamps)


async def test_the_message_says_what_the_directive_says(caller: Caller) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    message = fold(
        await caller.events(directive(model="claude-other", stop_reason="refusal", stop_details=details))
    )
    assert (message["model"], message["stop_reason"]) == ("claude-other", "refusal")
    assert message["stop_details"] == details


async def test_a_tool_input_may_be_broken_json(caller: Caller) -> None:
    events = await caller.events(directive(tool_use={"partial_json": '{"q": "un'}))
    parts = [event["delta"].get("partial_json", "") for event in events if "delta" in event]
    assert "".join(parts) == '{"q": "un'


@pytest.mark.parametrize(
    ("usage", "output", "present"),
    [
        ("negative", -7, True),
        ("text", "12 tokens", True),
        ("huge", 10**18, True),
        ("null", None, True),
        ({"output_tokens": 5, "cache_read_input_tokens": 900}, 5, True),
        ("missing", None, False),
    ],
)
async def test_usage_can_be_wrong(caller: Caller, usage: object, output: object, present: bool) -> None:
    events = await caller.events(directive(usage=usage))
    last = next(event for event in events if event["type"] == "message_delta")
    assert ("usage" in last) is present and ("usage" in events[0]["message"]) is present
    assert last.get("usage", {}).get("output_tokens") == output
    whole = await caller.whole(directive(usage=usage))
    assert whole.get("usage", {}).get("output_tokens") == output


async def test_usage_can_be_no_number_at_all(caller: Caller) -> None:
    events = await caller.events(directive(usage="nan"))
    assert math.isnan(events[0]["message"]["usage"]["input_tokens"])


async def test_cumulative_usage_can_come_several_times(caller: Caller) -> None:
    events = await caller.events(directive(usage_repeats=3))
    assert [event["type"] for event in events][-4:] == ["message_delta"] * 3 + ["message_stop"]


async def test_a_status_comes_with_type_details_and_headers(caller: Caller) -> None:
    answer = await caller.ask(
        directive(status=429, headers={"retry-after": "7"}, details={"error_code": "ramp_limit_exceeded"})
    )
    assert answer.status_code == 429 and answer.headers["retry-after"] == "7"
    error = answer.json()["error"]
    assert error["type"] == "rate_limit_error" and error["details"] == {"error_code": "ramp_limit_exceeded"}


async def test_a_status_may_carry_any_type_and_any_body(caller: Caller) -> None:
    typed = await caller.ask(directive(status=400, error="billing_error", message="Pay first."))
    assert typed.json()["error"] == {"type": "billing_error", "message": "Pay first."}
    page = await caller.ask(directive(status=502, body="<h1>Bad gateway</h1>"))
    assert (page.status_code, page.text) == (502, "<h1>Bad gateway</h1>")


async def test_failures_can_be_limited_to_the_first_requests(caller: Caller) -> None:
    prompt = directive(status=529, times=2, then={"text": "at last"})
    answers = [await caller.ask(prompt) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [529, 529, 200]
    assert "at last" in answers[2].text


async def test_an_id_counts_apart_and_a_reset_forgets(caller: Caller) -> None:
    def ask(name: str) -> str:
        return directive(status=500, times=1, id=name)

    statuses = [(await caller.ask(ask(name))).status_code for name in ("a", "b", "a")]
    await caller.http.delete("/_simulator/stats")
    statuses.append((await caller.ask(ask("a"))).status_code)
    assert statuses == [500, 500, 200, 500]


async def test_a_redirect_points_elsewhere(caller: Caller) -> None:
    answer = await caller.ask(directive(redirect="http://127.0.0.1:9/elsewhere"))
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:9/elsewhere")


async def test_an_error_can_echo_the_callers_key(caller: Caller) -> None:
    body = caller.body(directive(key_echo=True))
    answer = await caller.http.post("/v1/messages", json=body, headers={"x-api-key": "sk-ant-secret-0001"})
    assert answer.status_code == 401 and "sk-ant-secret-0001" in answer.json()["error"]["message"]


async def test_steps_follow_the_rounds_of_a_tool_loop(caller: Caller) -> None:
    first = directive(steps=[{"tool_use": {"id": "toolu_1"}}, {"text": "It is 42."}])
    messages: list[dict[str, object]] = [{"role": "user", "content": first}]
    call = await caller.whole("", messages=messages)
    assert call["stop_reason"] == "tool_use"
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}
    messages += [{"role": "assistant", "content": call["content"]}, {"role": "user", "content": [result]}]
    assert (await caller.whole("", messages=messages))["content"] == [{"type": "text", "text": "It is 42."}]


@pytest.mark.parametrize(
    ("model", "text"),
    [("sim-text", "A short scripted answer."), ("sim?deltas=2", "w0 w1 "), ("sim?text=Hi", "Hi")],
)
async def test_a_model_id_carries_a_directive(caller: Caller, model: str, text: str) -> None:
    message = fold(await caller.events("Any question", model=model))
    assert (message["model"], message["content"][0]["text"]) == (model, text)


async def test_the_prompt_outweighs_the_model_id(caller: Caller) -> None:
    message = await caller.whole(directive(text="from the prompt"), model="sim?text=Hi")
    assert message["content"][0]["text"] == "from the prompt"


async def test_only_the_last_message_of_a_person_is_obeyed(caller: Caller) -> None:
    messages = [
        {"role": "user", "content": directive(status=500)},
        {"role": "assistant", "content": "Sorry."},
        {"role": "user", "content": "And now a quotation"},
    ]
    message = await caller.whole("", messages=messages)
    assert "## A quotation" in message["content"][0]["text"]


async def test_a_title_is_not_disturbed_by_the_directive(caller: Caller) -> None:
    system = "Write a title for this conversation."
    plain = directive("Where is the station?", status=500, times=1)
    assert (await caller.whole(plain, system=system))["content"][0]["text"] == "Where is the station"
    assert (await caller.ask(plain)).status_code == 500
    given = directive("Where?", title="The station", status=500)
    assert (await caller.whole(given, system=system))["content"][0]["text"] == "The station"
    cut = (await caller.whole(plain[:-9], system=system))["content"][0]["text"]
    assert cut == "Where is the station"
    failing = directive("Where?", title={"status": 529})
    assert (await caller.ask(failing, system=system)).status_code == 529


async def test_a_topic_of_the_demo_can_be_named(caller: Caller) -> None:
    message = fold(await caller.events(directive("Hello", demo="math")))
    assert "## Mathematics" in message["content"][0]["text"]


async def test_last_requests_are_shown_with_masked_keys(caller: Caller) -> None:
    key = "sk-ant-api03-very-secret-abcd"
    body = caller.body(directive(text="x"))
    await caller.http.post("/v1/messages?beta=true", json=body, headers={"x-api-key": key})
    stats = await caller.stats()
    request = stats["recent"][-1]
    assert (request["method"], request["path"], request["query"]) == ("POST", "/v1/messages", "beta=true")
    assert request["headers"]["x-api-key"] == "***abcd"
    assert "simulate" in request["body"]
    assert key not in str(stats)
