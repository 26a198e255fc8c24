"""Sends spans of calls to models to an OpenTelemetry collector. Imported only where that is switched on:
opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http are no part of what the server needs.

Where they go and how is said by OpenTelemetry's own environment variables, which its SDK reads:
OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER.
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from usage.health.telemetry import Telemetry


def start() -> None:
    """Uses the provider of tracers that somebody has set (opentelemetry-instrument), else makes one."""
    found = trace.get_tracer_provider()
    if not isinstance(found, TracerProvider):
        found = TracerProvider(resource=_resource())
        found.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(found)
    Telemetry(found).listen()


def _resource() -> Resource:
    """What the environment says of this service; it is named parley if nobody named it."""
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: "parley"}))
    return found
