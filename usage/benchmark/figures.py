"""The rows of one model, added up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from usage.models import Outcome

from .judge import Score
from .runs import NOT_RUN, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Milliseconds, tokens, nano-dollars. None: nothing to compute it from.

    `calls` were made, that is neither left out nor declined by Parley before they were sent. `answered` are
    the complete ones; times and speeds are of these alone. `cost_per_call_nano` is of the calls made, rounded
    up.
    """

    model: str
    planned: int
    calls: int
    answered: int
    refused: int
    failed: int
    declined: int
    not_run: int
    fell_back: int
    retried: int
    first_p50: float | None
    first_p95: float | None
    total_p50: float | None
    speed_p50: float | None
    input: int
    cached: int
    output: int
    cost_nano: int
    cost_per_call_nano: int | None
    estimated: int
    expected: int
    expected_found: int
    score: float | None
    scored: int
    errors: tuple[tuple[str, int], ...]


def by_model(rows: Sequence[Row], models: Iterable[str], scores: Iterable[Score]) -> list[Figures]:
    """The figures of each of these models, in their order."""
    given = {score.call_id: score.score for score in scores if score.score is not None}
    return [_figures(model, [row for row in rows if row.model == model], given) for model in models]


def _figures(model: str, rows: list[Row], scores: Mapping[UUID, int]) -> Figures:
    outcomes = Counter(row.outcome for row in rows)
    made = [row for row in rows if row.call_id is not None]
    answered = [row for row in made if row.outcome == Outcome.COMPLETED]
    cost = sum(row.cost_nano for row in rows)
    scored = [scores[row.call_id] for row in made if row.call_id is not None and row.call_id in scores]
    speeds = [row.tokens_per_second for row in answered]
    return Figures(
        model=model,
        planned=len(rows),
        calls=len(made),
        answered=len(answered),
        refused=outcomes[Outcome.REFUSED],
        failed=outcomes[Outcome.FAILED] + outcomes[Outcome.INTERRUPTED] + outcomes[Outcome.STOPPED],
        declined=sum(row.call_id is None and row.outcome not in (NOT_RUN, Outcome.STOPPED) for row in rows),
        not_run=outcomes[NOT_RUN],
        fell_back=sum(row.fell_back for row in rows),
        retried=sum(max(0, row.attempts - 1) for row in rows),
        first_p50=percentile([row.first_ms for row in answered], 50),
        first_p95=percentile([row.first_ms for row in answered], 95),
        total_p50=percentile([row.total_ms for row in answered], 50),
        speed_p50=percentile(speeds, 50),
        input=sum(row.input for row in rows),
        cached=sum(row.cached for row in rows),
        output=sum(row.output for row in rows),
        cost_nano=cost,
        cost_per_call_nano=-(-cost // len(made)) if made else None,
        estimated=sum(row.estimated for row in rows),
        expected=sum(row.expected_found is not None for row in rows),
        expected_found=sum(row.expected_found is True for row in rows),
        score=sum(scored) / len(scored) if scored else None,
        scored=len(scored),
        errors=tuple(Counter(row.error for row in rows if row.error).most_common()),
    )


def percentile(values: Iterable[float | None], percent: int) -> float | None:
    """The smallest value that `percent` of the values do not exceed (nearest rank); None of nothing."""
    known = sorted(value for value in values if value is not None)
    return known[max(0, math.ceil(len(known) * percent / 100) - 1)] if known else None
