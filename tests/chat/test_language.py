"""The language that a person writes in: what the browser is told, and the titles made in the background."""

from __future__ import annotations

import httpx
import pytest
from django.test import Client

from accounts.models import User
from accounts.people import languages
from chat.models import Conversation
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import finished, scripted, titled
from tests.live import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def composer(client: Client, path: str = "/") -> str:
    page = client.get(path).content.decode()
    return page[page.index('<textarea id="composer-text"') :].partition(">")[0]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("", 'lang="" dir="auto"'),
        ("de", 'lang="de" dir="auto"'),
        ("ar", 'lang="ar" dir="rtl"'),
        ("zh-Hans", 'lang="zh-Hans" dir="auto"'),
        ("xx", 'lang="" dir="auto"'),
    ],
)
def test_the_composer_tells_the_browser(client: Client, owner: User, code: str, told: str) -> None:
    User.objects.filter(pk=owner.pk).update(language=code)
    client.force_login(owner)
    assert told in composer(client)


def title_prompt(visitor: Visitor, vendor: ThreadServer) -> str:
    """What the vendor was asked for a title."""
    httpx.delete(f"{vendor.base_url}/_simulator/stats")
    titled(visitor, vendor)
    recent = httpx.get(f"{vendor.base_url}/_simulator/stats").json()["recent"]
    (asked,) = [one["body"] for one in recent if "Write a title" in one["body"]]
    return str(asked)


def test_titles_are_in_the_language_of_the_question(visitor: Visitor, vendor: ThreadServer) -> None:
    assert "in the language of the question" in title_prompt(visitor, vendor)


def test_titles_are_in_the_language_that_was_chosen(
    visitor: Visitor, vendor: ThreadServer, owner: User
) -> None:
    User.objects.filter(pk=owner.pk).update(language="pt-BR")
    prompt = title_prompt(visitor, vendor)
    assert "in Brazilian Portuguese," in prompt and "the language of the question" not in prompt


def test_answers_are_asked_for_as_before(visitor: Visitor, vendor: ThreadServer, owner: User) -> None:
    """What is pinned to a branch does not know of it: a change would cost every cached prompt."""
    User.objects.filter(pk=owner.pk).update(language="de")
    conversation, _turns = visitor.start(scripted("Go.", deltas=1), CLAUDE)
    finished(visitor, conversation)
    recent = httpx.get(f"{vendor.base_url}/_simulator/stats").json()["recent"]
    asked = [one["body"] for one in recent if "Go." in one["body"] and "Write a title" not in one["body"]]
    assert asked and all("German" not in body for body in asked)
    assert Conversation.objects.get().settings.get("system", "") == ""


def test_every_language_has_its_own_name_and_a_code_that_fits_the_column() -> None:
    known = languages.known()
    assert {"de", "pt-BR", "zh-Hant", "ar", "eu"} <= set(known)
    assert all(one.own_name and len(one.code) <= 16 for one in known.values())
    assert {"ar", "he", "fa", "ur"} <= {one.code for one in known.values() if one.right_to_left}
    assert not known["az"].right_to_left
