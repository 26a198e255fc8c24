"""Where the vendor's cache is told to remember."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from providers.caching import MOST, place
from providers.catalogue import ModelSpec, catalogue

LONG = "A sentence of some length. " * 400
CACHING = next(model for model in catalogue().models if "caching" in model.capabilities)
PLAIN = msgspec.structs.replace(CACHING, capabilities=CACHING.capabilities - {"caching"})


def text(words: str = LONG) -> dict[str, Any]:
    return {"type": "text", "text": words}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def a_body(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 10, **fields, "messages": list(messages)}


def marked(value: Any, path: str = "") -> list[str]:
    """The places of all markers."""
    if isinstance(value, dict):
        here = [path] if "cache_control" in value else []
        return here + [place for key, inner in value.items() for place in marked(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [place for at, inner in enumerate(value) for place in marked(inner, f"{path}[{at}]")]
    return []


def places(body: dict[str, Any], spec: ModelSpec = CACHING) -> list[str]:
    return marked(place(body, spec))


TOOLS = [
    {"name": "a", "input_schema": {}},
    {"name": "b", "input_schema": {}},
    {"name": "later", "input_schema": {}, "defer_loading": True},
]


def test_tools_system_the_last_question_and_the_one_before_are_marked() -> None:
    body = a_body(user(text()), assistant(text("Yes.")), user(text("So?")), tools=TOOLS, system="Be brief.")
    assert places(body) == [
        ".tools[1]",
        ".system[0]",
        ".messages[0].content[0]",
        ".messages[2].content[0]",
    ]
    assert len(places(body)) == MOST


def test_a_text_that_is_no_list_becomes_one() -> None:
    placed = place(a_body({"role": "user", "content": LONG}, system="Be brief."), CACHING)
    assert placed["system"] == [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert placed["messages"][0]["content"][0]["text"] == LONG


def test_a_long_tool_turn_finds_what_the_request_before_it_kept() -> None:
    """The request before ended with the question: its last marker is among this one's, however far back."""
    question = user(text("Look everywhere."))
    work = [
        block
        for n in range(30)
        for block in (
            {"type": "server_tool_use", "id": f"s{n}", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": f"s{n}", "content": []},
        )
    ]
    before = places(a_body(user(text()), assistant(text("Yes.")), question))
    after = places(
        a_body(user(text()), assistant(text("Yes.")), question, assistant(*work), user(text("So?")))
    )
    assert before[-1] in after
    paused = places(a_body(user(text()), assistant(text("Yes.")), question, assistant(*work)))
    assert before[-1] in paused
    assert paused[-1] == ".messages[3].content[59]"


def test_thinking_and_empty_texts_are_never_marked() -> None:
    thinking = {"type": "thinking", "thinking": LONG, "signature": "s"}
    body = a_body(user(text()), assistant(text("Yes."), thinking, text(" "), {"type": "unheard_of"}))
    assert places(body) == [".messages[0].content[0]", ".messages[1].content[0]"]


@pytest.mark.parametrize("where", ["system", "tools", "messages", "top"])
def test_a_callers_own_markers_are_left_alone(where: str) -> None:
    marker = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = a_body(user(text()), system=[text()], tools=copy.deepcopy(TOOLS[:2]))
    match where:
        case "system":
            body["system"][0] |= marker
        case "tools":
            body["tools"][0] |= marker
        case "messages":
            body["messages"][0]["content"][0] |= marker
        case "top":
            body |= marker
    assert place(body, CACHING) is body


def test_a_field_of_that_name_in_a_tools_schema_is_no_marker() -> None:
    tool = {"name": "a", "input_schema": {"properties": {"cache_control": {"type": "string"}}}}
    assert ".tools[0]" in places(a_body(user(text()), tools=[tool]))


def test_a_prompt_that_is_surely_too_short_is_left_alone() -> None:
    least = msgspec.structs.replace(CACHING, min_cache_tokens=1024)
    short = a_body(user(text("x" * 1000)), system="Be brief.")
    assert place(short, least) is short
    assert places(a_body(user(text("x" * 3000))), least)
    image = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    assert places(a_body(user(image)), least), "an image may be long"


def test_a_model_that_does_not_cache_gets_no_markers() -> None:
    body = a_body(user(text()))
    assert place(body, PLAIN) is body


def test_what_is_given_is_not_changed() -> None:
    body = a_body(user(text()), assistant(text("Yes.")), user(text("So?")), tools=TOOLS, system=[text()])
    before = copy.deepcopy(body)
    place(body, CACHING)
    assert body == before


def test_nothing_to_mark_is_no_trouble() -> None:
    for body in (a_body(), a_body(user()), a_body({"role": "user"}), a_body(user(5)), a_body(system=[])):
        assert marked(place({**body, "metadata": {"x": LONG}}, CACHING)) == []
