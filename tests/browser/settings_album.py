"""Pictures of the settings of the organisation, and of what follows from them."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.album import Album, at, both
from tests.live import PASSWORD


def settings_pages(album: Album) -> None:
    album.shoot("manage-person-anonymise", "/manage/people/?state=off", leave)
    album.shoot("manage-settings", "/manage/settings/")
    album.shoot("manage-settings-vendors", "/manage/settings/", try_vendor)
    album.shoot("manage-settings-end", "/manage/settings/", at("#vendors"))
    album.shoot("manage-settings-refused", "/manage/settings/", no_name)
    album.shoot("manage-settings-conversations", "/manage/settings/", keep_a_month)
    album.shoot("manage-settings-mail-form", "/manage/settings/mail/", confirm)
    album.shoot("manage-settings-mail-tried", "/manage/settings/mail/", try_mail)
    album.shoot("manage-settings-mail-stored", "/manage/settings/mail/", both(store_mail, at("#mail")))
    album.shoot("manage-settings-mail-removed", "/manage/settings/", both(remove_mail, at("#mail")))
    album.shoot("manage-settings-kept", "/manage/settings/", both(keep_a_year, at("#conversations")))
    album.shoot("kept-in-the-chat", "/", kept_line)


def confirm(page: Page) -> None:
    """Who it is, where that was not asked of late."""
    if page.get_by_role("heading", name="Confirm that it is you").is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_have_count(0)


def leave(page: Page) -> None:
    """The page of somebody who has left; the first of the list leaves now where nobody has."""
    if page.locator("tbody th a").count() == 0:
        page.goto(page.url.partition("?")[0] + "?role=member")
        page.locator("tbody th a").last.click()
        page.get_by_role("button", name="Deactivate").click()
    else:
        page.locator("tbody th a").first.click()
    page.get_by_role("link", name="Anonymise").click()
    expect(page.get_by_role("heading", name="What stays")).to_be_visible()


def try_vendor(page: Page) -> None:
    page.get_by_role("button", name="Test Anthropic").click()
    expect(page.locator("main .notice").first).to_be_visible()


def no_name(page: Page) -> None:
    page.get_by_label("Name of the organisation").fill("\u200b")
    page.get_by_role("button", name="Save the name").click()
    expect(page.locator("main .field-error").first).to_be_visible()


def keep_a_month(page: Page) -> None:
    page.get_by_label("Days after their last change").fill("30")
    page.get_by_role("button", name="Save the time").click()
    expect(page.get_by_role("heading", name="Keep conversations for 30 days only?")).to_be_visible()


def try_mail(page: Page) -> None:
    confirm(page)
    page.get_by_label("Server").fill("localhost")
    page.get_by_label("Port").fill("9")
    page.get_by_label("Sender").fill("parley@harbour.example")
    page.get_by_label("User").fill("parley")
    page.get_by_label("Password").fill("hunter2")
    page.get_by_role("button", name="Send a test to me").click()
    expect(page.get_by_text("refuses connections")).to_be_visible()
    expect(page.get_by_label("Password")).to_have_value("hunter2")


def store_mail(page: Page) -> None:
    confirm(page)
    page.get_by_label("Server").fill("smtp.harbour.example")
    page.get_by_label("Sender").fill("parley@harbour.example")
    page.get_by_label("User").fill("parley")
    page.get_by_label("Password").fill("hunter2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("smtp.harbour.example:587")).to_be_visible()


def remove_mail(page: Page) -> None:
    """Once it is there: what follows sends letters nowhere."""
    if page.get_by_text("smtp.harbour.example:587").count():
        page.goto(page.url + "mail/")
        confirm(page)
        page.get_by_role("button", name="Remove this server").click()
        expect(page.get_by_text("The stored password is gone.")).to_be_visible()


def keep_a_year(page: Page) -> None:
    page.get_by_label("Days after their last change").fill("365")
    page.get_by_role("button", name="Save the time").click()
    agree = page.get_by_role("button", name="Set this time")
    kept = page.get_by_text("Conversations are deleted 365 days after")
    expect(agree.or_(kept).first).to_be_visible()
    if agree.count():
        agree.click()
        expect(
            page.get_by_role("heading", name="Confirm that it is you").or_(kept.first).first
        ).to_be_visible()
        confirm(page)
    expect(kept.first).to_be_visible()


def kept_line(page: Page) -> None:
    if page.viewport_size and page.viewport_size["width"] < 800:
        page.get_by_role("button", name="Show the sidebar").click()
    expect(page.get_by_text("Conversations are deleted 365 days after")).to_be_visible()
