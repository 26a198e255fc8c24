"""Each attempt at a model as a span of OpenTelemetry, by the names of its conventions for generative AI.

Names are those of "Semantic conventions for generative client AI spans" (opentelemetry.io), which are still
in development; they are taken from the package opentelemetry-semantic-conventions 0.66b2. No span holds
content. A call that is tried again has a span for each attempt, as the ledger has a line for each: they share
parley.call.id.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.util.types import AttributeValue

from usage.calls.attempt_ends import AttemptEnded, on_attempt_end
from usage.models import Outcome

NANO = 1_000_000_000
SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
# Where the conventions name a provider otherwise than our registry does.
PROVIDER_NAMES = {"azure": "azure.ai.openai"}
BROKEN = frozenset({Outcome.FAILED, Outcome.INTERRUPTED})


class Telemetry:
    """Makes spans with a provider of tracers. `clock` is nanoseconds since 1970."""

    def __init__(self, provider: TracerProvider, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._tracer = provider.get_tracer("parley", schema_url=SCHEMA)
        self._clock = clock

    def listen(self) -> None:
        """From now on every attempt of this process becomes a span."""
        on_attempt_end.append(self.note)

    def note(self, ended: AttemptEnded) -> None:
        now = self._clock()
        span = self._tracer.start_span(
            f"chat {ended.model}",
            kind=SpanKind.CLIENT,
            start_time=now - round(ended.duration * NANO),
            attributes=attributes(ended),
        )
        if ended.outcome in BROKEN:
            span.set_status(Status(StatusCode.ERROR, ended.error))
        span.end(end_time=now)


def attributes(ended: AttemptEnded) -> dict[str, AttributeValue]:
    usage = ended.usage
    cached, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    found: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER_NAMES.get(ended.provider, ended.provider),
        "gen_ai.request.model": ended.model,
        "gen_ai.request.stream": True,
        # All of the prompt, what was read from or written to a cache included.
        "gen_ai.usage.input_tokens": usage.input_tokens + cached + written,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.cache_creation.input_tokens": written,
        "parley.call.id": str(ended.call_id),
        "parley.purpose": ended.purpose,
        "parley.outcome": ended.outcome,
        "parley.attempt": ended.retries + 1,
        "parley.route": ended.route,
    }
    if usage.thinking_tokens:
        found["gen_ai.usage.reasoning.output_tokens"] = usage.thinking_tokens
    if ended.first_content is not None:
        found["gen_ai.response.time_to_first_chunk"] = ended.first_content
    if ended.error:
        found["error.type"] = ended.error
    return found
