"""The laws of money, as functions from facts to breaches: held, settled once, never free, never twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

from chaos import story
from chaos.facts import BUCKETS, DAY_SUMS, Facts, Line, Message, Run, question_text
from chaos.possible import possible_answers
from chaos.shown import Breach, Shown

HOLD_GRACE = timedelta(seconds=60)  # after the end of a hold's lease, for the sweep
# A call that was lost may have been made again at the vendor in the second before its hold heard of it.
UNSEEN_ATTEMPTS = 2
LOST = "process_lost"
PICO_PER_NANO = 1000


def at_rest(
    facts: Facts, shown: dict[str, Shown], asked: Counter[str] | None, continuations: Collection[str]
) -> Iterator[Breach]:
    """`asked`: vendor requests by what they asked (vendor.py), None where nobody counted; `continuations`:
    what may be answered to a message without a directive.
    """
    yield from _calls(facts)
    yield from _delivered(facts, shown)
    yield from _bills(facts, continuations)
    yield from _days(facts)
    if asked is not None:
        yield from _vendor(facts, asked)


def _calls(facts: Facts) -> Iterator[Breach]:
    """Per run at most one call more than it was started again; each call settled exactly once."""
    calls: dict[str, set[str]] = defaultdict(set)
    for hold in facts.holds:
        if hold.run:
            calls[hold.run].add(hold.call)
    for run in facts.runs:
        if len(calls[run.id]) > run.attempts + 1:
            yield Breach(
                "a run was metered too often", run.id, f"{len(calls[run.id])} calls, {run.attempts} restarts"
            )
    lines = _by_call(facts)
    held = {hold.call for hold in facts.holds}
    for hold in facts.holds:
        if hold.state == "closed" and not lines.get(hold.call):
            yield Breach("a closed hold has no ledger line: the call was free", hold.run, f"call {hold.call}")
        if hold.state == "open" and lines.get(hold.call):
            yield Breach("an open hold has ledger lines", hold.run, f"call {hold.call}")
        if hold.state == "open" and facts.at > hold.renewed_until + HOLD_GRACE:
            yield Breach("a hold is older than its lease", hold.run, f"{hold.purpose} call {hold.call}")
    for call, its in lines.items():
        if call not in held:
            yield Breach("a ledger line without a hold", its[0].run, f"call {call}")
        yield from _settled_once(call, its)


def _settled_once(call: str, lines: list[Line]) -> Iterator[Breach]:
    run = lines[0].run
    attempts = sorted({line.attempt for line in lines})
    if attempts != list(range(1, len(attempts) + 1)):
        yield Breach("a call's attempts are not counted from 1", run, f"call {call}: {attempts}")
    for attempt in attempts:
        numbers = [line.line for line in lines if line.attempt == attempt]
        if sorted(numbers) != list(range(len(numbers))):
            yield Breach(
                "a call was settled twice", run, f"call {call}, attempt {attempt}: lines {sorted(numbers)}"
            )
        for line in lines:
            if line.attempt == attempt and line.line > 0 and line.source == "reported":
                yield Breach(
                    "a call was settled twice",
                    run,
                    f"call {call}, attempt {attempt}: line {line.line} is no correction",
                )


def _delivered(facts: Facts, shown: dict[str, Shown]) -> Iterator[Breach]:
    """Whoever was shown something pays for something."""
    output: Counter[str] = Counter()
    for line in facts.lines:
        output[line.run] += line.tokens["output_tokens"]
    open_runs = {hold.run for hold in facts.open_holds}
    for id_, seen in shown.items():
        run = id_.replace("-", "")
        if story.characters(seen.script) and output[run] <= 0 and run not in open_runs:
            yield Breach(
                "delivered work was free",
                run,
                f"{len(seen.script)} characters were shown, no output was charged",
            )


def _bills(facts: Facts, continuations: Collection[str]) -> Iterator[Breach]:
    """An attempt costs what its tokens cost at its hold's price; its output is no more than was sent."""
    tariffs = {hold.call: hold.tariff["rates"] for hold in facts.holds}
    sizes = _sizes(facts, continuations)
    for call, lines in _by_call(facts).items():
        rates = tariffs.get(call)
        if rates is None:
            continue
        for attempt in {line.attempt for line in lines}:
            its = [line for line in lines if line.attempt == attempt]
            tokens = {name: sum(line.tokens[name] for line in its) for name in BUCKETS}
            cost = sum(line.cost for line in its)
            if abs(cost - price(tokens, rates)) > len(its):  # each line is rounded once
                yield Breach(
                    "a call was billed otherwise than its tokens",
                    its[0].run,
                    f"call {call}, attempt {attempt}: {cost} instead of {price(tokens, rates)} nano-dollars",
                )
            most = sizes.get(its[0].run)
            if most is not None and tokens["output_tokens"] > most:
                yield Breach(
                    "an answer was billed twice",
                    its[0].run,
                    f"call {call}, attempt {attempt}: {tokens['output_tokens']} tokens, at most {most} came",
                )


def price(tokens: dict[str, int], rates: dict[str, int]) -> int:
    hour = tokens["cache_creation_1h"]
    minutes = max(tokens["cache_creation_5m"], tokens["cache_creation_input_tokens"] - hour)
    pico = (
        tokens["input_tokens"] * rates["input"]
        + tokens["output_tokens"] * rates["output"]
        + tokens["cache_read_input_tokens"] * rates["cache_read"]
        + minutes * rates["cache_write_5m"]
        + hour * rates["cache_write_1h"]
    )
    return (2 * pico + PICO_PER_NANO) // (2 * PICO_PER_NANO)


def _sizes(facts: Facts, continuations: Collection[str]) -> dict[str, int]:
    """The most output tokens that an answer can be: a token for three bytes. Thinking is billed by time."""
    messages = {message.id: message for message in facts.messages}
    sizes = {}
    for run in facts.runs:
        answer = messages.get(run.message)
        possible = possible_answers(answer, messages, continuations) if answer is not None else []
        if possible and not any(story.THINKING in one for one in possible):
            sizes[run.id] = max(len(one.encode()) for one in possible) // 3 + 16
    return sizes


def _days(facts: Facts) -> Iterator[Breach]:
    sums: dict[tuple[str, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(DAY_SUMS, 0))
    for line in facts.lines:
        row = sums[line.day]
        for name in BUCKETS:
            row[name] += line.tokens[name]
        row["cost_nano"] += line.cost
        row["calls"] += line.line == 0 and line.attempt == 1
        row["failed"] += line.line == 0 and line.outcome == "failed"
        row["estimated"] += line.source == "estimated"
    for key in sums.keys() | facts.days.keys():
        kept, counted = facts.days.get(key), sums.get(key)
        if kept != counted:
            parts = [name for name in DAY_SUMS if (kept or {}).get(name) != (counted or {}).get(name)]
            yield Breach(
                "the daily roll-up is not the ledger", "", f"{key}: {parts}, kept {kept}, ledger {counted}"
            )


def _vendor(facts: Facts, asked: Counter[str]) -> Iterator[Breach]:
    """No request at the vendor without a hold, and no ledger line that says "reported" without a request."""
    messages = {message.id: message for message in facts.messages}
    prompts = {run.id: _prompt(messages, run) for run in facts.runs}
    lost = {run.id for run in facts.runs if run.attempts or run.status in ("interrupted", "stopped")}
    lines = _by_call(facts)
    most: Counter[str] = Counter()
    least: Counter[str] = Counter()
    for hold in facts.holds:
        prompt = "title" if hold.purpose == "title" else prompts.get(hold.run, "?")
        its = lines.get(hold.call, [])
        attempts = {line.attempt for line in its}
        doubtful = hold.state == "open" or hold.run in lost or any(line.error == LOST for line in its)
        most[prompt] += max(1, len(attempts)) + (UNSEEN_ATTEMPTS if doubtful else 0)
        counted = {line.attempt for line in its if line.source == "reported" and any(line.tokens.values())}
        least[prompt] += len(counted)
    for prompt in asked.keys() | most.keys():
        if not least[prompt] <= asked[prompt] <= most[prompt]:
            yield Breach(
                "the vendor was asked otherwise than the ledger says",
                next((run for run, its_prompt in prompts.items() if its_prompt == prompt), ""),
                f"{prompt[:60]!r}: {asked[prompt]} requests, the ledger {least[prompt]} to {most[prompt]}",
            )


def _prompt(messages: dict[str, Message], run: Run) -> str:
    answer = messages.get(run.message)
    question = messages.get(answer.parent) if answer is not None else None
    return prompt_name(question_text(question)) if question is not None else "?"


def prompt_name(text: str) -> str:
    """What requests and runs are compared by: the question's tag, or its words where it has none."""
    fields: dict[str, Any] = story.directive_of(text) or {}
    return str(fields.get("id", text))


def _by_call(facts: Facts) -> dict[str, list[Line]]:
    calls: dict[str, list[Line]] = defaultdict(list)
    for line in facts.lines:
        calls[line.call].append(line)
    return calls
