"""The law of the page: its state at any number, plus the events after it, equals a fresh page."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from accounts.ids import uuid7
from chat import journal
from chat.live import LiveRun
from providers.fold import Fold
from tests.chat.scripts import streams


def folded(events: list[dict[str, Any]], state: dict[str, Any] | None = None) -> Fold:
    fold = Fold.resume(json.loads(json.dumps(state))) if state is not None else Fold()
    for event in events:
        fold.apply(event)
    return fold


@st.composite
def committed(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """A stream, cut off anywhere, and the rows that commits at random moments made of it."""
    events = draw(streams())
    events = events[: draw(st.integers(1, len(events)))]
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=8)))
    bounds = [0, *cuts, len(events)]
    batches = [events[a:b] for a, b in itertools.pairwise(bounds)]
    return events, [journal.merge(copy.deepcopy(batch)) for batch in batches if batch]


@given(committed())
def test_rows_of_the_journal_fold_to_what_the_model_sent(
    case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]],
) -> None:
    events, rows = case
    assert folded([event for row in rows for event in row]).state() == folded(events).state()


@given(committed(), st.data())
def test_the_state_at_any_number_and_the_events_after_it_equal_a_fresh_page(
    case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]], data: st.DataObject
) -> None:
    _events, rows = case
    live = LiveRun(run=uuid7(), message=uuid7(), conversation=uuid7(), fence=1)
    for number, row in enumerate(rows, start=1):
        live.publish(number, json.dumps(row).encode())
    number = data.draw(st.integers(0, len(rows)))
    state = folded([event for row in rows[:number] for event in row]).state()
    after = live.rows_after(number)
    assert after is not None
    assert (
        folded(json.loads(after), state).state() == folded([event for row in rows for event in row]).state()
    )


@given(committed())
def test_merging_leaves_what_it_was_given_alone(
    case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]],
) -> None:
    events, _rows = case
    before = copy.deepcopy(events)
    journal.merge(events)
    assert events == before


def test_a_follower_far_behind_is_sent_to_the_journal() -> None:
    live = LiveRun(run=uuid7(), message=uuid7(), conversation=uuid7(), fence=1)
    for number in range(1, 1000):
        live.publish(number, b"[]")
    assert live.rows_after(999) == b"[]"
    assert live.rows_after(998) == b"[]"
    assert live.rows_after(100) is None
