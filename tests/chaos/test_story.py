"""What chaos believes that the simulator answers is what it answers; and the same seed asks the same."""

from __future__ import annotations

import random

import httpx
import pytest

from chaos import story
from chaos.faults import plan
from chaos.markup import turns_in
from chaos.programs import Missing, find
from chaos.report import Outcome, table
from providers.fold import Fold
from providers.simulator import simulator

# Without those that do not give a whole answer at the first time of asking, and those that take their time.
WHOLE = [kind for kind in story.KINDS if kind not in {"refused", "broken", "busy", "slow"}]


async def answered(question: str) -> list[dict[str, object]]:
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 16_000,
        "messages": [{"role": "user", "content": question}],
    }
    transport = httpx.ASGITransport(app=simulator(scripted=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://vendor") as client:
        answer = await client.post("/v1/messages", json=body, headers={"anthropic-version": "2023-06-01"})
    return list(answer.json()["content"])


@pytest.mark.parametrize("kind", WHOLE)
async def test_the_simulator_answers_what_the_question_says(kind: str) -> None:
    for number in range(3):
        text = story.compose(random.Random(number), f"t{number}", kind).text
        assert story.script(await answered(text)) == story.answer_to(text)


def test_a_script_only_grows_while_blocks_are_written() -> None:
    events = [
        {"type": "message_start", "message": {"content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hm. "}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t", "name": "look", "input": {}},
        },
        *(
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "input_json_delta", "partial_json": part},
            }
            for part in ('{"q":', '"x"', "}")
        ),
        {"type": "content_block_stop", "index": 1},
    ]
    fold, before = Fold(), ""
    for event in events:
        fold.apply(event)
        state = fold.state()
        now = story.script(state["message"]["content"], state["open"])
        assert now.startswith(before)
        before = now
    assert story.characters(before) == len('Hm. look{"q":"x"}')


def test_the_same_seed_asks_and_breaks_the_same() -> None:
    one, other = (random.Random("5:p1") for _ in range(2))
    assert [story.compose(one, f"t{n}") for n in range(9)] == [
        story.compose(other, f"t{n}") for n in range(9)
    ]
    each, rest = {"kill -9": 10}, {"Redis stopped": 3}
    assert plan(random.Random(5), 4, each, rest) == plan(random.Random(5), 4, each, rest)
    assert sum(batch.count("kill -9") for batch in plan(random.Random(5), 4, each, rest)) == 40
    assert sum(batch.count("Redis stopped") for batch in plan(random.Random(5), 4, each, rest)) == 3


def test_markup_is_read_as_the_page_reads_it() -> None:
    turn = (
        '<article class="turn" id="turn-m2" data-role="assistant" data-status="running">'
        '<answer-view message="m2" run="r1" seq="4" live><script type="application/json">'
        '{"state": {"message": {"content": [{"type": "text", "text": "So \\u003Cfar"}]}, "open": null}}'
        "</script></answer-view></article>"
    )
    (found,) = turns_in(turn)
    assert (found.id, found.run, found.seq, found.live) == ("m2", "r1", 4, True)
    assert found.script == f"{story.TEXT}So <far"


def test_a_part_whose_programs_are_missing_is_skipped_aloud() -> None:
    with pytest.raises(Missing, match="apt install package-of-it"):
        find("no-such-program", package="package-of-it")
    outcome = Outcome("A part", skipped="no-such-program is not here")
    assert "SKIPPED: A part. no-such-program is not here" in table([outcome], 1)
