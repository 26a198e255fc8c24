"""Every request that our adapter makes is one that the vendor's own types allow."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

from providers.anthropic_request import SAMPLING, VERSION, betas, body, counting_body, version
from providers.catalogue import ModelSpec, catalogue, spec
from providers.types import MessageRequest
from tests.corpus import CORPUS, needs_corpus
from tests.vendor_types import must_accept, must_accept_count, without_unnamed

FIELDS = {field.name for field in fields(MessageRequest)} - {"extra"}
# Not of the Messages API: another host's name for the version, and the SDK's switch for a stream.
ELSEWHERE = {"anthropic_version", "stream"}


def recorded(endpoint: str, suffix: str) -> list[str]:
    """Names of Anthropic's recordings that have a file of this kind."""
    index = CORPUS / "index.json"
    rows = json.loads(index.read_text("utf-8")) if index.is_file() else []
    names = [row["name"] for row in rows if row["provider"] == "anthropic" and row["endpoint"] == endpoint]
    return sorted(name for name in names if (CORPUS / f"{name}{suffix}").is_file())


def read(name: str, suffix: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((CORPUS / f"{name}{suffix}").read_text("utf-8"))
    return content


def rebuilt(recording: dict[str, Any]) -> MessageRequest:
    """The recorded body in our own words."""
    given = {"model": "claude-recorded"} | recording
    known = {name: value for name, value in given.items() if name in FIELDS}
    extra = {name: value for name, value in given.items() if name not in FIELDS | ELSEWHERE}
    return MessageRequest(**({"max_tokens": 100} | known), extra=extra)


def any_caching_model() -> ModelSpec:
    return next(model for model in catalogue().models if "caching" in model.capabilities)


def refused_by_vendor(name: str) -> bool:
    """The vendor refused the request for its shape."""
    path = CORPUS / f"{name}.error.json"
    if not path.is_file():
        return False
    return "expected shape" in json.loads(path.read_text("utf-8"))["body"]["error"]["message"]


@pytest.mark.parametrize("name", recorded("messages", ".request.json"))
@pytest.mark.parametrize("cached", [False, True], ids=["as it is", "with cache markers"])
def test_the_vendors_types_accept_the_body(name: str, cached: bool) -> None:
    recording = read(name, ".request.json")
    request = rebuilt(recording)
    made = body(request, any_caching_model() if cached else None)
    if refused_by_vendor(name):
        with pytest.raises(ValidationError):
            must_accept(made)
        return
    # The SDK's types are those of the current version, which has no sampling; the one before it has.
    sampling = [made.pop(name) for name in SAMPLING & made.keys()]
    assert (version(request, None) == VERSION) is not bool(sampling)
    must_accept(made, beta=bool(betas(request)))
    if not cached:
        assert made["messages"] == recording["messages"], "what was recorded needs no mending"


@pytest.mark.parametrize("name", recorded("count_tokens", ".request.json"))
def test_the_vendors_types_accept_what_is_counted(name: str) -> None:
    made = counting_body(rebuilt(read(name, ".request.json")))
    assert made is not None
    must_accept_count(made)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        (name, suffix)
        for suffix in (".expected.json", ".response.json")
        for name in recorded("messages", suffix)
    ],
)
def test_the_vendors_types_accept_every_recorded_answer_in_the_next_request(name: str, suffix: str) -> None:
    answer = without_unnamed(read(name, suffix))
    question = {"role": "user", "content": "Why?"}
    content = answer.get("content") or []
    if not content:
        pytest.skip("an answer without content is not sent back")
    request = MessageRequest(
        model="claude-recorded",
        max_tokens=100,
        messages=[question, {"role": "assistant", "content": content}, question],
    )
    must_accept(body(request, any_caching_model()), beta=bool(betas(request)))


@needs_corpus
def test_there_are_recordings_of_many_requests() -> None:
    assert len(recorded("messages", ".request.json")) > 50


def test_an_unknown_field_is_not_accepted() -> None:
    made = body(rebuilt({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}), None)
    must_accept(made)
    made["messages"][0]["content"][0]["colour"] = "red"
    with pytest.raises(ValidationError):
        must_accept(made)


def test_a_full_request_with_markers_is_accepted() -> None:
    model = spec("anthropic/claude-sonnet-5-5")
    request = MessageRequest(
        model="claude-sonnet-5-5",
        max_tokens=1_000_000,
        messages=[
            {"role": "user", "content": "Long. " * 1000},
            {"role": "assistant", "content": [{"type": "text", "text": "Yes.", "citations": None}]},
            {"role": "user", "content": [{"type": "text", "text": "And?"}]},
        ],
        system="Be brief.",
        thinking={"type": "adaptive", "display": "summarized"},
        output_config={"effort": "low"},
        tools=[
            {"name": "look", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
        ],
        tool_choice={"type": "auto"},
        stop_sequences=["END"],
        metadata={"user_id": "somebody"},
    )
    made = body(request, model)
    must_accept(made)
    assert model is not None
    assert made["max_tokens"] == model.max_output
    assert json.dumps(made).count('"cache_control"') == 4
