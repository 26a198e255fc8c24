"""The answer of Salesforce's chat-generations as the events of a stream.

The keys in `parameters` differ by the vendor behind the model, so each is read as if it might not be there.
"""

from typing import Any

from providers.assembly import Assembly
from providers.cleaning import clean_text, decode
from providers.envelope import Origin
from providers.errors import ProtocolError
from providers.types import Json, MessageRequest, StreamEvent

EXPLANATION_LENGTH = 2000

_STOP_REASONS = {
    "stop": "end_turn",
    "end_turn": "end_turn",
    "complete": "end_turn",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "stop_sequence": "end_turn",
    "content_filter": "refusal",
    "content_filtered": "refusal",
    "refusal": "refusal",
    "guardrail_intervened": "refusal",
}


def events(answer: bytes, request: MessageRequest, account: str) -> list[StreamEvent]:
    """All events of the answer, in order. Raises ProtocolError."""
    try:
        parsed, _ = decode(answer)
        generation, parameters = _generation(parsed)
    except (ValueError, KeyError, TypeError, IndexError):
        raise ProtocolError("Salesforce's answer could not be read.", status=200) from None
    return _told(generation, parameters, parsed, request, account).take()


def _generation(parsed: Any) -> tuple[Json, Json]:
    details = parsed["generationDetails"]
    generation = details["generations"][0]
    parameters = details.get("parameters")
    if not isinstance(generation, dict) or not isinstance(generation.get("content"), str | None):
        raise ValueError("no generation")
    return generation, parameters if isinstance(parameters, dict) else {}


def _told(
    generation: Json, parameters: Json, parsed: Json, request: MessageRequest, account: str
) -> Assembly:
    """The answer as its pieces. Stop sequences are looked for here, because Salesforce takes none."""
    answer = Assembly(model=request.model, stop_sequences=request.stop_sequences or ())
    answer.usage = _usage(parameters.get("usage"))
    answer.begin(parsed.get("id"), parameters.get("model"))
    answer.text("text", generation.get("content") or "")
    answer.close("text")
    if (quality := _flagged(generation)) is not None:
        answer.reserve("quality")
        origin = Origin(provider="salesforce", account=account)
        answer.fill("quality", origin.marked({"type": "content_quality", **quality}))
    reason, details = _end(generation)
    answer.end(reason, stop_details=details)
    return answer


def _end(generation: Json) -> tuple[str, Json | None]:
    """The stop reason and its details."""
    own = generation.get("parameters")
    own = own if isinstance(own, dict) else {}
    told = own.get("finish_reason")
    reason = _STOP_REASONS.get(told.lower(), "end_turn") if isinstance(told, str) else "end_turn"
    refusal = own.get("refusal")
    refused = isinstance(refusal, str) and bool(refusal)
    kept_back = not generation.get("content") and _flagged(generation) is not None
    if reason != "refusal" and not refused and not kept_back:
        return reason, None
    explanation = clean_text(refusal)[:EXPLANATION_LENGTH] if isinstance(refusal, str) and refusal else None
    return "refusal", {"type": "refusal", "category": None, "explanation": explanation}


def _flagged(generation: Json) -> Json | None:
    """What Salesforce's scan says of the text, when it found something."""
    quality = generation.get("contentQuality")
    scan = quality.get("scanToxicity") if isinstance(quality, dict) else None
    if isinstance(quality, dict) and isinstance(scan, dict) and scan.get("isDetected") is True:
        return {key: value for key, value in quality.items() if key not in ("type", "origin")}
    return None


def _usage(told: Any) -> Json:
    """Anthropic's usage object: what is not told is left out, so that nobody takes it for a zero."""
    told = told if isinstance(told, dict) else {}
    details = told.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    prompt = _first(told, "prompt_tokens", "input_tokens", "inputTokens")
    output = _first(told, "completion_tokens", "output_tokens", "outputTokens")
    usage: Json = {}
    if prompt is not None:
        usage["input_tokens"] = max(prompt - (cached or 0), 0)
    if cached:
        usage["cache_read_input_tokens"] = cached
    if output is not None:
        usage["output_tokens"] = output
    details = told.get("completion_tokens_details")
    if isinstance(details, dict) and (thought := _count(details.get("reasoning_tokens"))):
        usage["output_tokens_details"] = {"thinking_tokens": thought}
    return usage


def _first(told: Json, *names: str) -> int | None:
    return next((count for name in names if (count := _count(told.get(name))) is not None), None)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
