"""Pictures of branches: versions, editing, menus, what was deleted, what is earlier, a restarting server."""

from __future__ import annotations

from functools import partial

from django.template.loader import render_to_string
from playwright.sync_api import Page, expect

from chat import drain
from tests.browser import story
from tests.browser.album import Album, both, write
from tests.browser.chat import act, answer, notice, turns
from tests.live import Visitor, turns_in

CLAUDE = "anthropic/claude-sonnet-5-5"
HAIKU = "anthropic/claude-haiku-4-5"
EXCHANGES = 33  # a page shows 30

NAMES = ("versions", "edit", "retry-menu", "more-menu", "deleted", "emptied", "earlier", "draining")


def branch_pages(album: Album, visitor: Visitor) -> None:
    if not any(album.wants(f"branch-{name}") for name in NAMES):
        return
    paged = _paged(visitor)
    album.shoot("branch-versions", paged, lambda page: answer(page).hover())
    album.shoot("branch-edit", paged, lambda page: act(turns(page).first, "Edit the message").click())
    album.shoot("branch-retry-menu", paged, lambda page: act(answer(page), "Retry").click())
    album.shoot("branch-more-menu", paged, lambda page: act(turns(page).first, "More for").click())
    album.shoot("branch-deleted", paged, partial(_delete, visitor, paged))
    if album.wants("branch-emptied"):
        emptied, (question, answered) = visitor.start(story.EMPTIED, CLAUDE)
        _finished(visitor, emptied, answered.run)
        visitor.post(f"/c/{emptied}/m/{question.id}/delete/").raise_for_status()
        album.shoot("branch-emptied", f"/c/{emptied}/")
    if album.wants("branch-earlier"):
        album.shoot("branch-earlier", _long(visitor), _first_turn)
    album.shoot("branch-draining", paged, both(write("And what if one of them says no?"), _refused))


def _delete(visitor: Visitor, path: str, page: Page) -> None:
    """Deletes the shown answer; the server has it back before the next picture."""
    message = str(answer(page).get_attribute("id")).removeprefix("turn-")
    act(answer(page), "More for").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(notice(page)).to_contain_text("Deleted")
    page.route("**/turns/*", lambda route: route.abort())  # and the page is not told of it
    visitor.post(f"{path}m/{message}/restore/").raise_for_status()


def _paged(visitor: Visitor) -> str:
    """A question in two versions, the second with three answers."""
    conversation, (question, answered) = visitor.start(story.PAGED, CLAUDE)
    _finished(visitor, conversation, answered.run)
    at_ = f"/c/{conversation}/m"
    _question, answered = turns_in(
        visitor.post(f"{at_}/{question.id}/edit/", text=story.REWORDED, model=CLAUDE).text
    )
    _finished(visitor, conversation, answered.run)
    for model in (HAIKU, CLAUDE):
        (again,) = turns_in(visitor.post(f"{at_}/{answered.id}/retry/", model=model).text)
        _finished(visitor, conversation, again.run)
    return f"/c/{conversation}/"


def _long(visitor: Visitor) -> str:
    conversation, made = visitor.start(story.STEP, CLAUDE)
    _finished(visitor, conversation, made[-1].run)
    for _ in range(EXCHANGES - 1):
        made = turns_in(visitor.send(conversation, story.STEP, CLAUDE).raise_for_status().text)
        _finished(visitor, conversation, made[-1].run)
    return f"/c/{conversation}/"


def _finished(visitor: Visitor, conversation: str, run: str) -> None:
    with visitor.listen(conversation, {run: 0}) as page:
        page.hear_until("finished", run=run)


def _first_turn(page: Page) -> None:
    """The control at the top, while it fetches."""
    page.route("**/turns/?before=*", lambda route: None)
    page.mouse.wheel(0, -1)
    page.evaluate("window.scrollTo(0, 0)")
    expect(page.locator("earlier-turns")).to_be_in_viewport()


def _refused(page: Page) -> None:
    """As a server says it that is about to stop."""
    body = render_to_string("chat/_notice.html", {"code": "draining", "text": drain.REFUSAL})
    page.route("**/messages/", lambda route: route.fulfill(status=503, body=body, content_type="text/html"))
    page.get_by_role("button", name="Send", exact=True).click()
    expect(notice(page)).to_contain_text("restarting")
    page.unroute("**/messages/")
