"""What a vendor bills beside the counts at the top of a usage object: `usage.calls.iterations`.

Anthropic lists there each run of a model within one call (Messages API reference, "Usage"; seen in recordings
of compaction, of the advisor tool and of server-side fallbacks):

    message           a run of the answering model; the counts at the top are the sum of these
    compaction        the same model made the conversation shorter before; billed beside the top
    fallback_message  another model answered after the first had declined; the last one is the top. The runs
                      before it are billed if they wrote anything, those that wrote nothing are free
    advisor_message   another model was asked for advice; billed beside the top, at that model's price

A run of another model is counted at the price of the call, the only one that its hold knows, and marked as
doubtful, so that the line says "estimated". Parley asks for neither, so no call should have one. A kind that
nobody here knows is treated in the same way: never as free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from providers.types import Json, Usage
from usage.prices.pricing import TOKENS

MOST = 100  # runs of one call; more are a mistake of the sender
OWN = "message"
COMPACTION = "compaction"
FALLBACK = "fallback_message"


def beside(usage: object) -> list[Json] | None:
    """The runs billed beside the top of this usage object, each a usage object of its own; None where it says
    nothing of runs. Never raises.
    """
    listed: Any = usage.get("iterations") if isinstance(usage, dict) else None
    if not isinstance(listed, list):
        return None
    runs = [run for run in listed[:MOST] if isinstance(run, dict)]
    kinds = [str(run.get("type")) for run in runs]
    if FALLBACK in kinds:
        answered = len(kinds) - 1 - kinds[::-1].index(FALLBACK)
        others = [run for place, run in enumerate(runs) if place != answered]
        return [_billed(run, own=False) for run in others if Usage.from_json(run).output_tokens]
    return [
        _billed(run, own=kind == COMPACTION) for run, kind in zip(runs, kinds, strict=True) if kind != OWN
    ]


def with_steps(usage: Usage, steps: Sequence[Usage]) -> Usage:
    """The whole that is billed: these counts and the steps beside them."""
    sums = {name: sum(getattr(step, name) for step in steps) for name in TOKENS}
    return replace(usage, steps=tuple(steps), **{name: getattr(usage, name) + sums[name] for name in TOKENS})


def _billed(run: Json, *, own: bool) -> Json:
    counts = Usage.from_json(run)
    if not own:
        counts = replace(counts, doubtful=counts.doubtful | {"input_tokens", "output_tokens"})
    return counts.to_json()
