"""Labels of metrics are bounded, whatever vendors and admins name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from accounts.ids import uuid7
from providers import catalogue
from providers.types import Usage
from usage.calls.attempt_ends import AttemptEnded, CallSettled
from usage.health.metrics import ERRORS, OTHERS, CallMetrics, error_label

ENDED = AttemptEnded(
    call_id=uuid7(),
    provider="anthropic",
    model="claude-sonnet-5-5",
    credential=None,
    purpose="chat",
    outcome="completed",
    error="",
    first_content=0.4,
    duration=2.0,
    usage=Usage(
        input_tokens=10, output_tokens=20, cache_read_input_tokens=30, cache_creation_input_tokens=40
    ),
    retries=0,
    route=0,
)
SONNET = {"provider": "anthropic", "model": "claude-sonnet-5-5"}


class Counted:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = CallMetrics(self.registry)

    def note(self, **changes: Any) -> None:
        self.metrics.note(replace(ENDED, **changes))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def labels(self, name: str) -> set[str]:
        families = [family for family in self.registry.collect() if family.name == "parley_attempts"]
        return {sample.labels[name] for family in families for sample in family.samples}


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_tokens_are_counted_by_kind(counted: Counted) -> None:
    counted.note()
    found = {
        kind: counted.value("parley_tokens_total", kind=kind, **SONNET)
        for kind in ("input", "output", "cache_read", "cache_write")
    }
    assert found == {"input": 10, "output": 20, "cache_read": 30, "cache_write": 40}


def test_a_failed_attempt_has_its_error_and_no_first_token(counted: Counted) -> None:
    counted.note(outcome="failed", error="overloaded_error", first_content=None, usage=Usage())
    counted.note(retries=1, route=1)
    labels = {"outcome": "failed", "error": "overloaded_error", **SONNET}
    assert counted.value("parley_attempts_total", **labels) == 1
    assert counted.value("parley_time_to_first_token_seconds_count", **SONNET) == 1
    assert counted.value("parley_attempt_seconds_count", **SONNET) == 2
    assert counted.value("parley_retries_total", **SONNET) == 1
    assert counted.value("parley_fallbacks_total", **SONNET) == 1


def test_errors_that_a_vendor_made_up_share_one_label(counted: Counted) -> None:
    for number in range(500):
        counted.note(outcome="failed", error=f"made_up_{number}")
    assert counted.labels("error") == {"other"}
    assert error_label("rate_limit_error") == "rate_limit_error"
    assert {"circuit_open", "cooling_down", "queue_full", "unsupported", "interrupted_stream"} <= ERRORS


def test_models_that_nobody_knows_are_bounded(counted: Counted) -> None:
    for number in range(OTHERS + 500):
        counted.note(model=f"made-up-{number}")
    counted.note()
    found = counted.labels("model")
    assert len(found) == OTHERS + 2
    assert {"other", "claude-sonnet-5-5", "made-up-0"} <= found


def test_a_provider_that_is_not_registered_is_other(counted: Counted) -> None:
    counted.note(provider='gone"} 1\nparley_forged 2', model="x")
    assert counted.labels("provider") == {"other"}
    assert counted.labels("model") == {"other"}


def test_cost_is_in_dollars(counted: Counted) -> None:
    for nano in (1_500_000, 500_000):
        counted.metrics.note_cost(CallSettled(**SONNET, cost_nano=nano))
    assert counted.value("parley_cost_dollars_total", **SONNET) == pytest.approx(0.002)


def test_an_alias_counts_as_its_model(counted: Counted) -> None:
    spec = next(spec for spec in catalogue.specs("anthropic") if spec.aliases)
    counted.note(model=spec.aliases[0])
    assert counted.labels("model") == {spec.id}
