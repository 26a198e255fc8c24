"""Which models there are, and the list of them in the shape of Anthropic's Models API (`GET /v1/models`)."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from providers.simulator.demo import DISPLAY_NAME, MODEL
from providers.simulator.replies import Refusal
from providers.simulator.script import PRESETS, from_model
from providers.types import Json

CREATED: Final = "2026-10-21T00:00:00Z"
DEFAULT_LIMIT: Final = 20
LARGEST_LIMIT: Final = 1000
LIFECYCLES: Final = frozenset({"active", "deprecated", "retired"})


CLAUDE: Final[Mapping[str, str]] = {
    "claude-opus-5-5": "Claude Opus 5.5",
    "claude-sonnet-5-5": "Claude Sonnet 5.5",
    "claude-haiku-5-5": "Claude Haiku 5.5",
}
"""Listed where the simulator stands in for the vendor: when it is scripted or replays. Any other id of
the form `CLAUDE_IDS` is accepted then, too.
"""
CLAUDE_IDS: Final = re.compile(r"claude-")


class Models:
    """The models of one simulator: the demo, recordings by stem, presets of directives, and `more` ids; each
    vendor adds its own.
    """

    def __init__(
        self, *, scripted: bool, recordings: Mapping[str, bytes] | None, more: Sequence[str] = ()
    ) -> None:
        self._scripted = scripted
        self._vendor = scripted or recordings is not None
        self._first = {MODEL: DISPLAY_NAME}
        self._last = {stem: stem for stem in recordings or ()}
        self._last |= {preset: f"Script: {preset}" for preset in PRESETS} if scripted else {}
        self._last |= {model: model for model in more if model not in self._last and model != MODEL}

    def listed(self, own: Mapping[str, str]) -> Mapping[str, str]:
        """Display names by id, in the order of the list; `own`: what the vendor has."""
        return {**self._first, **(own if self._vendor else {}), **self._last}

    def serve(self, model: str, own: re.Pattern[str]) -> bool:
        """Whether a model is served; `own`: the ids of the vendor, listed or not."""
        if model in self._first or model in self._last or (self._vendor and own.match(model)):
            return True
        return self._scripted and from_model(model) is not None


def model_json(model: str, display_name: str) -> Json:
    """One model. The capabilities are those of the demo: it shows everything and understands nothing."""
    yes, no = {"supported": True}, {"supported": False}
    return {
        "type": "model",
        "id": model,
        "display_name": display_name,
        "created_at": CREATED,
        "lifecycle": "active",
        "line": None,
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "deprecated_at": None,
        "retires_at": None,
        "capabilities": {
            "batch": no,
            "citations": yes,
            "code_execution": no,
            "image_input": yes,
            "pdf_input": yes,
            "structured_outputs": no,
            "thinking": {
                "supported": True,
                "types": {"adaptive": yes, "enabled": yes, "disabled": yes, "between_tools": no},
            },
            "effort": {"supported": False, "low": no, "medium": no, "high": no, "xhigh": no, "max": no},
            "server_tools": {"web_search": yes, "code_execution": no},
        },
    }


def page(models: Mapping[str, str], query: str) -> Json:
    """One page of the list. models: display name by id, in the order of the list. Raises Refusal for a bad
    query.
    """
    fields = parse_qs(query, keep_blank_values=True)
    wanted = fields.get("lifecycle[]", fields.get("lifecycle", ["active", "deprecated"]))
    if not set(wanted) <= LIFECYCLES:
        raise Refusal(400, "lifecycle: Input should be 'active', 'deprecated' or 'retired'")
    ids = list(models) if "active" in wanted else []
    limit = _limit(fields.get("limit", [str(DEFAULT_LIMIT)])[-1])
    after, before = fields.get("after_id"), fields.get("before_id")
    if after and before:
        raise Refusal(400, "after_id and before_id cannot be used together")
    if after:
        ids = ids[_position(ids, after[-1]) + 1 :]
        shown, more = ids[:limit], len(ids) > limit
    elif before:
        ids = ids[: _position(ids, before[-1])]
        shown, more = ids[-limit:], len(ids) > limit
    else:
        shown, more = ids[:limit], len(ids) > limit
    return {
        "data": [model_json(model, models[model]) for model in shown],
        "has_more": more,
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_LIMIT:
        return int(text)
    raise Refusal(400, f"limit: Input should be between 1 and {LARGEST_LIMIT}")


def _position(ids: Sequence[str], model: str) -> int:
    if model not in ids:
        raise Refusal(400, f"unknown cursor: {model}")
    return ids.index(model)
