"""Every recorded request to Anthropic, said to OpenAI: the SDK's types take it, or we refuse it in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

from providers.catalogue import ModelSpec
from providers.errors import InvalidRequest, Unsupported
from providers.openai_dialect import Dialect
from providers.openai_request import Names
from providers.openai_request_chat import chat_body
from providers.openai_request_responses import counting_body, responses_body
from providers.types import Json, MessageRequest
from tests.corpus import CORPUS, needs_corpus
from tests.openai_types import must_accept
from tests.providers.openai_specs import spec_of

FIELDS = {field.name for field in fields(MessageRequest)} - {"extra"}
NOT_OF_THE_API = {"anthropic_version", "stream"}
DIALECTS = {
    "openai": Dialect(account="org"),
    "compatible": Dialect(official=False, system_role="system", max_tokens_field="max_tokens"),
}


def recorded() -> list[str]:
    suffix = ".request.json"
    found = CORPUS.glob(f"anthropic-*{suffix}")
    return sorted(path.name.removesuffix(suffix) for path in found)


def request_of(name: str) -> MessageRequest:
    body: Json = json.loads((CORPUS / f"{name}.request.json").read_text("utf-8"))
    known = {key: value for key, value in body.items() if key in FIELDS}
    extra = {key: value for key, value in body.items() if key not in FIELDS | NOT_OF_THE_API}
    facts: Json = {"model": "gpt", "messages": [], "max_tokens": 64}
    return MessageRequest(**facts | known, extra=extra)


Write = Callable[[MessageRequest, ModelSpec | None, Dialect], Json]
WRITERS: dict[str, Write] = {
    "chat": lambda request, spec, dialect: chat_body(request, spec, dialect, Names()),
    "responses": lambda request, spec, dialect: responses_body(request, spec, dialect, Names()),
    "input_tokens": counting_body,
}


@pytest.mark.parametrize("known", [False, True], ids=["unknown model", "known model"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("place", WRITERS)
@pytest.mark.parametrize("name", recorded())
def test_the_sdks_types_take_the_body(name: str, place: str, dialect: str, known: bool) -> None:
    spec = spec_of(api="responses", efforts=("low", "medium", "high"), capabilities=("web_search",))
    try:
        body = WRITERS[place](request_of(name), spec if known else None, DIALECTS[dialect])
    except (Unsupported, InvalidRequest) as refusal:
        assert refusal.sent is False
        assert refusal.safe_message.endswith(".")
        assert len(refusal.safe_message) > 20
    else:
        must_accept(place, body)


@needs_corpus
def test_most_recorded_requests_can_be_said() -> None:
    said = 0
    for name in recorded():
        try:
            chat_body(request_of(name), None, DIALECTS["openai"], Names())
        except InvalidRequest:
            continue
        said += 1
    assert said > len(recorded()) / 2


def test_the_judge_refuses_what_no_type_names() -> None:
    body: dict[str, Any] = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "?"}]}
    must_accept("chat", body)
    for wrong in (
        body | {"thinking": {}},
        body | {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
        body | {"messages": [{"role": "user", "content": "?", "cache_control": {}}]},
    ):
        with pytest.raises(ValidationError):
            must_accept("chat", wrong)
