"""What providers do besides answering, as a person sees it: falling back, declining, pausing, searching."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.chat import (
    Model,
    answer,
    assert_same_drawing,
    expect_status,
    fresh,
    prose,
    scripted,
    send,
    turns,
)
from usage.catalogue import actions as usage_actions

pytestmark = pytest.mark.django_db(transaction=True)

SONNET, HAIKU = "anthropic/claude-sonnet-5-5", "anthropic/claude-haiku-5-5"
SEARCHED = {
    "type": "server_tool_use",
    "id": "srvtoolu_1",
    "name": "web_search",
    "input": {"query": "tide times"},
}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {
            "type": "web_search_result",
            "url": "https://tides.example.org/today",
            "title": "Tides of today",
            "encrypted_content": "sealed",
            "page_age": None,
        }
    ],
}
CITED = {
    "type": "text",
    "text": "The tide is high at noon.",
    "citations": [
        {
            "type": "web_search_result_location",
            "url": "https://tides.example.org/today",
            "title": "Tides of today",
            "encrypted_index": "sealed",
            "cited_text": "High water 12:04",
        }
    ],
}


def ask(page: Page, prompt: str, **script: object) -> None:
    """Asks, and waits for the end of the answer to this question."""
    before = turns(page).count()
    send(page, scripted(prompt, **script))
    expect(turns(page)).to_have_count(before + 2)
    expect_status(page, "completed")


def settings(page: Page) -> Any:
    page.get_by_role("button", name="Settings of this conversation").click()
    return page.get_by_role("dialog")


def choose_model(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile("^Model: ")).click()
    page.locator(f"#models input[data-name='{name}']").check(force=True)
    page.keyboard.press("Escape")


def test_an_answer_by_another_model_says_which_and_why(page: Page, owner: User) -> None:
    usage_actions.set_chain(by=owner.id, ref=SONNET, refs=[HAIKU])
    ask(page, "When is the tide?", status=529, times=1, then={"text": "At noon.", "thinking": False})
    expect(prose(page)).to_have_text("At noon.")
    remark = answer(page).locator(".turn-remark")
    expect(remark).to_contain_text("Answered by Haiku 5.5, because Sonnet 5.5 was not available:")
    expect(answer(page).locator(".turn-cost")).to_contain_text("Haiku 5.5")
    assert_same_drawing(page, fresh(page))


def test_a_declined_answer_says_why_and_is_not_sent_along(page: Page, model: Model) -> None:
    why = "This request was declined because it touches on attacks on computers."
    details = {"type": "refusal", "category": "cyber", "explanation": why}
    ask(page, "Break in.", text="I will not", stop_reason="refusal", stop_details=details, thinking=False)
    halt = answer(page).locator("[data-halt=declined]")
    expect(halt).to_contain_text("Declined.")
    expect(halt).to_contain_text(why)
    ask(page, "Something else.", text="Gladly.", thinking=False)
    assert [message["role"] for message in model.requests()[-1]["messages"]] == ["user"]


def test_a_paused_answer_goes_on_in_place(page: Page, model: Model) -> None:
    script = {
        "blocks": [SEARCHED, FOUND],
        "stop_reason": "pause_turn",
        "thinking": False,
        "times": 1,
        "then": {"blocks": [CITED], "thinking": False, "gates": {"held": 2}},
    }
    send(page, scripted("When is the tide?", **script))
    model.wait("waiting.held")
    expect(answer(page)).to_have_attribute("data-status", "running")
    expect(answer(page).locator(".step")).to_have_count(1)
    assert_same_drawing(page, fresh(page))
    model.open("held")
    expect_status(page, "completed")
    expect(prose(page)).to_contain_text("The tide is high at noon.")
    expect(page.locator("article.turn[data-role=assistant]")).to_have_count(1)
    assert [len(request["messages"]) for request in model.requests()] == [1, 2]
    assert_same_drawing(page, fresh(page))


def test_a_search_is_one_folded_line_and_its_source_is_listed(page: Page, model: Model) -> None:
    search = page.get_by_role("checkbox", name="Search")
    expect(search).not_to_be_checked()
    page.locator("#composer-search").click()
    expect(search).to_be_checked()
    usage = {"server_tool_use": {"web_search_requests": 1}}
    ask(page, "When is the tide?", blocks=[SEARCHED, FOUND, CITED], thinking=False, usage=usage)
    [tool] = model.requests()[-1]["tools"]
    assert (tool["name"], tool["max_uses"]) == ("web_search", 5)

    step = answer(page).locator(".step")
    expect(step.locator("summary")).to_have_text(re.compile("Searched the web for tide times\\s*1 result"))
    expect(step.locator(".hits")).to_be_hidden()
    step.locator("summary").click()
    expect(step.locator(".hits a")).to_have_attribute("href", "https://tides.example.org/today")
    expect(answer(page).locator(".sources summary")).to_contain_text("1 source")
    expect(answer(page).locator(".turn-cost")).to_contain_text("$")

    expect(page.get_by_role("checkbox", name="Search")).to_be_checked()
    page.reload()
    expect(page.get_by_role("checkbox", name="Search")).to_be_checked()
    page.locator("#composer-search").click()
    ask(page, "And without?", text="At noon.", thinking=False)
    assert "tools" not in model.requests()[-1]


def test_effort_is_offered_as_the_model_has_it_and_brought_to_the_nearest(page: Page, model: Model) -> None:
    ask(page, "Hi.", text="Hello.", thinking=False)
    dialog = settings(page)
    effort = dialog.get_by_label("Effort")
    expect(effort.locator("option").first).to_have_text("As the model does (high)")
    shown = effort.locator("option:not([disabled])").all_inner_texts()
    assert shown == ["As the model does (high)", "Low", "Medium", "High", "Xhigh", "Max"]
    effort.select_option("xhigh")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    ask(page, "Again.", text="Hello.", thinking=False)
    assert model.requests()[-1]["output_config"] == {"effort": "xhigh"}

    choose_model(page, "Opus 4.6")
    dialog = settings(page)
    expect(dialog.locator("#hint-effort")).to_have_text("Opus 4.6 does not take xhigh; high is used.")
    page.keyboard.press("Escape")
    ask(page, "Again.", text="Hello.", thinking=False)
    assert model.requests()[-1]["output_config"] == {"effort": "high"}
    expect(answer(page).locator(".turn-remark").last).to_have_text(
        "Opus 4.6 does not take effort xhigh here; high was used."
    )

    choose_model(page, "Haiku 4.5")
    dialog = settings(page)
    expect(dialog.locator("#field-effort")).to_be_hidden()


def test_a_conversation_that_is_too_long_says_what_to_do(page: Page) -> None:
    words = "prompt is too long: 210000 tokens > 200000 maximum"
    send(page, scripted("All of it.", status=400, message=words))
    expect_status(page, "failed")
    halt = answer(page).locator("[data-halt=context]")
    expect(halt).to_contain_text("The conversation is too long for Sonnet 5.5.")
    expect(halt).to_contain_text("choose a model that reads more")
    details = halt.locator("details")
    expect(details.locator("dl")).to_be_hidden()
    details.locator("summary").click()
    expect(details.locator("dl")).to_contain_text(words)
    expect(details.locator("dl")).to_contain_text("req_")


def test_the_foot_says_how_much_came_from_the_cache(page: Page) -> None:
    usage = {"input_tokens": 264, "cache_read_input_tokens": 940, "output_tokens": 310}
    ask(page, "Hi.", text="Hello.", thinking=False, usage=usage)
    expect(answer(page).locator(".turn-cost")).to_contain_text(
        "Sonnet 5.5 · 1,204 tokens in (940 from cache) · 310 out · $"
    )
