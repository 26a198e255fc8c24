"""The response object of OpenAI's Responses API, and the event that ends its stream."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from providers.simulator.answer import Answer
from providers.simulator.openai_replies import usage_object
from providers.simulator.replies import new_id
from providers.types import Json, StreamEvent

REASONS: Final[Mapping[str, str]] = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "pause_turn": "max_messages",
    "refusal": "content_filter",
}
"""Why an answer is incomplete. A stop reason that Anthropic does not have is sent as it is."""
COMPLETE: Final = frozenset({"end_turn", "tool_use", "stop_sequence"})


def response(answer: Answer | None, echo: Json, output: Sequence[Json], *, status: str) -> Json:
    """The object without counts; answer: None where a stream failed before anything was said."""
    name = new_id("msg") if answer is None else answer.message_id
    return {
        "id": "resp_" + name.removeprefix("msg_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "" if answer is None else answer.model,
        "output": list(output),
        "previous_response_id": None,
        "service_tier": "default",
        "truncation": "disabled",
        "usage": None,
        **echo,
    }


def ended(answer: Answer, echo: Json, output: Sequence[Json], usage: Json | None) -> StreamEvent:
    """`response.completed` or `response.incomplete`."""
    whole = answer.stop_reason in COMPLETE or answer.refusal_words is not None
    status = "completed" if whole else "incomplete"
    final = response(answer, echo, output, status=status)
    if not whole:
        final["incomplete_details"] = {"reason": REASONS.get(answer.stop_reason, answer.stop_reason)}
    if usage is not None:
        final["usage"] = usage_object(usage, read="input_tokens", written="output_tokens")
    return {"type": f"response.{status}", "response": final}
