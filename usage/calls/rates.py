"""How fast a model usually writes, learned from the ledger: it prices thinking that was billed but not
shown.
"""

from __future__ import annotations

from usage.models import LedgerLine, Outcome, Source

UNKNOWN_RATE = 60.0  # tokens per second, until a model has been seen to write
SAMPLE = 20  # lines
LOOK_BACK = 5_000  # lines of the ledger, so that a rare model costs no long scan
LEAST_OUTPUT = 50  # tokens: shorter answers are mostly waiting
SLOWEST, FASTEST = 5.0, 500.0


def output_rate(provider: str, model: str) -> float:
    """Output tokens per second over the model's last completed calls, from the first content to the end."""
    newest = LedgerLine.objects.order_by("-id").values_list("id", flat=True).first() or 0
    lines = LedgerLine.objects.filter(
        id__gt=newest - LOOK_BACK,
        provider=provider,
        model_asked=model,
        outcome=Outcome.COMPLETED,
        source=Source.REPORTED,
        output_tokens__gte=LEAST_OUTPUT,
        duration_ms__isnull=False,
        ttft_ms__isnull=False,
    ).order_by("-id")
    tokens = milliseconds = 0
    for output, duration, first in lines.values_list("output_tokens", "duration_ms", "ttft_ms")[:SAMPLE]:
        tokens += output
        milliseconds += max(0, (duration or 0) - (first or 0))
    if not milliseconds:
        return UNKNOWN_RATE
    return min(max(tokens * 1000 / milliseconds, SLOWEST), FASTEST)
