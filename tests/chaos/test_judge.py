"""A chaos suite that cannot fail is worthless: each law, once it is broken, is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from chaos import judge, story
from chaos.bills import LOST, price
from chaos.facts import BUCKETS, Conversation, Facts
from tests.chaos.facts import (
    ANSWER,
    NOW,
    QUESTION,
    RATES,
    TEXT,
    days,
    hold,
    line,
    message,
    run,
    seen,
    world,
)


def laws(facts: Facts, script: str = ANSWER, **more: object) -> set[str]:
    return {breach.law for breach in judge.at_rest(facts, seen(script), **more)}  # type: ignore[arg-type]


def question_and(text: str, **more: object) -> list[object]:
    return [message("m1", "", "user", QUESTION.text), message("m2", "m1", "assistant", text, **more)]


def test_a_world_in_order_breaks_no_law() -> None:
    asked = Counter({"tag1": 1})
    assert judge.at_rest(world(), seen(), asked=asked, accepted=["tag1"]) == []
    assert judge.at_the_end(world()) == []


def test_an_answer_that_was_cut_breaks_no_law() -> None:
    cut = {"status": "interrupted"}
    estimated = line(source="estimated", outcome="interrupted", error=LOST)
    facts = world(messages=question_and(TEXT[:90], **cut), runs=[run(**cut)], lines=[estimated])
    assert laws(facts, ANSWER[:80]) == set()


def test_a_character_lost_at_the_end_is_noticed() -> None:
    cut = {"status": "interrupted"}
    facts = world(messages=question_and(TEXT[:89], **cut), runs=[run(**cut)])
    (breach,) = [one for one in judge.at_rest(facts, seen(ANSWER[:91])) if "shown" in one.law]
    assert breach.law == "what was shown is not what is stored"
    assert "1 characters lost" in breach.story


def test_a_character_lost_in_the_middle_is_noticed() -> None:
    found = laws(world(messages=question_and(TEXT[:40] + TEXT[41:])))
    assert found == {"what was shown is not what is stored", "what is stored is not what was sent"}


def test_characters_that_are_stored_twice_are_noticed() -> None:
    doubled = TEXT[:50] + TEXT[30:50] + TEXT[50:]
    facts = world(messages=question_and(doubled))
    (breach,) = [one for one in judge.at_rest(facts, seen()) if "shown" in one.law]
    assert "0 characters lost, 20 doubled" in breach.story


def test_an_answer_of_another_question_is_noticed() -> None:
    assert "what is stored is not what was sent" in laws(world(messages=question_and("Something else.")), "")


def test_a_completed_answer_without_its_end_is_noticed() -> None:
    assert "a completed answer is not whole" in laws(world(messages=question_and(TEXT[:60])), ANSWER[:40])


def test_an_answer_that_was_shown_and_has_no_row_is_noticed() -> None:
    facts = world(messages=[message("m1", "", "user", QUESTION.text)], runs=[], holds=[], lines=[])
    facts.conversations = [Conversation("c1", "m1")]
    assert laws(facts) >= {"what was shown is not stored at all"}


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        ({"finished": False}, "a run is in two states"),
        ({"lease_until": NOW}, "an ended run has a lease"),
        ({"status": "running", "finished": True}, "a run is in two states"),
        ({"status": "stopped"}, "a message disagrees with its run"),
        ({"attempts": 2}, "a run was started again more than once"),
        ({"status": "running", "finished": False}, "a run is still live when everything should have settled"),
    ],
)
def test_a_run_in_a_wrong_state_is_noticed(broken: dict[str, object], law: str) -> None:
    assert law in laws(world(runs=[run(**broken)]))


def test_a_live_run_without_a_host_is_noticed_at_any_time() -> None:
    live = run(status="running", finished=False, lease_until=NOW - timedelta(seconds=61))
    facts = world(runs=[live], messages=question_and("", status="running", blocks="[]"))
    assert {breach.law for breach in judge.at_any_time(facts)} == {"a live run has had no host for a minute"}


def test_two_live_runs_of_one_message_are_noticed() -> None:
    live = run(status="running", finished=False, lease_until=NOW)
    facts = world(runs=[live, replace(live, id="r2")], messages=question_and("", status="running"))
    assert "a message has two live runs" in {breach.law for breach in judge.at_any_time(facts)}


def test_journal_rows_of_an_ended_run_are_noticed() -> None:
    assert laws(world(journal={"r1": 3})) == {"an ended run has journal rows"}


def test_an_answer_without_a_run_is_noticed() -> None:
    assert "an answer has no run" in laws(world(runs=[], holds=[], lines=[]), "")


def test_an_open_hold_is_noticed_at_the_end() -> None:
    left = hold(call="k2", run="", purpose="title", state="open", renewed_until=NOW + timedelta(seconds=40))
    facts = world(holds=[hold(), left])
    assert laws(facts) == set()  # its lease has not run out
    assert {breach.law for breach in judge.at_the_end(facts)} == {"a hold stays open after the sweep"}


def test_a_hold_that_nobody_sweeps_is_noticed() -> None:
    left = hold(call="k2", run="", purpose="title", state="open", renewed_until=NOW - timedelta(seconds=61))
    assert laws(world(holds=[hold(), left])) == {"a hold is older than its lease"}


def test_a_call_too_many_is_noticed() -> None:
    lines = [line(), line(call="k2")]
    assert laws(world(holds=[hold(), hold(call="k2")], lines=lines)) == {"a run was metered too often"}


def test_a_run_that_was_started_again_may_be_called_again() -> None:
    lines = [line(source="estimated", error=LOST), line(call="k2")]
    facts = world(runs=[run(attempts=1)], holds=[hold(), hold(call="k2")], lines=lines)
    assert laws(facts) == set()


def test_a_double_bill_as_a_second_settlement_is_noticed() -> None:
    assert "a call was settled twice" in laws(world(lines=[line(), line(line=1)]))
    assert "a call was settled twice" in laws(world(lines=[line(), line()]))


def test_a_double_bill_inside_one_line_is_noticed() -> None:
    tokens = line().tokens | {"output_tokens": len(TEXT.encode())}
    doubled = line(tokens=tokens, cost=price(tokens, RATES))
    assert laws(world(lines=[doubled])) == {"an answer was billed twice"}


def test_a_bill_that_is_not_its_tokens_is_noticed() -> None:
    assert laws(world(lines=[line(cost=2 * line().cost)])) == {"a call was billed otherwise than its tokens"}


def test_a_larger_estimate_costs_what_its_tokens_cost() -> None:
    more = dict.fromkeys(BUCKETS, 0) | {"output_tokens": 2}
    first = line(source="estimated", error=LOST)
    second = line(line=1, source="estimated", error=LOST, tokens=more, cost=price(more, RATES))
    assert laws(world(lines=[first, second])) == set()
    for cost in (price(more, RATES) // 2, 2 * price(more, RATES)):
        wrong = replace(second, cost=cost)
        assert laws(world(lines=[first, wrong])) == {"a call was billed otherwise than its tokens"}


def test_an_answer_to_two_questions_at_once_may_be_the_answer_to_the_first() -> None:
    """Nothing of the first one's answer was sent back, so the vendor got both questions as one turn."""
    second = message(
        "m3", "m2", "user", "Question, plain.\n" + QUESTION.text.partition("\n")[2].replace(TEXT, "Ok.")
    )
    facts = world(
        messages=[
            message("m1", "", "user", QUESTION.text),
            message("m2", "m1", "assistant", "", status="interrupted"),
            second,
            message("m4", "m3", "assistant", TEXT),
        ],
        runs=[run(status="interrupted"), run(id="r2", message="m4", call="k2")],
        conversations=[Conversation("c1", "m4")],
        holds=[hold(), hold(call="k2", run="r2")],
        lines=[line(), line(call="k2", run="r2")],
    )
    assert "an answer was billed twice" not in laws(facts, "")


def test_delivered_work_without_a_bill_is_noticed() -> None:
    tokens = line().tokens | {"output_tokens": 0}
    free = line(tokens=tokens, cost=price(tokens, RATES))
    assert laws(world(lines=[free])) == {"delivered work was free"}


def test_a_hold_that_was_merely_freed_is_noticed() -> None:
    assert "a closed hold has no ledger line: the call was free" in laws(world(lines=[]))


def test_a_ledger_line_without_a_hold_is_noticed() -> None:
    assert "a ledger line without a hold" in laws(world(holds=[]))


def test_a_roll_up_that_is_not_the_ledger_is_noticed() -> None:
    wrong = days([line()])
    next(iter(wrong.values()))["cost_nano"] += 1
    assert laws(world(days=wrong)) == {"the daily roll-up is not the ledger"}
    assert laws(world(days={})) == {"the daily roll-up is not the ledger"}


@pytest.mark.parametrize("requests", [0, 2])
def test_a_vendor_that_was_asked_otherwise_than_the_ledger_says_is_noticed(requests: int) -> None:
    asked = Counter({"tag1": requests})
    assert laws(world(), asked=asked) == {"the vendor was asked otherwise than the ledger says"}


def test_a_vendor_call_without_any_hold_is_noticed() -> None:
    asked = Counter({"tag1": 1, "tag2": 1})
    assert laws(world(), asked=asked) == {"the vendor was asked otherwise than the ledger says"}


def test_a_lost_call_may_have_been_tried_again_unseen() -> None:
    lost = line(source="estimated", error=LOST)
    assert laws(world(lines=[lost]), asked=Counter({"tag1": 3})) == set()
    assert laws(world(lines=[lost]), asked=Counter({"tag1": 4})) != set()


def test_trees_that_are_not_whole_are_noticed() -> None:
    assert laws(world(conversations=[Conversation("c1", "gone")])) == {"a conversation has no head"}
    astray = [message("m1", "gone", "user", QUESTION.text), message("m2", "m1", "assistant", TEXT)]
    assert laws(world(messages=astray)) == {"a message hangs in the air"}
    hidden = [message("m1", "", "user", QUESTION.text, deleted=True), message("m2", "m1", "assistant", TEXT)]
    assert laws(world(messages=hidden)) == {"a deleted message is shown"}


def test_messages_that_are_gone_or_there_twice_are_noticed() -> None:
    assert laws(world(), accepted=["tag1", "tag2"]) == {"a message that was accepted is gone"}
    twice = [*question_and(TEXT), message("m3", "", "user", QUESTION.text)]
    assert laws(world(messages=twice)) == {"a message was kept twice"}


def test_a_continued_answer_is_what_the_vendor_says_to_continue() -> None:
    cut = message("m2", "m1", "assistant", TEXT[:30], status="interrupted")
    asked = message("m3", "m2", "user", story.GO_ON)
    answer = message("m4", "m3", "assistant", "And so on.")
    tokens = line().tokens | {"output_tokens": 3}
    facts = world(
        messages=[message("m1", "", "user", QUESTION.text), cut, asked, answer],
        runs=[run(status="interrupted"), run(id="r2", message="m4", call="k2")],
        conversations=[Conversation("c1", "m4")],
        holds=[hold(), hold(call="k2", run="r2")],
        lines=[line(), line(call="k2", run="r2", tokens=tokens, cost=price(tokens, RATES))],
    )
    assert laws(facts, "", continuations=[f"{story.TEXT}And so on."]) == set()
    assert "what is stored is not what was sent" in laws(facts, "", continuations=[f"{story.TEXT}Else."])
