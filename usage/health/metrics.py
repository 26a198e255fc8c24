"""What Prometheus is told of calls to models: counted when an attempt ends, never per event.

Labels are bounded. A provider is one of the registry's, a model one of the catalogue's or one of the first
OTHERS that were called beside it; anything else is "other". An error is a kind of our own tree.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from providers import catalogue, errors, registry
from providers.resilience import OURS
from usage.calls.attempt_ends import AttemptEnded, CallSettled, on_attempt_end, on_call_settled
from usage.models import Outcome

NANO = 1_000_000_000
OTHER = "other"
OTHERS = 50  # models that no catalogue knows
FIRST_SECONDS = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60, 120)
WHOLE_SECONDS = (0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600, 1800)
BUCKETS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_write": "cache_creation_input_tokens",
}


class CallMetrics:
    """Counts the attempts of this process; `listen` makes it hear of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        model = ("provider", "model")
        self._attempts = Counter(
            "parley_attempts",
            "Attempts at a model that have ended. error is empty unless one ended it.",
            (*model, "outcome", "error"),
            registry=registry,
        )
        self._retries = Counter(
            "parley_retries", "Attempts that were not the first of their call.", model, registry=registry
        )
        self._fallbacks = Counter(
            "parley_fallbacks",
            "Attempts with another credential or model than those that their call began with.",
            model,
            registry=registry,
        )
        self._first = Histogram(
            "parley_time_to_first_token_seconds",
            "From asking the vendor to the first content, of attempts that showed content.",
            model,
            buckets=FIRST_SECONDS,
            registry=registry,
        )
        self._whole = Histogram(
            "parley_attempt_seconds",
            "From asking the vendor to the attempt's end, however it ended.",
            model,
            buckets=WHOLE_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "parley_tokens",
            "Tokens as the vendors counted them. kind: input (uncached), output, cache_read, cache_write.",
            (*model, "kind"),
            registry=registry,
        )
        self._cost = Counter(
            "parley_cost_dollars",
            "Cost of settled calls by the model that was asked last. The ledger is exact, this is a rate.",
            model,
            registry=registry,
        )
        self._others: set[tuple[str, str]] = set()

    def listen(self) -> None:
        """From now on every attempt of this process is counted. Once is enough."""
        if self.note not in on_attempt_end:
            on_attempt_end.append(self.note)
            on_call_settled.append(self.note_cost)

    def note(self, ended: AttemptEnded) -> None:
        labels = self._labels(ended.provider, ended.model)
        outcome = ended.outcome if ended.outcome in Outcome.values else OTHER
        self._attempts.labels(*labels, outcome, error_label(ended.error)).inc()
        self._whole.labels(*labels).observe(ended.duration)
        if ended.first_content is not None:
            self._first.labels(*labels).observe(ended.first_content)
        if ended.retries:
            self._retries.labels(*labels).inc()
        if ended.route:
            self._fallbacks.labels(*labels).inc()
        for kind, name in BUCKETS.items():
            if count := getattr(ended.usage, name):
                self._tokens.labels(*labels, kind).inc(count)

    def note_cost(self, settled: CallSettled) -> None:
        self._cost.labels(*self._labels(settled.provider, settled.model)).inc(settled.cost_nano / NANO)

    def _labels(self, provider: str, model: str) -> tuple[str, str]:
        if registry.provider(provider) is None:
            return OTHER, OTHER
        known = catalogue.spec(f"{provider}/{model}")
        if known is not None:
            return provider, known.id
        if (provider, model) not in self._others:
            if len(self._others) >= OTHERS:
                return (provider if provider in registry.PROVIDERS else OTHER), OTHER
            self._others.add((provider, model))
        return provider, model


def error_label(kind: str) -> str:
    """The kind of an error if it is one that this version knows, "" for none."""
    return kind if not kind or kind in ERRORS else OTHER


def _kinds(error: type[errors.ProviderError]) -> set[str]:
    return {error.kind}.union(*(_kinds(narrower) for narrower in error.__subclasses__()))


ERRORS = frozenset(_kinds(errors.ProviderError) | OURS | {"internal_error", "process_lost"})
