"""What of a branch is sent to a model: whole turns, and nothing that a vendor refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chat import transcript
from chat.models import Message
from providers.anthropic_request import betas, body
from providers.catalogue import spec
from tests.corpus import anthropic_streams, needs_corpus
from tests.vendor_types import must_accept, without_unnamed

SONNET = spec("anthropic/claude-sonnet-5-5")


def asked(text: str) -> Message:
    return Message(role="user", blocks_text=json.dumps([{"type": "text", "text": text}]))


def answered(*blocks: dict[str, Any], status: str = "completed") -> Message:
    return Message(role="assistant", blocks_text=json.dumps(blocks), status=status)


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_turns_alternate_and_keep_their_blocks() -> None:
    path = [asked("One"), answered(text("Two")), asked("Three")]
    assert transcript.turns(path) == [
        {"role": "user", "content": [text("One")]},
        {"role": "assistant", "content": [text("Two")]},
        {"role": "user", "content": [text("Three")]},
    ]


def test_an_answer_without_content_joins_the_questions_around_it() -> None:
    path = [asked("One"), answered(text(" \n"), status="failed"), asked("Two")]
    assert transcript.turns(path) == [{"role": "user", "content": [text("One"), text("Two")]}]


def test_thinking_is_not_sent_back() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
    turns = transcript.turns([asked("One"), answered(thinking, text("Two")), asked("Three")])
    assert turns[1]["content"] == [text("Two")]


def test_a_cut_tool_call_gets_a_result_that_says_it_was_not_run() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    turns = transcript.turns([asked("One"), answered(text("Well"), call, status="stopped"), asked("Two")])
    assert turns[1]["content"] == [text("Well"), call]
    result, question = turns[2]["content"]
    assert (result["type"], result["tool_use_id"], result["is_error"]) == ("tool_result", "toolu_1", True)
    assert question == text("Two")


def test_the_vendors_own_tool_calls_are_sent_with_their_results_or_not_at_all() -> None:
    whole = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    cut = {"type": "server_tool_use", "id": "srvtoolu_2", "name": "web_search", "input": {}}
    turns = transcript.turns([asked("One"), answered(whole, result, text("So"), cut), asked("Two")])
    assert turns[1]["content"] == [whole, result, text("So")]


def test_unknown_blocks_travel_back_untouched() -> None:
    block = {"type": "unheard_of", "z": 1, "a": {"b": [None]}}
    turns = transcript.turns([asked("One"), answered(block), asked("Two")])
    assert json.dumps(turns[1]["content"][0]) == json.dumps(block)


def test_settings_become_the_fields_of_the_request() -> None:
    settings = {"system": "Be brief.", "max_tokens": 500}
    made = transcript.asking([asked("Hi")], "anthropic/x", settings, SONNET).request
    assert (made.system, made.max_tokens) == ("Be brief.", 500)


def test_max_tokens_stays_below_the_models_ceiling() -> None:
    assert SONNET is not None
    made = transcript.asking([asked("Hi")], "anthropic/x", {"max_tokens": 900_000}, SONNET)
    assert made.request.max_tokens == SONNET.max_output


def test_a_declined_answer_is_not_sent_back() -> None:
    declined = answered(text("I will"))
    declined.stop_reason = "refusal"
    turns = transcript.turns([asked("One"), declined, asked("Two")])
    assert turns == [{"role": "user", "content": [text("One"), text("Two")]}]


@needs_corpus
@pytest.mark.parametrize("thinking", [True, False], ids=["thinking", "no thinking"])
def test_a_branch_with_every_recorded_block_is_one_that_the_vendors_types_allow(thinking: bool) -> None:
    assert SONNET is not None
    settings = {"system": "Be brief.", "effort": "low", "web_search": True, "code_execution": True}
    for recording in anthropic_streams():
        answer = answered(*without_unnamed(recording.expected().get("content", [])))
        path = [asked("Why? " * 500), answer, asked("And then?")]
        made = transcript.asking(path, SONNET.ref, settings, SONNET).request
        request = replace(made, model=SONNET.id, messages=transcript.turns(path, thinking=thinking))
        must_accept(body(request, SONNET), beta=bool(betas(request)))
