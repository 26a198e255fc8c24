"""The vendor's list of models: what it says is taken, what it does not say is left unsaid."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from providers.anthropic_models import listed
from providers.catalogue import Thinking

YES, NO = {"supported": True}, {"supported": False}


def item(**fields: Any) -> dict[str, Any]:
    return {"type": "model", "id": "claude-new", "display_name": "Claude New", **fields}


CAPABILITIES = {
    "batch": YES,
    "citations": YES,
    "code_execution": YES,
    "image_input": YES,
    "pdf_input": NO,
    "structured_outputs": YES,
    "thinking": {
        "supported": True,
        "types": {"adaptive": YES, "enabled": NO, "disabled": YES, "between_tools": NO, "new": YES},
    },
    "effort": {"supported": True, "low": YES, "medium": YES, "high": YES, "xhigh": NO, "max": YES},
    "server_tools": {"supported": True, "web_search": YES, "code_execution": NO},
}


def test_a_model_that_tells_all() -> None:
    found = listed(
        item(
            max_input_tokens=1_000_000,
            max_tokens=128_000,
            deprecated_at="2026-10-01T00:00:00Z",
            retires_at="2027-01-15T08:00:00Z",
            capabilities=CAPABILITIES,
        )
    )
    assert (found.id, found.display_name, found.api) == ("claude-new", "Claude New", "messages")
    assert (found.context, found.max_output) == (1_000_000, 128_000)
    assert (found.deprecated_on, found.retires_on) == (date(2026, 10, 1), date(2027, 1, 15))
    assert found.efforts == ("low", "medium", "high", "max")
    assert found.thinking == Thinking(kinds=("adaptive", "disabled"), displays=("summarized", "omitted"))
    assert found.capabilities is not None
    assert {"vision", "citations", "structured_output", "web_search", "tools"} <= found.capabilities
    assert not {"pdf", "code_execution", "prefill", "forced_tools"} & found.capabilities


def test_a_model_that_tells_nothing() -> None:
    found = listed({"id": "claude-quiet"})
    assert found.display_name == "claude-quiet"
    assert (found.context, found.capabilities, found.efforts, found.thinking) == (None,) * 4


def test_a_model_that_neither_thinks_nor_tries() -> None:
    found = listed(item(capabilities={"thinking": {"supported": False, "types": {}}, "effort": NO}))
    assert (found.efforts, found.thinking) == ((), Thinking())


@pytest.mark.parametrize("junk", [None, 0, -5, True, "many", 1.5, 10**12, [], {}])
def test_junk_says_nothing(junk: Any) -> None:
    found = listed(
        item(max_input_tokens=junk, max_tokens=junk, deprecated_at=junk, retires_at=junk, display_name=junk)
    )
    assert (found.context, found.max_output, found.deprecated_on, found.retires_on) == (None,) * 4
    assert listed(item(capabilities={"thinking": junk, "effort": junk, "server_tools": junk})).efforts == ()
