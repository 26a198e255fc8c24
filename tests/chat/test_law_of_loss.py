"""The law over whole lives of runs: cuts, lost commit answers, stops, failures, lost and frozen hosts.

Whatever happens, a page at any moment plus the events after its number equals a fresh page; what was shown is
a beginning of what is stored, and what is stored of what was sent.
"""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from tests.chat.scripts import streams
from tests.chat.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

HAPPENINGS = [
    "receive", "receive", "receive", "commit", "commit", "commit, answer lost",
    "page here", "page elsewhere", "catch up", "catch up", "host lost", "old host wakes",
]  # fmt: skip
LIVES = st.lists(st.sampled_from(HAPPENINGS), min_size=25, max_size=60)
ENDS = ["completed", "stopped", "failed", "interrupted"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_life_of_a_run_breaks_the_law(owner: User, data: st.DataObject) -> None:
    world = World(owner)
    coming = iter(data.draw(streams(), label="what the model sends"))
    for happening in data.draw(LIVES, label="what happens"):
        host = world.host
        match happening:
            case "receive" if host is not None:
                for event in islice(coming, data.draw(st.integers(1, 3))):
                    world.receive(event)
            case "commit" if host is not None:
                world.commit(host)
            case "commit, answer lost" if host is not None:
                world.commit(host, answer_lost=True)
            case "page here":
                world.load(here=True)
            case "page elsewhere":
                world.load(here=False)
            case "catch up":
                for page in world.pages:
                    world.catch_up(page)
            case "host lost" if host is not None:
                world.lose_host()
                if world.host is not None:  # started again: the model begins anew
                    coming = iter(data.draw(streams(), label="what the model sends again"))
            case "old host wakes":
                for old in world.lost:
                    world.commit(old)
        if world.host is not None:
            world.check()
    if world.host is not None:
        world.end(data.draw(st.sampled_from(ENDS), label="how it ends"))
    world.check_end()
