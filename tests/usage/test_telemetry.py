"""Attempts as spans of OpenTelemetry. Skipped where its SDK, an optional extra, is not installed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk.trace")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode

from providers.types import Usage
from tests.usage.test_metrics import ENDED
from usage.health.telemetry import NANO, Telemetry

NOW = 1_800_000_000 * NANO
KNOWN = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI")}


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(spans: InMemorySpanExporter) -> Telemetry:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Telemetry(provider, clock=lambda: NOW)


def only(spans: InMemorySpanExporter) -> Any:
    (span,) = spans.get_finished_spans()
    return span


def test_an_attempt_is_a_client_span_of_its_length(telemetry: Telemetry, spans: InMemorySpanExporter) -> None:
    telemetry.note(replace(ENDED, duration=2.5))
    span = only(spans)
    assert (span.name, span.kind) == ("chat claude-sonnet-5-5", SpanKind.CLIENT)
    assert (span.start_time, span.end_time) == (NOW - 2_500_000_000, NOW)
    assert span.status.status_code == StatusCode.UNSET


def test_its_attributes_have_the_names_of_the_conventions(
    telemetry: Telemetry, spans: InMemorySpanExporter
) -> None:
    telemetry.note(replace(ENDED, usage=replace(ENDED.usage, thinking_tokens=7)))
    found = dict(only(spans).attributes)
    ours = {name for name in found if name.startswith("parley.")}
    assert set(found) - ours <= KNOWN | {"error.type"}
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "anthropic"
    assert found["gen_ai.request.model"] == "claude-sonnet-5-5"
    assert found["gen_ai.usage.input_tokens"] == 10 + 30 + 40
    assert found["gen_ai.usage.cache_read.input_tokens"] == 30
    assert found["gen_ai.usage.cache_creation.input_tokens"] == 40
    assert found["gen_ai.usage.output_tokens"] == 20
    assert found["gen_ai.usage.reasoning.output_tokens"] == 7
    assert found["gen_ai.response.time_to_first_chunk"] == 0.4
    assert found["parley.call.id"] == str(ENDED.call_id)


def test_a_failure_is_an_error_with_its_kind(telemetry: Telemetry, spans: InMemorySpanExporter) -> None:
    telemetry.note(
        replace(
            ENDED, outcome="failed", error="overloaded_error", first_content=None, usage=Usage(), retries=2
        )
    )
    span = only(spans)
    assert span.status.status_code == StatusCode.ERROR
    assert span.attributes["error.type"] == "overloaded_error"
    assert span.attributes["parley.attempt"] == 3
    assert "gen_ai.response.time_to_first_chunk" not in span.attributes


def test_azure_has_the_name_that_the_conventions_give_it(
    telemetry: Telemetry, spans: InMemorySpanExporter
) -> None:
    telemetry.note(replace(ENDED, provider="azure", model="gpt-5"))
    assert only(spans).attributes["gen_ai.provider.name"] == "azure.ai.openai"
