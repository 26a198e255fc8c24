"""Sealed thinking goes back to where it came from, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts.models import User
from chat import transcript
from chat.models import Message, Run
from chat.origins import Origin
from chat.transcript import Asking
from providers.catalogue import catalogue
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted
from tests.chat.test_steps import asked_of, without_markers
from tests.live import Visitor
from usage.catalogue import actions as usage_actions

OTHER = "anthropic/claude-haiku-5-5"
MODEL = next(model for model in catalogue().models if model.ref == CLAUDE)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SEALED = {"type": "thinking", "thinking": "Hm.", "signature": "sealed-1"}
AGAIN = {"type": "redacted_thinking", "data": "sealed-2"}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


class Branch:
    """A branch that grows by questions and answers, each answer from where it was asked."""

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        self.settings = settings or {}
        self.path: list[Message] = []
        self.origins: dict[UUID, Origin] = {}

    def ask(self, words: str = "Why?") -> Asking:
        self.path.append(Message(id=uuid4(), role="user", blocks_text=json.dumps([text(words)])))
        return self.asking()

    def asking(self, model: Any = MODEL) -> Asking:
        return transcript.asking(self.path, model.ref, self.settings, model, self.origins)

    def answer(self, *blocks: dict[str, Any], account: str = "org-1", whole: bool = True) -> None:
        asking = self.asking()
        message = Message(id=uuid4(), role="assistant", blocks_text=json.dumps(blocks), status="completed")
        prefix = asking.prefix if whole or asking.elsewhere is None else asking.prefix_elsewhere
        self.origins[message.id] = Origin(vendor_account=account, model=MODEL.ref, prefix=prefix)
        self.path.append(message)


def blocks_of(asking: Asking) -> list[dict[str, Any]]:
    return [block for turn in asking.request.messages for block in turn["content"]]


def thinking_in(asking: Asking) -> list[dict[str, Any]]:
    return [block for block in blocks_of(asking) if block in (SEALED, AGAIN)]


@pytest.fixture
def branch() -> Branch:
    """Two answers with thinking, from one account and model, each asked with the thinking before it."""
    branch = Branch()
    branch.ask("One?")
    branch.answer(SEALED, text("One."))
    branch.ask("Two?")
    branch.answer(AGAIN, text("Two."))
    branch.ask("Three?")
    return branch


def test_it_goes_back_whole_to_its_account(branch: Branch) -> None:
    asking = branch.asking()
    assert thinking_in(asking) == [SEALED, AGAIN]
    assert asking.only_account == "org-1"
    assert asking.elsewhere is not None
    assert not [b for turn in asking.elsewhere.messages for b in turn["content"] if b in (SEALED, AGAIN)]
    assert replace(asking.elsewhere, messages=asking.request.messages) == asking.request
    assert asking.notes == ()


def change_model(branch: Branch) -> Asking:
    return branch.asking(next(model for model in catalogue().models if model.ref == OTHER))


def change_system(branch: Branch) -> Asking:
    branch.settings["system"] = "Be brief."
    return branch.asking()


def change_tools(branch: Branch) -> Asking:
    branch.settings["web_search"] = True
    return branch.asking()


def change_account(branch: Branch) -> Asking:
    first = next(iter(branch.origins))
    branch.origins[first] = replace(branch.origins[first], vendor_account="org-2")
    return branch.asking()


def forget_account(branch: Branch) -> Asking:
    branch.origins = {key: replace(origin, vendor_account="") for key, origin in branch.origins.items()}
    return branch.asking()


def forget_origin(branch: Branch) -> Asking:
    branch.origins.popitem()
    return branch.asking()


def change_question(branch: Branch) -> Asking:
    branch.path[0].blocks_text = json.dumps([text("Something else?")])
    return branch.asking()


@pytest.mark.parametrize(
    "change",
    [
        change_model,
        change_system,
        change_tools,
        change_account,
        forget_origin,
        change_question,
    ],
)
def test_after_a_change_none_of_it_is_sent_and_the_turn_says_so(branch: Branch, change: Any) -> None:
    asking = change(branch)
    assert thinking_in(asking) == []
    assert (asking.only_account, asking.elsewhere) == (None, None)
    assert asking.notes == ({"code": "thinking_left_out", "again": False},)


def test_it_says_so_once(branch: Branch) -> None:
    last = branch.path[-2].id
    branch.origins[last] = replace(branch.origins[last], vendor_account="", left_out=True)
    assert branch.asking().notes == ({"code": "thinking_left_out", "again": True},)


def test_a_vendor_who_names_no_account_gets_none_of_it_back_and_that_is_no_news(branch: Branch) -> None:
    asking = forget_account(branch)
    assert thinking_in(asking) == []
    assert asking.notes == ({"code": "thinking_left_out", "again": True},)


def test_thinking_that_was_asked_without_what_came_before_does_not_fit(branch: Branch) -> None:
    branch.answer({**SEALED, "signature": "sealed-3"}, text("Three."), whole=False)
    branch.ask("Four?")
    assert thinking_in(branch.asking()) == []


def test_thinking_that_was_cut_before_its_seal_is_not_thinking_to_send() -> None:
    branch = Branch()
    branch.ask("One?")
    branch.answer({"type": "thinking", "thinking": "Hm", "signature": ""}, text("One."))
    asking = branch.ask("Two?")
    assert [block["type"] for block in blocks_of(asking)] == ["text", "text", "text"]
    assert asking.notes == ()


def test_another_vendors_envelope_follows_the_same_rule(branch: Branch) -> None:
    sealed = {"type": "thinking", "thinking": "", "signature": "parley1.anything"}
    branch.answer(sealed, text("Three."))
    branch.ask("Four?")
    assert sealed in blocks_of(branch.asking())
    assert sealed not in blocks_of(change_model(branch))


def test_an_effort_may_change_without_losing_it(branch: Branch) -> None:
    branch.settings["effort"] = "low"
    assert thinking_in(branch.asking()) == [SEALED, AGAIN]


# Containers belong to an account as well


def ran_code(branch: Branch, until: str, account: str = "org-1") -> Asking:
    branch.settings["code_execution"] = True
    branch.ask("One?")
    branch.answer(text("One."), account=account)
    last = branch.path[-1].id
    branch.origins[last] = replace(branch.origins[last], container="container_1", container_until=until)
    branch.path.append(Message(id=uuid4(), role="user", blocks_text=json.dumps([text("Two?")])))
    return transcript.asking(branch.path, MODEL.ref, branch.settings, MODEL, branch.origins, now=NOON)


def test_code_goes_on_in_the_container_of_the_branch() -> None:
    asking = ran_code(Branch(), "2026-11-20T12:30:00Z")
    assert asking.request.extra == {"container": "container_1"}
    assert asking.only_account == "org-1"
    assert asking.elsewhere is not None
    assert asking.elsewhere.extra == {}, "another account has no such container"
    assert not asking.holds_thinking


@pytest.mark.parametrize("until", ["2026-11-20T11:59:00Z", "", "soon"])
def test_a_container_that_is_gone_is_not_named(until: str) -> None:
    asking = ran_code(Branch(), until)
    assert asking.request.extra == {}
    assert asking.only_account is None


def test_a_container_is_not_named_where_no_code_runs() -> None:
    branch = Branch()
    ran_code(branch, "2026-11-20T12:30:00Z")
    branch.settings.clear()
    asking = transcript.asking(branch.path, MODEL.ref, {}, MODEL, branch.origins, now=NOON)
    assert asking.request.extra == {}


def test_a_container_of_another_account_than_the_thinkings_is_left() -> None:
    branch = Branch({"code_execution": True})
    branch.ask("Zero?")
    branch.answer(SEALED, text("Zero."))
    asking = ran_code(branch, "2026-11-20T12:30:00Z", account="org-2")
    assert asking.request.extra == {}
    assert asking.only_account == "org-1"


# Through a run


def sent_thinking(vendor: ThreadServer, call: int = -1) -> list[dict[str, Any]]:
    messages = asked_of(vendor)[call]["messages"]
    return [
        b for turn in messages for b in turn["content"] if isinstance(b, dict) and b["type"] == "thinking"
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.services
class TestThroughARun:
    def test_the_next_turn_takes_it_along_byte_for_byte(self, visitor: Visitor, vendor: ThreadServer) -> None:
        conversation, (_question, answer) = visitor.start(scripted(thinking=True, text="One."), CLAUDE)
        finished(visitor, conversation)
        run = Run.objects.get(id=answer.run)
        assert run.vendor_account
        assert run.model_served == CLAUDE
        assert len(run.prefix_hash) == 64
        [sealed] = [b for b in visitor.turns(conversation)[-1].blocks if b["type"] == "thinking"]
        visitor.send(conversation, scripted(text="Two."), CLAUDE)
        finished(visitor, conversation)
        [sent] = sent_thinking(vendor)
        assert json.dumps(without_markers(sent)) == json.dumps(sealed)
        assert Run.objects.latest("created_at").notes == []

    def test_another_model_does_not_get_it_and_the_turn_says_so(
        self, visitor: Visitor, vendor: ThreadServer
    ) -> None:
        conversation, _turns = visitor.start(scripted(thinking=True, text="One."), CLAUDE)
        finished(visitor, conversation)
        for _ in range(2):
            visitor.send(conversation, scripted(text="Two.", thinking=False), OTHER)
            finished(visitor, conversation)
        assert sent_thinking(vendor) == []
        turns = visitor.turns(conversation)
        assert "Earlier thinking was not sent along" in turns[3].markup
        assert "Earlier thinking was not sent along" not in turns[5].markup, "once"

    def test_a_vendor_that_does_not_take_it_back_is_asked_once_more_without(
        self, visitor: Visitor, vendor: ThreadServer
    ) -> None:
        conversation, _turns = visitor.start(scripted(thinking=True, text="One."), CLAUDE)
        finished(visitor, conversation)
        words = "messages.1.content.0: Invalid `signature` in `thinking` block"
        script: dict[str, Any] = {"status": 400, "message": words, "times": 1, "then": {"text": "Two."}}
        visitor.send(conversation, scripted(**script), CLAUDE)
        finished(visitor, conversation)
        turn = visitor.turns(conversation)[-1]
        assert (turn.status, turn.text) == ("completed", "Two.")
        assert len(sent_thinking(vendor, -2)) == 1
        assert sent_thinking(vendor, -1) == []
        assert "Earlier thinking was not sent along" in turn.markup

    def test_a_fallback_is_named_and_remembered(
        self, visitor: Visitor, vendor: ThreadServer, owner: User
    ) -> None:
        usage_actions.set_chain(by=owner.id, ref=CLAUDE, refs=[OTHER])
        script: dict[str, Any] = {"status": 529, "times": 1, "then": {"text": "From elsewhere."}}
        conversation, (_question, answer) = visitor.start(scripted(**script), CLAUDE)
        finished(visitor, conversation)
        turn = visitor.turns(conversation)[-1]
        assert turn.text == "From elsewhere."
        assert "Answered by Haiku 5.5, because Sonnet 5.5 was not available:" in turn.markup
        assert Message.objects.get(id=answer.id).model == CLAUDE, "what was asked is kept"
        assert Run.objects.get(id=answer.run).model_served == OTHER

    def test_a_block_that_nobody_knows_is_kept_and_sent_back_in_its_order(
        self, visitor: Visitor, vendor: ThreadServer
    ) -> None:
        block = {"type": "unheard_of", "z": 1, "a": {"y": [None, {"b": 2, "a": "\u00e9\u2028"}]}, "id": "x"}
        script: dict[str, Any] = {
            "blocks": [block, text("So.")],
            "thinking": False,
            "unknown": ["event", "field"],
            "after": 2,
        }
        conversation, (_question, answer) = visitor.start(scripted(**script), CLAUDE)
        finished(visitor, conversation)
        assert json.dumps(Message.objects.get(id=answer.id).blocks[0]) == json.dumps(block)
        visitor.send(conversation, scripted(text="Two."), CLAUDE)
        finished(visitor, conversation)
        sent = asked_of(vendor)[-1]["messages"][1]["content"][0]
        assert json.dumps(sent) == json.dumps(block)
