"""The folder of a benchmark: report.md for people, models.csv and calls.csv for sheets, the answers.

Answers are kept whole, in answers.jsonl and, side by side, in answers.md: the prompts are the operator's own.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

from .figures import Figures, by_model
from .judge import Score
from .prompts import Prompt
from .runs import Row

NANO = 1_000_000_000
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
NOTES = (
    "Times are of the attempt that answered, without waiting for a place or between attempts: time to first "
    "token is from asking the vendor to the first content (thinking counts), tokens per second from there to "
    "the end; p50 and p95 by nearest rank over complete answers.",
    "Costs are the ledger's, failed and stopped calls included; the judge's are listed apart.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a run left. `stopped`: it was ended before its time; `judge` "" for none."""

    began_at: datetime
    ended_at: datetime
    models: Sequence[str]
    prompts: Sequence[Prompt]
    runs: int
    rows: Sequence[Row]
    scores: Sequence[Score] = ()
    judge: str = ""
    stopped: bool = False
    max_cost_nano: int | None = None

    @property
    def by_call(self) -> dict[UUID, Score]:
        return {score.call_id: score for score in self.scores}

    @property
    def cost_nano(self) -> int:
        return sum(row.cost_nano for row in self.rows)

    @property
    def judge_cost_nano(self) -> int:
        return sum(score.cost_nano for score in self.scores)


def write(folder: Path, results: Results) -> Path:
    """Writes all files of the report into a folder that exists; returns the one for people."""
    figures = by_model(results.rows, results.models, results.scores)
    rows = sorted(results.rows, key=_order(results))
    report = folder / "report.md"
    _save(report, markdown(results, figures))
    _save(folder / "models.csv", table([_model_cells(one) for one in figures]))
    scores = results.by_call
    judged = [(row, scores.get(row.call_id) if row.call_id is not None else None) for row in rows]
    _save(folder / "calls.csv", table([_call_cells(row, score) for row, score in judged]))
    _save(folder / "answers.jsonl", "".join(f"{json.dumps(_answer(row, score))}\n" for row, score in judged))
    _save(folder / "answers.md", side_by_side(results, rows))
    return report


def markdown(results: Results, figures: Sequence[Figures]) -> str:
    judged, expected = bool(results.judge), any(one.expected for one in figures)
    heads = [
        "model", "answers", "refused", "failed", "first token p50", "p95", "tokens/s", "tokens in", "out",
        "cost", "per call", "fell back",
    ]  # fmt: skip
    heads += ["as expected"] * expected + ["score"] * judged
    lines = [
        "# Benchmark",
        "",
        f"{_moment(results.began_at)} to {_moment(results.ended_at)}: {len(results.prompts)} prompts "
        f"× {results.runs} runs × {len(results.models)} models.",
        *_warnings(results, figures),
        "",
        f"| {' | '.join(heads)} |",
        f"| --- |{' ---: |' * (len(heads) - 1)}",
        *(f"| {' | '.join(_cells(one, judged=judged, expected=expected))} |" for one in figures),
        "",
        f"Cost of the models: {dollars(results.cost_nano)}"
        + (f". Judge {cell(results.judge)}: {dollars(results.judge_cost_nano)}." if judged else "."),
        "",
    ]
    if troubles := [one for one in figures if one.errors]:
        lines += ["## What went wrong", ""]
        lines += [f"- {cell(one.model)}: {cell(', '.join(_counted(one.errors)))}" for one in troubles]
        lines += ["", "calls.csv has each call with its sentence.", ""]
    lines += ["## Notes", "", *(f"- {note}" for note in NOTES)]
    if judged:
        lines.append(
            "- Scores are from 1 to 10, by one model that saw the request and one answer, not whose it was. "
            "Judges prefer long answers and their own kind; read answers.md before deciding."
        )
    lines += ["- The answers: answers.md, side by side; answers.jsonl, for programs.", ""]
    return "\n".join(lines)


def summary(results: Results) -> str:
    """The figures that count most, for a terminal."""
    figures = by_model(results.rows, results.models, results.scores)
    wide = max(len(one.model) for one in figures)
    lines = [f"{'model':<{wide}}  answers  first token p50    p95  tokens/s        cost"]
    for one in figures:
        speed = "" if one.speed_p50 is None else f"{one.speed_p50:.1f}"
        score = "" if one.score is None else f"  score {one.score:.1f}"
        lines.append(
            f"{one.model:<{wide}}  {f'{one.answered}/{one.planned}':>7}  {_seconds(one.first_p50):>15}"
            f"  {_seconds(one.first_p95):>5}  {speed:>8}  {dollars(one.cost_nano):>10}{score}"
        )
    if results.judge:
        lines.append(f"Judge {results.judge}: {dollars(results.judge_cost_nano)}")
    return CONTROL.sub(" ", "\n".join(lines))


def side_by_side(results: Results, rows: Sequence[Row]) -> str:
    scores = results.by_call
    parts = ["# Answers", ""]
    for prompt in results.prompts:
        parts += [f"## Prompt {cell(prompt.id)}", "", *_fenced(prompt.text), ""]
        for row in (row for row in rows if row.prompt == prompt.id):
            run = f", run {row.run}" if results.runs > 1 else ""
            judged = scores.get(row.call_id) if row.call_id is not None else None
            score = f", score {judged.score}" if judged is not None and judged.score is not None else ""
            parts += [f"### {cell(row.model)}{run}: {row.outcome}{score}", ""]
            if judged is not None and judged.reason:
                parts += [f"Judge: {cell(judged.reason)}", ""]
            if row.error:
                parts += [f"{cell(row.error)}: {cell(row.message)}", ""]
            if row.answer:
                parts += [*_fenced(row.answer), ""]
    return "\n".join(parts)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """CSV with a line of heads. No cell can be taken for a formula by a spreadsheet."""
    out = StringIO()
    if rows:
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(list(rows[0]))
        writer.writerows([_inert(value) for value in row.values()] for row in rows)
    return out.getvalue()


def dollars(nano: int) -> str:
    """Dollars with six decimals, rounded half up."""
    micro = (nano + 500) // 1000
    return f"${micro // 1_000_000}.{micro % 1_000_000:06d}"


def cell(text: str) -> str:
    """A text as part of one Markdown line or table cell."""
    flat = " ".join(CONTROL.sub(" ", text).split())
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", flat)


def _save(path: Path, text: str) -> None:
    """For the operator's eyes alone. Texts of vendors may hold lone surrogates, which no file takes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
        file.write(text)


def _warnings(results: Results, figures: Sequence[Figures]) -> Iterable[str]:
    planned = len(results.models) * len(results.prompts) * results.runs
    if results.stopped:
        yield f"\n**Stopped before its end: {len(results.rows)} of {planned} calls.**"
    if left_out := sum(one.not_run for one in figures):
        limit = f" of {dollars(results.max_cost_nano)}" if results.max_cost_nano is not None else ""
        yield f"\n**{left_out} calls were not begun: the limit{limit} was reached.**"


def _cells(one: Figures, *, judged: bool, expected: bool) -> list[str]:
    cells = [
        cell(one.model),
        f"{one.answered} of {one.planned}",
        str(one.refused),
        str(one.failed + one.declined),
        _seconds(one.first_p50),
        _seconds(one.first_p95),
        "" if one.speed_p50 is None else f"{one.speed_p50:.1f}",
        f"{one.input:,}",
        f"{one.output:,}",
        dollars(one.cost_nano) + (" est." if one.estimated else ""),
        "" if one.cost_per_call_nano is None else dollars(one.cost_per_call_nano),
        str(one.fell_back),
    ]
    if expected:
        cells.append(f"{one.expected_found} of {one.expected}" if one.expected else "")
    if judged:
        cells.append("" if one.score is None else f"{one.score:.1f} ({one.scored})")
    return cells


def _model_cells(one: Figures) -> dict[str, Any]:
    cells = {item.name: getattr(one, item.name) for item in fields(one)}
    return {**cells, "errors": "; ".join(_counted(one.errors))}


def _call_cells(row: Row, score: Score | None) -> dict[str, Any]:
    cells = {name: value for name, value in asdict(row).items() if name != "answer"}
    return {
        **cells,
        "tokens_per_second": row.tokens_per_second,
        "score": score.score if score else None,
        "reason": score.reason if score else "",
    }


def _answer(row: Row, score: Score | None) -> dict[str, Any]:
    facts = asdict(row)
    return {**facts, "call_id": str(row.call_id or ""), "score": score.score if score else None}


def _order(results: Results) -> Any:
    prompts = {prompt.id: place for place, prompt in enumerate(results.prompts)}
    models = {model: place for place, model in enumerate(results.models)}
    return lambda row: (prompts.get(row.prompt, 0), row.run, models.get(row.model, 0))


def _inert(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if not isinstance(value, str):
        return value
    text = CONTROL.sub(" ", value)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) or value.startswith(FORMULA) else text


def _fenced(text: str) -> list[str]:
    """A code fence that nothing in the text closes."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", CONTROL.sub(" ", text), fence]


def _counted(errors: Iterable[tuple[str, int]]) -> list[str]:
    return [f"{name} × {count}" for name, count in errors]


def _seconds(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
