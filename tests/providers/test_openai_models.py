"""Lists of models: OpenAI's, and those of servers that say more."""

from __future__ import annotations

from datetime import date

import pytest

from providers.access import ListedModel
from providers.openai_models import listed


def test_openai_says_only_the_id() -> None:
    assert listed({"id": "gpt-x", "object": "model", "owned_by": "system"}) == ListedModel("gpt-x", "gpt-x")


@pytest.mark.parametrize(
    "model", ["text-embedding-3-large", "whisper-1", "dall-e-3", "gpt-realtime", "tts-1"]
)
def test_what_one_cannot_talk_with_is_left_out(model: str) -> None:
    assert listed({"id": model, "owned_by": "system"}) is None
    assert listed({"id": model, "owned_by": "me"}) is not None


def test_openrouter_says_much() -> None:
    item = {
        "id": "maker/model",
        "name": "Maker: Model",
        "context_length": 262144,
        "architecture": {"input_modalities": ["text", "image", "file", "audio"]},
        "top_provider": {"context_length": 262144, "max_completion_tokens": 32768},
        "supported_parameters": ["tools", "stop", "structured_outputs", "temperature"],
        "expiration_date": "2027-01-31",
    }
    capabilities = frozenset({"tools", "stop_sequences", "structured_output", "vision", "pdf"})
    assert listed(item) == ListedModel(
        "maker/model",
        "Maker: Model",
        context=262144,
        max_output=32768,
        capabilities=capabilities,  # type: ignore[arg-type]
        retires_on=date(2027, 1, 31),
    )


@pytest.mark.parametrize(
    ("item", "tokens"),
    [
        ({"max_model_len": 8192}, 8192),
        ({"context_window": 131072, "max_completion_tokens": 8192}, 131072),
        ({"max_context_length": 4096}, 4096),
        ({"context_length": -1}, None),
        ({"context_length": True}, None),
        ({"context_length": "big"}, None),
        ({"context_length": 10**12}, None),
    ],
)
def test_sizes_under_several_names(item: dict[str, object], tokens: int | None) -> None:
    found = listed({"id": "m", **item})
    assert found is not None
    assert found.context == tokens


def test_mistral_says_what_a_model_can() -> None:
    item = {"id": "m", "capabilities": {"completion_chat": True, "function_calling": True, "vision": False}}
    found = listed(item)
    assert found is not None
    assert found.capabilities == frozenset({"tools"})


@pytest.mark.parametrize(
    "item",
    [
        {"id": "m", "supported_parameters": [1, None], "architecture": {"input_modalities": "image"}},
        {"id": "m", "expiration_date": "never", "top_provider": 3, "name": 4},
        {"id": "m", "expiration_date": 10**30},
    ],
)
def test_junk_beside_the_id_is_overlooked(item: dict[str, object]) -> None:
    found = listed(item)
    assert found is not None
    assert (found.id, found.display_name, found.retires_on) == ("m", "m", None)


@pytest.mark.parametrize("item", [{}, {"id": ""}, {"id": 3}])
def test_no_id_is_no_model(item: dict[str, object]) -> None:
    assert listed(item) is None
