"""By how much an estimated budget can be passed, in one sentence for the page on which it is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from usage.budgets.demands import LEAST_SAMPLE, usual_output
from usage.budgets.words import limit_words
from usage.clock import database_now, organisation_day
from usage.models import Budget, DailyUsage
from usage.offers.offers import Offer

LATELY = timedelta(days=30)
PICO_PER_NANO = 1_000
NANO_PER_CENT = 10_000_000


def sentence(measure: str, offered: Iterable[Offer]) -> str:
    """The most that one call of a model in use can come to beyond what is held for it, and of which model.

    The bound: the longest answer of the model instead of the usual one, rounded up to cents; searches of the
    web come on top.
    """
    if measure == Budget.Measure.REQUESTS:
        return "A budget of requests cannot be passed either way: a call is one request."
    since = organisation_day(database_now()) - LATELY
    used = set(DailyUsage.objects.filter(day__gte=since).values_list("provider", "model").distinct())
    found = []
    for offer in offered:
        spec = offer.spec
        usual = usual_output.of(spec.provider, spec.id) if (spec.provider, spec.id) in used else None
        if usual is not None and usual < spec.max_output:
            beyond = spec.max_output - usual
            nano = -(-beyond * (offer.output or 0) // PICO_PER_NANO)
            found.append((nano if measure == Budget.Measure.MONEY else beyond, spec, usual))
    if not found:
        return (
            f"So far no model has {LEAST_SAMPLE} recent answers to estimate from: its longest answer is "
            "held, and only web searches can pass an estimated limit."
        )
    most, spec, usual = max(found, key=lambda one: one[0])
    if measure == Budget.Measure.MONEY:
        most = -(-most // NANO_PER_CENT) * NANO_PER_CENT
    return (
        f"Estimated, each call that runs at once can pass the limit by up to {limit_words(measure, most)} "
        f"({spec.name}, an answer of {spec.max_output:,} tokens instead of the usual {usual:,}), and by its "
        "web searches."
    )
