"""The laws, as functions from facts to breaches. Nothing here knows how the facts were made.

`at_any_time` holds at every moment, `at_rest` once everything has had time to settle, `at_the_end` also when
every hold has run out that a lost process left behind.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from datetime import timedelta

from chaos import bills, story
from chaos.facts import Facts, Message, Run, question_text
from chaos.possible import possible_answers
from chaos.shown import Breach, Shown, damage, difference

LONGEST_WITHOUT_HOST = timedelta(seconds=60)


def at_any_time(facts: Facts) -> list[Breach]:
    return [*_hosts(facts), *_states(facts)]


def at_rest(
    facts: Facts,
    shown: dict[str, Shown],
    *,
    asked: Counter[str] | None = None,
    accepted: list[str] | None = None,
    continuations: Collection[str] = (),
) -> list[Breach]:
    """`asked`: vendor requests by what they asked (vendor.py); `accepted`: tags of questions that the server
    took; `continuations`: the vendor's answers to Continue.
    """
    return [
        *at_any_time(facts),
        *_settled(facts),
        *_stored(facts, shown),
        *_sent(facts, continuations),
        *_trees(facts),
        *bills.at_rest(facts, shown, asked, continuations),
        *_accepted(facts, accepted or []),
    ]


def at_the_end(facts: Facts) -> list[Breach]:
    """No hold is open. A call without a settlement is one with an open hold."""
    return [
        Breach("a hold stays open after the sweep", hold.run, f"{hold.purpose} call {hold.call}")
        for hold in facts.open_holds
    ]


# Runs


def _hosts(facts: Facts) -> Iterator[Breach]:
    for run in facts.live:
        if run.lease_until is not None and facts.at - run.lease_until > LONGEST_WITHOUT_HOST:
            yield Breach(
                "a live run has had no host for a minute",
                run.id,
                f"{run.status}, host {run.host}, lease {run.lease_until}",
            )


def _states(facts: Facts) -> Iterator[Breach]:
    messages = {message.id: message for message in facts.messages}
    live: dict[str, list[Run]] = defaultdict(list)
    latest: dict[str, Run] = {}
    for run in facts.runs:
        latest[run.message] = run
        if run.live:
            live[run.message].append(run)
            if run.finished:
                yield Breach("a run is in two states", run.id, f"{run.status}, and yet finished")
        elif not run.finished:
            yield Breach("a run is in two states", run.id, f"{run.status}, and yet not finished")
        elif run.lease_until is not None:
            yield Breach("an ended run has a lease", run.id, f"{run.status}, lease until {run.lease_until}")
        if run.attempts > 1:
            yield Breach("a run was started again more than once", run.id, f"{run.attempts} times")
    for id_, runs in live.items():
        if len(runs) > 1:
            yield Breach(
                "a message has two live runs", runs[0].id, f"message {id_}: {[run.id for run in runs]}"
            )
    for id_, run in latest.items():
        message_status = messages[id_].status if id_ in messages else "missing"
        expected = "running" if run.live else run.status
        if message_status != expected:
            yield Breach(
                "a message disagrees with its run", run.id, f"message {message_status}, run {run.status}"
            )
    for message in facts.messages:
        if message.role == "assistant" and message.id not in latest:
            yield Breach("an answer has no run", "", f"message {message.id}, {message.status}")
    alive = {run.id for run in facts.live}
    for run_id in facts.journal:
        if run_id not in alive:
            yield Breach("an ended run has journal rows", run_id, f"{facts.journal[run_id]} rows")


def _settled(facts: Facts) -> Iterator[Breach]:
    for run in facts.live:
        yield Breach(
            "a run is still live when everything should have settled",
            run.id,
            f"{run.status}, host {run.host}",
        )


# Shown, stored, sent


def _stored(facts: Facts, shown: dict[str, Shown]) -> Iterator[Breach]:
    """What was shown is the beginning of what is stored."""
    messages = {message.id: message for message in facts.messages}
    of_run = {run.id: run.message for run in facts.runs}
    for id_, seen in shown.items():
        run = id_.replace("-", "")
        message = messages.get(of_run.get(run, ""))
        if message is None:
            yield Breach(
                "what was shown is not stored at all",
                run,
                f"{len(seen.script)} characters: {seen.script[:80]!r}",
            )
            continue
        kept = stored_script(message)
        if not kept.startswith(seen.script):
            lost, doubled = damage(seen.script, kept)
            yield Breach(
                "what was shown is not what is stored",
                run,
                f"{lost} characters lost, {doubled} doubled; shown on {seen.where}, "
                f"stored as {message.status}: {difference(seen.script, kept)}",
            )


def _sent(facts: Facts, continuations: Collection[str]) -> Iterator[Breach]:
    """What is stored is the beginning of what the vendor sends; a completed answer is all of it."""
    messages = {message.id: message for message in facts.messages}
    for message in facts.messages:
        if message.role != "assistant" or message.status == "running":
            continue
        kept, sent = stored_script(message), possible_answers(message, messages, continuations)
        if not any(answer.startswith(kept) for answer in sent):
            nearest = max(sent, key=lambda answer: _agreeing(answer, kept), default="")
            yield Breach(
                "what is stored is not what was sent",
                _run_of(facts, message.id),
                f"{message.status}: {difference(kept, nearest)}",
            )
        elif message.status == "completed" and kept not in sent:
            yield Breach(
                "a completed answer is not whole",
                _run_of(facts, message.id),
                f"{len(kept)} of {[len(answer) for answer in sent]} characters: …{kept[-60:]!r}",
            )


def stored_script(message: Message) -> str:
    blocks = json.loads(message.blocks)
    opened = {"index": len(blocks) - 1, "json": message.cut_input} if message.cut_input else None
    return story.script(blocks, opened)


def _agreeing(one: str, other: str) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _run_of(facts: Facts, message: str) -> str:
    return next((run.id for run in facts.runs if run.message == message), "")


# Conversations


def _trees(facts: Facts) -> Iterator[Breach]:
    messages = {message.id: message for message in facts.messages}
    for message in facts.messages:
        if message.parent and message.parent not in messages:
            yield Breach("a message hangs in the air", "", f"message {message.id} below {message.parent}")
        elif message.parent and messages[message.parent].conversation != message.conversation:
            yield Breach("a message hangs on another conversation", "", f"message {message.id}")
    for conversation in facts.conversations:
        head, path = conversation.head, set()
        if head not in messages:
            yield Breach("a conversation has no head", "", f"conversation {conversation.id}")
            continue
        if messages[head].conversation != conversation.id:
            yield Breach("a conversation's head is elsewhere", "", f"conversation {conversation.id}")
        while head in messages:
            if head in path:
                yield Breach("a conversation runs in a circle", "", f"conversation {conversation.id}")
                break
            if messages[head].deleted:
                yield Breach(
                    "a deleted message is shown", "", f"message {head} of conversation {conversation.id}"
                )
            path.add(head)
            head = messages[head].parent


def _accepted(facts: Facts, accepted: list[str]) -> Iterator[Breach]:
    """A question that was taken is there, and no question is there twice."""
    there: Counter[str] = Counter()
    for message in facts.messages:
        if message.role == "user" and (fields := story.directive_of(question_text(message))) is not None:
            there[str(fields["id"])] += 1
    for tag in accepted:
        if not there[tag]:
            yield Breach("a message that was accepted is gone", "", f"question {tag}")
    for tag, count in there.items():
        if count > 1:
            yield Breach("a message was kept twice", "", f"question {tag}: {count} times")
