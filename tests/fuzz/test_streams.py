"""Mutated streams, for the decoder and every reader of a stream. What must hold is in targets.py."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.event_reader import EventReader
from providers.fold import Fold
from providers.openai_chat import ChatReader
from providers.openai_responses import ResponsesReader
from tests.fuzz import mutations, seeds, targets
from tests.providers.generated import generated

READERS = {"anthropic": EventReader, "chat": ChatReader, "responses": ResponsesReader}


@pytest.mark.parametrize("name", seeds.NAMES)
def test_the_seeds_are_good_streams(name: seeds.Name) -> None:
    whole = 0
    for stream in seeds.simulated(name):
        targets.CHECKS[name](stream)
        reader, fold = READERS[name](), Fold()
        for event in [*reader.feed(stream), *reader.close()]:
            fold.apply(event)
        whole += fold.complete
    assert whole == len(seeds.SCRIPTS) - 1, "all but the one that says an error"


@pytest.mark.parametrize("name", seeds.NAMES)
@given(seed=st.integers(0, 2**32), times=st.integers(1, 6))
@generated
def test_a_spoilt_stream_is_read_or_refused(name: seeds.Name, seed: int, times: int) -> None:
    choice = random.Random(seed)
    stream = mutations.mutated(choice.choice(seeds.simulated(name)), choice, times)
    targets.CHECKS[name](stream)
    targets.sse(stream)


@pytest.mark.parametrize("name", seeds.NAMES)
@given(seed=st.integers(0, 2**32))
@generated
def test_two_streams_in_one_are_read_or_refused(name: seeds.Name, seed: int) -> None:
    choice = random.Random(seed)
    parts = [frame for _ in range(2) for frame in mutations.frames(choice.choice(seeds.simulated(name)))]
    choice.shuffle(parts)
    targets.CHECKS[name](mutations.joined(parts))


@pytest.mark.parametrize("name", ["sse", *seeds.NAMES])
@given(data=st.binary(max_size=400))
@generated
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    targets.CHECKS[name](data)


@pytest.mark.parametrize("name", seeds.NAMES)
def test_a_long_answer_is_read_in_linear_time(name: seeds.Name) -> None:
    """Ten times the events take about ten times as long, with room for a machine that is busy."""

    def seconds(deltas: int) -> float:
        stream = seeds.stream(name, deltas=deltas, tool_use=seeds.TOOL)
        best = float("inf")
        for _ in range(3):
            reader = READERS[name]()
            began = time.process_time()
            for place in range(0, len(stream), 1400):
                reader.feed(stream[place : place + 1400])
            best = min(best, time.process_time() - began)
        return best

    assert seconds(30_000) < 40 * seconds(3_000) + 0.2
