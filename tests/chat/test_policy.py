"""What the rules of models and features keep from a person in the chat: not offered, and refused."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.policies.features import Feature
from chat.models import Conversation, Message, Run
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted, titled
from tests.live import Visitor
from tests.usage.moving_on import HAIKU, OPUS
from tests.usage.ruled import everyone_else, of, organisation, rule, team
from usage.models import Hold, LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

NO_OPUS = rule("except", [OPUS])
KEPT = "Some models are kept for other teams."


@pytest.fixture
def signed_in(client: Client, owner: User, vendor: ThreadServer) -> Client:
    client.force_login(owner)
    client.defaults["HTTP_HOST"] = "localhost"
    return client


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content.decode()[:2000]
    return html.unescape(response.content.decode())


def conversation_of(
    owner: User, model: str = CLAUDE, **settings: Any
) -> tuple[Conversation, Message, Message]:
    made = Conversation.objects.create(owner=owner, title="Lamps", model=model, settings=settings)
    question = Message.objects.create(
        conversation=made, role="user", author=owner, blocks_text='[{"type": "text", "text": "Hi"}]'
    )
    answer = Message.objects.create(
        conversation=made, parent=question, role="assistant", status="stopped", model=model
    )
    Conversation.objects.filter(pk=made.pk).update(head=answer)
    made.refresh_from_db()
    return made, question, answer


def test_a_kept_model_is_not_in_the_picker_and_a_line_says_so(signed_in: Client) -> None:
    text = text_of(signed_in.get("/"))
    assert OPUS in text
    assert KEPT not in text
    organisation(NO_OPUS)
    text = text_of(signed_in.get("/"))
    assert OPUS not in text
    assert KEPT in text
    assert CLAUDE in text


def test_a_conversation_whose_model_is_kept_says_so_and_offers_others(signed_in: Client, owner: User) -> None:
    made, _question, _answer = conversation_of(owner, OPUS)
    team("Design", owner, decided=NO_OPUS)
    text = text_of(signed_in.get(f"/c/{made.pk}/"))
    assert "Opus 5.5 cannot be used now." in text
    assert "not allowed in your team “Design”" in text
    assert CLAUDE in text


@pytest.mark.parametrize("door", ["start", "send", "edit", "retry", "continue"])
def test_a_forged_form_with_a_kept_model_is_refused(signed_in: Client, owner: User, door: str) -> None:
    made, question, answer = conversation_of(owner, OPUS if door == "continue" else CLAUDE)
    organisation(NO_OPUS)
    path = {
        "start": "/c/",
        "send": f"/c/{made.pk}/messages/",
        "edit": f"/c/{made.pk}/m/{question.pk}/edit/",
        "retry": f"/c/{made.pk}/m/{answer.pk}/retry/",
        "continue": f"/c/{made.pk}/m/{answer.pk}/continue/",
    }[door]
    text = text_of(signed_in.post(path, {"text": "Hello", "model": OPUS}), 409)
    assert "Opus 5.5 is not allowed by the rule of the organisation." in text
    assert Message.objects.count() == 2
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("feature", "fields"),
    [
        (Feature.WEB_SEARCH, {"web_search": "on"}),
        (Feature.CODE_EXECUTION, {"code_execution": "on"}),
        (Feature.THINKING, {"thinking": "on"}),
    ],
)
def test_a_forged_form_with_a_kept_feature_is_refused(
    signed_in: Client, owner: User, feature: Feature, fields: dict[str, str]
) -> None:
    made, _question, answer = conversation_of(owner)
    organisation(rule(refused=[feature]))
    places = [("/c/", {"text": "Hello", "model": CLAUDE, **fields})]
    if feature is Feature.WEB_SEARCH:
        sent = {"text": "Hello", "model": CLAUDE, "parent": str(answer.pk), **fields}
        places.append((f"/c/{made.pk}/messages/", sent))
    else:
        places.append((f"/c/{made.pk}/settings/", fields))
    for path, asked in places:
        assert "is not allowed by the rule of the organisation" in text_of(signed_in.post(path, asked), 403)
    assert Conversation.objects.get().settings == {}
    assert Message.objects.count() == 2


def test_controls_of_kept_features_are_not_there(signed_in: Client, owner: User) -> None:
    made, _question, _answer = conversation_of(owner)
    controls = ('name="thinking"', 'name="effort"', 'name="code_execution"', 'name="web_search"')
    text = text_of(signed_in.get(f"/c/{made.pk}/"))
    assert all(control in text for control in controls)
    organisation(rule(refused=[Feature.THINKING, Feature.WEB_SEARCH, Feature.CODE_EXECUTION]))
    for path in ("/", f"/c/{made.pk}/"):
        text = text_of(signed_in.get(path))
        assert not any(control in text for control in controls)
    text = text_of(signed_in.get(f"/c/{made.pk}/settings/"))
    assert not any(control in text for control in controls)


def test_settings_of_before_are_left_out_with_a_word(visitor: Visitor, vendor: ThreadServer) -> None:
    conversation, _turns = visitor.start(
        scripted(deltas=1), CLAUDE, thinking="on", effort="max", code_execution="on"
    )
    finished(visitor, conversation)
    organisation(rule(refused=[Feature.THINKING, Feature.CODE_EXECUTION]))
    head = visitor.turns(conversation)[-1].id
    visitor.send(conversation, scripted(deltas=1), CLAUDE, parent=head)
    finished(visitor, conversation)
    assert set(Run.objects.values_list("status", flat=True)) == {"completed"}
    text = html.unescape(visitor.page(conversation))
    assert "Thinking is not allowed here, so it was left out." in text
    assert "Running code is not allowed here, so it was left out." in text


def test_the_estimate_says_nothing_of_a_kept_model(signed_in: Client) -> None:
    def figures(model: str) -> bool:
        return "leastCached" in text_of(signed_in.get("/c/estimate/", {"model": model}))

    assert figures(OPUS)
    organisation(NO_OPUS)
    assert not figures(OPUS)
    assert figures(CLAUDE)


def test_the_title_is_written_by_the_cheapest_model_that_one_may_use(
    visitor: Visitor, vendor: ThreadServer
) -> None:
    organisation(rule("except", [HAIKU, "anthropic/claude-haiku-4-5"]))
    titled(visitor, vendor)
    line = LedgerLine.objects.get(purpose="title")
    assert "haiku" not in line.model_asked


def test_a_rule_made_while_the_page_is_open_holds_for_the_next_message(visitor: Visitor, owner: User) -> None:
    mine = team("Design", owner)
    conversation, _turns = visitor.start(scripted(deltas=1), OPUS)
    finished(visitor, conversation)
    head = visitor.turns(conversation)[-1].id
    of(mine, NO_OPUS)
    visitor.send(conversation, scripted(deltas=1), OPUS, parent=head)
    finished(visitor, conversation)
    last = Run.objects.latest("created_at")
    assert last.status == "failed"
    assert last.error is not None
    assert last.error["type"] == "not_allowed"
    assert "not allowed in your team “Design”" in last.error["message"]
    assert not Hold.objects.filter(state="open", purpose="chat").exists()


def test_everyone_elses_rule_counts_in_the_chat_of_who_is_in_no_team(signed_in: Client, owner: User) -> None:
    everyone_else(NO_OPUS)
    assert OPUS not in text_of(signed_in.get("/"))
    team("Research", owner, decided=rule())
    assert OPUS in text_of(signed_in.get("/"))
