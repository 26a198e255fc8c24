"""Pictures of the rules of models and features, and of what people see of them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.browser.album import Act, Album, at, both

RULES, OTHERS = "/manage/policy/", "/manage/policy/everyone-else/"


def policy_pages(album: Album) -> None:
    album.shoot("manage-policy", RULES, some_rules)
    album.shoot("manage-policy-teams", RULES, both(some_rules, at("#teams")))
    album.shoot("manage-policy-team", RULES, both(some_rules, rule_of("Sales")))
    album.shoot("manage-policy-features", RULES, both(rule_of("Sales"), at(".policy-features")))
    album.shoot("manage-policy-takes", OTHERS, take_opus)
    album.shoot("manage-policy-refused", OTHERS, all_but_nothing)
    album.shoot("manage-policy-explain", "/manage/policy/explain/", both(some_rules, why))
    album.shoot("manage-policy-may", "/manage/policy/explain/", why_not_sonnet)
    album.shoot("manage-person-models", "/manage/teams/", both(some_rules, person_of_sales))
    album.shoot("kept-models", "/", both(keep_from_all, picker))
    album.shoot("your-models", "/usage/allowed/", both(keep_from_all, ask_oneself))
    give_back(album)


def some_rules(page: Page) -> None:
    """Sales has a rule of its own, made now where there is none."""
    back = page.url
    page.goto(origin(page) + RULES)
    if page.get_by_role("link", name="Make a rule: Sales").count():
        rule_of("Sales", make=True)(page)
        page.get_by_text("All but these").click()
        opus_box(page).check()
        page.get_by_label(re.compile("^Web search")).uncheck()
        save(page)
    page.goto(back)


def origin(page: Page) -> str:
    parts = urlsplit(page.url)
    return f"{parts.scheme}://{parts.netloc}"


def rule_of(team: str, *, make: bool = False) -> Act:
    def open_rule(page: Page) -> None:
        page.get_by_role("link", name=f"{'Make a rule' if make else 'Change the rule'}: {team}").click()
        expect(page.get_by_role("heading", name=f"What {team} may use")).to_be_visible()

    return open_rule


def opus_box(page: Page) -> Locator:
    box = page.locator("input[name=models][value='anthropic/claude-opus-5-5']")
    if not box.is_visible():
        page.locator("details.policy-group", has=box).locator("summary").click()
    return box


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    if page.get_by_role("button", name="Save all the same").count():
        page.get_by_role("button", name="Save all the same").click()
    expect(page.get_by_text("Saved. It holds")).to_be_visible()


def take_opus(page: Page) -> None:
    page.get_by_text("All but these").click()
    opus_box(page).check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Not saved yet.")).to_be_visible()


def all_but_nothing(page: Page) -> None:
    page.get_by_text("All but these").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("main .notice[data-kind=danger]")).to_be_visible()


def ask(page: Page, model: str, *features: str) -> None:
    page.get_by_label("Person").select_option(index=1)
    page.get_by_label("Model").select_option(model)
    page.get_by_label("Paid by").select_option(label="Sales")
    for feature in features:
        page.locator(f"input[name=feature][value={feature}]").check()
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#answer")).to_be_visible()
    page.locator("#answer").scroll_into_view_if_needed()


def why(page: Page) -> None:
    ask(page, "anthropic/claude-opus-5-5", "thinking", "web_search")


def why_not_sonnet(page: Page) -> None:
    ask(page, "anthropic/claude-sonnet-5-5")


def person_of_sales(page: Page) -> None:
    page.get_by_role("link", name="Sales").click()
    page.locator("tbody th a").first.click()
    expect(page.get_by_role("heading", name="Models and features")).to_be_visible()
    at("#allowed")(page)


def ask_oneself(page: Page) -> None:
    page.locator(".policy-all summary").first.click()
    page.locator("main select").select_option("anthropic/claude-opus-5-5")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#answer")).to_be_visible()


def keep_from_all(page: Page) -> None:
    """The organisation's rule keeps Opus and searching from everybody, for this picture."""
    back = page.url
    page.goto(origin(page) + "/manage/policy/organisation/")
    if not page.get_by_label("All but these").is_checked():
        page.get_by_text("All but these").click()
        opus_box(page).check()
        page.get_by_label(re.compile("^Web search")).uncheck()
        save(page)
    page.goto(back)


def picker(page: Page) -> None:
    page.locator(".composer-model").click()
    expect(page.get_by_text("Some models are kept")).to_be_visible()
    page.get_by_text("Some models are kept").scroll_into_view_if_needed()


def give_back(album: Album) -> None:
    if not album.wants("kept-models") and not album.wants("your-models"):
        return
    page = album.pages["1440x900"]
    page.goto(f"{album.url}/manage/policy/organisation/")
    page.get_by_label("All models").check()
    page.get_by_label(re.compile("^Web search")).check()
    save(page)
