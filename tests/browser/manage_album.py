"""Pictures of the manage area, with the calls that were made before."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.album import Album

SONNET = "/manage/models/of/anthropic/claude-sonnet-5-5"


def manage_pages(album: Album) -> None:
    album.shoot("my-usage", "/usage/")
    album.shoot("manage-overview", "/manage/overview/")
    album.shoot("manage-usage", "/manage/usage/")
    album.shoot("manage-budgets", "/manage/budgets/")
    album.shoot("manage-budget-new", "/manage/budgets/new/")
    album.shoot("manage-budget-requests", "/manage/budgets/requests/")
    album.shoot("manage-keys", "/manage/keys/")
    album.shoot("manage-keys-add", "/manage/keys/add/")
    album.shoot("manage-keys-enter", "/manage/keys/add/azure/client/")
    album.shoot("manage-keys-refused", "/manage/keys/add/anthropic/api_key/", refused_key)
    album.shoot("manage-models", "/manage/models/")
    album.shoot("manage-models-found", "/manage/models/?q=gpt&provider=openai")
    album.shoot("manage-models-none", "/manage/models/?q=nothing+like+this")
    album.shoot("manage-model", SONNET)
    album.shoot(
        "manage-model-price",
        SONNET,
        lambda page: page.locator("form.form").nth(1).scroll_into_view_if_needed(),
    )
    album.shoot("manage-model-new", "/manage/models/new/")
    album.shoot("manage-endpoint-new", "/manage/models/endpoints/new/")
    album.shoot("manage-endpoint-refused", "/manage/models/endpoints/new/", refused_endpoint)
    album.shoot("manage-health", "/manage/health/")
    album.shoot("manage-health-calls", "/manage/health/", open_failed)
    album.shoot("manage-navigation", "/manage/health/", navigation, sizes=("390x844",))


def refused_key(page: Page) -> None:
    page.locator("input[type=password]").first.fill("sk-sim-401")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("main .notice[data-kind=danger], main .field-error").first).to_be_visible()


def refused_endpoint(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("House")
    page.locator("input[name=slug]").fill("house")
    page.locator("input[name=needs_key]").uncheck()
    page.get_by_label("Address").first.fill("http://169.254.169.254/v1")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("main .field-error, main .notice").first).to_be_visible()


def open_failed(page: Page) -> None:
    page.get_by_role("link", name="failed").first.click()
    expect(page.get_by_role("heading", name="Failed calls")).to_be_visible()


def navigation(page: Page) -> None:
    page.get_by_role("button", name="Show the navigation").click()
