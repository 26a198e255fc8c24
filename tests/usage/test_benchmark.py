"""Benchmarks: what is asked, what is counted, what is written, and what nobody's spreadsheet runs."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from accounts.models import User
from providers.simulator.server import ThreadServer
from tests.usage.conftest import SONNET, ledger_is_whole, lines, open_holds
from usage.benchmark import prompts
from usage.benchmark.figures import percentile
from usage.benchmark.judge import read as read_score
from usage.benchmark.prompts import UnreadablePrompts
from usage.benchmark.purse import Purse, PurseEmpty
from usage.benchmark.report import cell, dollars, table
from usage.catalogue import overrides
from usage.models import FallbackChain

HAIKU, OPUS = "anthropic/claude-haiku-5-5", "anthropic/claude-opus-5-5"
pytestmark = pytest.mark.django_db(transaction=True)

Run = Callable[..., Path]


def scripted(**script: Any) -> str:
    """A prompt that says what the simulator answers."""
    return f"Hello.\n[[simulate {json.dumps(script)}]]"


@pytest.fixture
def run(person: User, vendor: ThreadServer, tmp_path: Path) -> Run:
    """Runs the command on these prompts; returns the report's folder."""

    def ran(*asked: dict[str, Any], models: str = SONNET, **options: Any) -> Path:
        file, folder = tmp_path / "prompts.jsonl", tmp_path / "report"
        file.write_text("".join(f"{json.dumps(one)}\n" for one in asked))
        options = {"yes": True, "email": person.email, "out": folder, **options}
        call_command("benchmark", models=models, prompts=file, **options)
        ledger_is_whole()
        return folder

    return ran


def chain() -> None:
    """From now on a dearer model is asked where SONNET cannot answer."""
    with transaction.atomic():
        FallbackChain.objects.create(ref=SONNET, refs=[OPUS])
        overrides.changed()


def calls(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO((folder / "calls.csv").read_text())))


def answers(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


def test_every_prompt_goes_to_every_model_and_all_is_in_the_ledger(run: Run) -> None:
    folder = run(
        {"id": "a", "prompt": scripted(text="The answer is 391."), "expected": "391"},
        {"id": "b", "prompt": scripted(deltas=5)},
        models=f"{SONNET},{HAIKU}",
        runs=2,
    )
    found = calls(folder)
    asked = {(row["model"], row["prompt"], row["run"]) for row in found}
    assert len(found) == len(asked) == 8
    assert {row["outcome"] for row in found} == {"completed"}
    written = lines()
    assert {line.purpose for line in written} == {"benchmark"}
    assert sum(int(row["cost_nano"]) for row in found) == sum(line.cost_nano for line in written) > 0
    assert {row["call_id"] for row in found} == {str(line.call_id) for line in written}
    assert open_holds() == 0
    report = (folder / "report.md").read_text()
    assert f"| {SONNET} | 4 of 4 | 0 | 0 |" in report
    assert "2 of 2" in report  # as expected
    assert dollars(sum(line.cost_nano for line in written)) in report
    assert {one["answer"] for one in answers(folder)} == {"The answer is 391.", "w0 w1 w2 w3 w4 "}
    assert "The answer is 391." in (folder / "answers.md").read_text()


def test_refusals_and_errors_are_rows(run: Run) -> None:
    folder = run(
        {"id": "refused", "prompt": scripted(stop_reason="refusal", text="No.")},
        {"id": "wrong", "prompt": scripted(status=400, message="too odd")},
        {"id": "cut", "prompt": scripted(deltas=9, cut_after=5)},
        {"id": "fine", "prompt": scripted(text="Yes.")},
        concurrency=1,
    )
    found = {row["prompt"]: row for row in calls(folder)}
    outcomes = {name: row["outcome"] for name, row in found.items()}
    assert outcomes == {"refused": "refused", "wrong": "failed", "cut": "interrupted", "fine": "completed"}
    assert (found["wrong"]["error"], found["wrong"]["message"]) == ("invalid_request_error", "too odd")
    assert found["cut"]["estimated"] == "True"
    assert "w0" in next(one["answer"] for one in answers(folder) if one["prompt"] == "cut")
    report = (folder / "report.md").read_text()
    assert f"| {SONNET} | 1 of 4 | 1 | 2 |" in report
    assert "invalid\\_request\\_error × 1" in report


def test_a_call_that_parley_declines_is_a_row_without_a_call(run: Run) -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "AA=="}
    messages = [{"role": "user", "content": [{"type": "document", "source": source}]}]
    (row,) = calls(run({"messages": messages}, models="demo/parley-demo"))
    assert (row["outcome"], row["error"], row["call_id"]) == ("declined", "unsupported", "")
    assert row["message"]
    assert lines() == []


def test_the_judge_scores_blind_and_its_cost_is_listed_apart(run: Run, vendor: ThreadServer) -> None:
    verdict = '{"reason": "Right, and short.", "score": 8}'
    folder = run(
        # The directive travels in the answer's place: the judge's request holds the prompt as well.
        {"id": "a", "prompt": scripted(text=verdict)},
        judge=HAIKU,
        runs=3,
    )
    rows = calls(folder)
    assert [row["score"] for row in rows] == ["8", "8", "8"]
    assert rows[0]["reason"] == "Right, and short."
    by_model = {line.model_asked: line for line in lines()}
    judged = sum(line.cost_nano for line in lines() if line.model_asked == by_model[HAIKU[10:]].model_asked)
    report = (folder / "report.md").read_text()
    assert "8.0 (3)" in report
    assert f"Judge {cell(HAIKU)}: {dollars(judged)}" in report
    assert sum(int(row["cost_nano"]) for row in rows) == sum(line.cost_nano for line in lines()) - judged
    recent = vendor.app.counters.recent
    asked = [json.dumps(one["body"]) for one in recent if "You judge one answer" in json.dumps(one["body"])]
    assert len(asked) == 3
    assert all(SONNET not in body and "sonnet" not in body for body in asked)


def test_a_fallback_is_counted_and_priced_as_what_answered(run: Run) -> None:
    chain()
    busy = {"status": 529, "times": 1, "then": {"text": "From another."}}
    (row,) = calls(run({"prompt": scripted(**busy), "max_tokens": 100}))
    assert (row["outcome"], row["fell_back"], row["attempts"]) == ("completed", "True", "2")
    assert row["served"] == OPUS.partition("/")[2]
    assert {line.model_asked for line in lines() if line.cost_nano} == {OPUS.partition("/")[2]}


def test_the_limit_reckons_with_the_dearest_model_of_a_chain(run: Run) -> None:
    chain()
    (row,) = calls(run({"prompt": "Hello.", "max_tokens": 1000}, max_cost=12_000_000))
    assert row["outcome"] == "not run"


def test_no_call_is_begun_that_could_exceed_the_limit(run: Run) -> None:
    folder = run(
        *({"prompt": scripted(deltas=600), "max_tokens": 1000} for _ in range(6)), max_cost=25_000_000
    )
    found = calls(folder)
    left_out = [row for row in found if row["outcome"] == "not run"]
    assert 0 < len(left_out) < 6
    assert {row["error"] for row in left_out} == {"max_cost"}
    assert sum(line.cost_nano for line in lines()) <= 25_000_000
    assert f"{len(left_out)} calls were not begun" in (folder / "report.md").read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": "anthropic/claude-none"}, "is not on offer"),
        ({"models": f"{SONNET},{SONNET}"}, "each once"),
        ({"models": ","}, "one model or more"),
        ({"judge": "nobody/nothing"}, "is not on offer"),
        ({"email": "stranger@example.org"}, "Nobody active"),
        ({"email": ""}, "There is no owner yet"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_spent(
    run: Run, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(CommandError, match=says):
        run({"prompt": "Hello."}, **options)
    assert lines() == []


def test_a_folder_with_something_in_it_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match="is not empty"):
        run({"prompt": "Hello."})
    assert lines() == []


def test_without_a_yes_nothing_is_done(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("", "no", "Y E S"):
        monkeypatch.setattr("sys.stdin", StringIO(f"{said}\n"))
        with pytest.raises(CommandError, match="Nothing was done"):
            run({"prompt": "Hello."}, yes=False)
    monkeypatch.setattr("sys.stdin", StringIO(""))
    with pytest.raises(CommandError, match="--yes"):
        run({"prompt": "Hello."}, yes=False)
    assert lines() == []


def test_a_yes_is_enough(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("yes\n"))
    assert len(calls(run({"prompt": "Hello."}, yes=False))) == 1


def test_a_text_file_is_prompts_between_rules_or_blank_lines(tmp_path: Path) -> None:
    ruled, plain = tmp_path / "ruled.txt", tmp_path / "plain.txt"
    ruled.write_text("One\n\nstill one\n---\nTwo\n----\n\n")
    plain.write_text("One\nstill one\r\n\r\nTwo\n\n\n")
    assert [prompt.text for prompt in prompts.read(ruled)] == ["One\n\nstill one", "Two"]
    assert [prompt.text for prompt in prompts.read(plain)] == ["One\nstill one", "Two"]


def test_a_line_may_say_more_than_a_prompt(tmp_path: Path) -> None:
    file = tmp_path / "some.txt"
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": [{"type": "text", "text": "Go on\u2028please"}]},
    ]
    full = {"id": 7, "messages": messages, "system": "Be kind", "max_tokens": 9, "expected": "x"}
    file.write_text(json.dumps(full, ensure_ascii=False) + "\n\n" + json.dumps({"prompt": "Hi"}))
    first, second = prompts.read(file)
    assert (first.id, first.system, first.max_tokens, first.expected) == ("7", "Be kind", 9, "x")
    assert first.text == "Go on\u2028please"
    assert (second.id, second.messages) == ("2", [{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no prompt"),
        ('{"prompt": "a"}\nnonsense', "Line 2 is not JSON"),
        ('{"prompt": "a"}\n[1]', "Line 2 is not a JSON object"),
        ('{"prompt": "a", "temprature": 1}', "unknown fields: temprature"),
        ('{"prompt": ""}', "needs either prompt"),
        ('{"prompt": "a", "messages": []}', "needs either prompt"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "needs either prompt"),
        ('{"messages": [{"role": "user", "content": 5}]}', "needs either prompt"),
        ('{"prompt": "a", "max_tokens": true}', "max_tokens"),
        ('{"prompt": "a", "system": 1}', "system must be a text"),
        ('{"prompt": "a", "id": "x"}\n{"prompt": "b", "id": "x"}', "there twice: x"),
    ],
)
def test_a_file_that_is_no_prompt_set_says_why(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text(content)
    with pytest.raises(UnreadablePrompts, match=says):
        prompts.read(file)


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(UnreadablePrompts, match="not UTF-8"):
        prompts.read(tmp_path / "latin.txt")
    with pytest.raises(UnreadablePrompts, match="cannot be read"):
        prompts.read(tmp_path / "none.txt")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "  ="])
def test_no_cell_of_a_sheet_is_a_formula(start: str) -> None:
    text = table([{"a": f"{start}HYPERLINK(1)", "b": 5, "c": None, "d": 0.5}])
    (_heads, row) = list(csv.reader(StringIO(text, newline="")))
    assert row[0].startswith("'")
    assert row[1:] == ["5", "", "0.500"]


def test_names_of_models_do_not_break_the_table() -> None:
    assert cell("a|b\n| <b>*x*\u202e`") == "a\\|b \\| \\<b\\>\\*x\\* \\`"


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ('{"reason": "ok \\"so\\"", "score": 7}', (7, 'ok "so"')),
        ('I think {"score": 3}. No: {"reason": "b", "score": 10}', (10, "b")),
        ('{"score": 11}', (None, "")),
        ('{"score": 7.5}', (None, "")),
        ('{"score": 0}', (None, "")),
        ("eight", (None, "")),
        ("", (None, "")),
    ],
)
def test_the_score_in_a_reply(reply: str, score: tuple[int | None, str]) -> None:
    assert read_score(reply) == score


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = [float(n) for n in range(1, 21)]
    assert (percentile(values, 50), percentile(values, 95)) == (10.0, 19.0)
    assert percentile([5.0, None], 95) == 5.0
    assert percentile([], 50) is None


def test_money_is_rounded_half_up_to_millionths() -> None:
    assert [dollars(nano) for nano in (0, 499, 500, 1_234_567_890_499)] == [
        "$0.000000",
        "$0.000000",
        "$0.000001",
        "$1234.567890",
    ]


async def test_a_purse_waits_for_calls_under_way_and_then_says_no() -> None:
    purse = Purse(100)
    order: list[str] = []

    async def spend(name: str, bound: int, cost: int) -> None:
        try:
            async with purse.taking(bound) as taken:
                order.append(name)
                await asyncio.sleep(0)
                taken.cost_nano = cost
        except PurseEmpty:
            order.append(f"{name} left out")

    await asyncio.gather(spend("a", 80, 10), spend("b", 80, 30), spend("c", 80, 5))
    assert order == ["a", "b", "c left out"]
    assert purse.spent_nano == 40
