"""Pictures of money in the chat: the estimate, what a switch loses, the details, a budget nearly full."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.album import Album, both, click, write
from tests.browser.chat import turns
from tests.live import Visitor

NAMES = ("estimate", "estimate-open", "switch", "details", "details-open")
REPLY = "And what does plan D cost more, by month?"
BUDGET = {
    "name": "Marta's own",
    "scope": "person",
    "measure": "money",
    "period": "month",
    "timezone": "Europe/Brussels",
    "mode": "block",
    "admission": "strict",
}


def money_pages(album: Album, conversation: str) -> None:
    """`conversation` is one with several answers, some of them lately cached."""
    if not any(album.wants(f"money-{name}") for name in NAMES):
        return
    path = f"/c/{conversation}/"
    album.shoot("money-estimate", path, both(write(REPLY), estimated))
    album.shoot("money-estimate-open", path, both(write(REPLY), estimated, estimate_open))
    album.shoot("money-switch", path, both(write(REPLY), estimated, switched))
    album.shoot("money-details", path, details)
    album.shoot("money-details-open", path, both(details, details_open))


def budget_pages(album: Album, conversation: str, visitor: Visitor, folder: Path) -> None:
    """After all that has been spent: a limit of the owner's own that is nearly reached."""
    if not album.wants("money-budget-near") and not album.wants("money-budget-person"):
        return
    with closing(sqlite3.connect(folder / "parley.sqlite3", timeout=20)) as database:
        ((me,),) = database.execute("SELECT id FROM accounts_user WHERE role = 'owner'").fetchall()
        month = datetime.now(UTC).strftime("%Y-%m-01")
        ((spent,),) = database.execute(
            "SELECT SUM(cost_nano) FROM usage_ledgerline WHERE user = ? AND day >= ?", (me, month)
        ).fetchall()
    limit = f"{spent / 0.87e9:.2f}"
    visitor.post("/manage/budgets/new/", **BUDGET, person=me, limit=limit).raise_for_status()
    path = f"/c/{conversation}/"
    album.shoot("money-budget-near", path, both(write(REPLY), near))
    album.shoot("money-budget-person", path, person, sizes=("390x844",))


def estimated(page: Page) -> None:
    expect(page.locator(".composer-cost > .button")).to_have_text(re.compile(r"≈ \$0\.\d+"))


def estimate_open(page: Page) -> None:
    page.locator(".composer-cost > .button").click()
    expect(page.locator("#estimate")).to_contain_text("Your message")


def switched(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Model: ")).click()
    page.locator("#models .model", has_text=re.compile("Opus 5.5")).first.click()
    expect(page.locator("#composer-notice [data-switch]")).to_be_visible()


def details(page: Page) -> None:
    click("Details of the conversation")(page)
    expect(page.locator("#details .panel-sum")).to_be_visible()


def details_open(page: Page) -> None:
    page.locator("#details .sum > summary").first.click()
    expect(page.locator("#details .sum li").first).to_be_visible()


def near(page: Page) -> None:
    expect(page.locator("#budget-meter")).to_contain_text("left of")
    turns(page).last.scroll_into_view_if_needed()


def person(page: Page) -> None:
    page.get_by_role("button", name="Show the sidebar").click()
    expect(page.locator("#me-budget")).to_contain_text("of $")
