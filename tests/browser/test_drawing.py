"""What a page came to by events equals what a fresh page is loaded with."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Page

from providers.event_reader import EventReader
from providers.simulator.app import Simulator
from providers.simulator.demo import MODEL, WORDS
from providers.simulator.server import ThreadServer
from providers.types import Json
from tests.browser import feeding
from tests.browser.chat import assert_same_drawing, conversation_of, expect_status, scripted, send
from tests.corpus import anthropic_streams, needs_corpus

pytestmark = pytest.mark.django_db(transaction=True)


def streamed(demo: ThreadServer, text: str) -> list[Json]:
    """The events of the demo's answer."""
    body = {
        "model": MODEL,
        "max_tokens": 4096,
        "stream": True,
        "messages": [{"role": "user", "content": text}],
    }
    answer = httpx.post(
        f"{demo.base_url}/v1/messages", json=body, headers={"anthropic-version": "2026-10-21"}
    )
    return read(answer.raise_for_status().content)


def read(stream: bytes) -> list[Json]:
    reader = EventReader()
    return [*reader.feed(stream), *reader.close()]


def test_the_demos_answer_is_drawn_live_as_it_is_loaded(page: Page) -> None:
    send(page, scripted("Show everything", demo="everything", rate=400))
    conversation_of(page)
    expect_status(page, "completed")
    fresh = page.context.new_page()
    fresh.goto(page.url)
    assert_same_drawing(page, fresh)


def test_all_texts_of_the_demo_come_to_one_drawing_however_they_are_cut(page: Page) -> None:
    feeding.ready(page)
    wrong: list[str] = []
    with ThreadServer(Simulator(demo_rate=0)) as demo:
        for topic in [*WORDS, "something else", "none of those words"]:
            wrong += feeding.play(page, topic, streamed(demo, f"Show {topic}"), frames=200, looks=20)
    assert not wrong, "\n\n".join(wrong[:3])
    feeding.assert_twins_are_equal(page)


@needs_corpus
def test_every_recorded_answer_comes_to_one_drawing_however_it_is_cut(page: Page) -> None:
    feeding.ready(page)
    wrong: list[str] = []
    for recording in anthropic_streams():
        wrong += feeding.play(page, recording.name, read(recording.bytes()))
    assert not wrong, "\n\n".join(wrong[:3])
    feeding.assert_twins_are_equal(page)
