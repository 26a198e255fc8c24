"""Pictures of the manage area of a company that has used Parley for ninety days."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.album import Act, Album, at, both, click, unfold
from tests.browser.policy_album import policy_pages
from tests.browser.settings_album import confirm, settings_pages
from tests.live import Process

RECOMMENDATIONS = "/manage/recommendations/"
# Who has called nothing is dormant only if they came before.
LONG_HERE = """
from datetime import timedelta
from django.utils import timezone
from accounts.models import User
User.objects.update(created_at=timezone.now() - timedelta(days=200))
# Some conversations lie untouched, for the page that asks whether they may go.
from chat.models import Conversation
old = list(Conversation.objects.order_by("id").values_list("id", flat=True)[:7])
Conversation.objects.filter(id__in=old).update(changed_at=timezone.now() - timedelta(days=140))
"""
RECONCILE = "/manage/usage/reconcile/"
SONNET = "/manage/models/of/anthropic/claude-sonnet-5-5"


def fill(process: Process, simulator: str) -> None:
    """Ninety days of work, into the product; `simulator` is the vendor's address."""
    code = f"from tests.browser import company_limits; company_limits.fill({simulator!r})"
    process.manage("shell", "-c", code, seconds=300)
    process.manage("shell", "-c", "from tests.browser import company_alerts; company_alerts.fill()")
    process.manage("shell", "-c", LONG_HERE)
    process.manage("shell", "-c", "from tests.browser import company_tokens; company_tokens.fill()")
    code = f"from tests.browser import company_bill; company_bill.tell({simulator!r})"
    process.manage("shell", "-c", code, seconds=300)
    process.manage("ledger", "verify", seconds=300)


def manage_pages(album: Album) -> None:
    album.shoot("my-usage", "/usage/")
    album.shoot("my-usage-ask", "/usage/", ask_with_reason)
    album.shoot("my-usage-chart", "/usage/", at(".chart"))
    album.shoot("my-usage-calls", "/usage/calls/")
    album.shoot("manage-overview", "/manage/overview/")
    album.shoot("manage-overview-chart", "/manage/overview/", both(at("#by-day"), point(10)))
    album.shoot("manage-overview-tops", "/manage/overview/", at("#top-person"))
    album.shoot("manage-overview-budgets", "/manage/overview/", at("#budgets"))
    album.shoot("manage-usage", "/manage/usage/")
    album.shoot("manage-usage-table", "/manage/usage/", at("#grouped"))
    album.shoot("manage-usage-filters", "/manage/usage/?by=team&then=model&purpose=chat")
    album.shoot("manage-usage-people", "/manage/usage/?by=person&then=model", at("#grouped"))
    album.shoot(
        "manage-usage-quarter", "/manage/usage/?period=quarter&by=day", both(at("#by-day"), point(40))
    )
    album.shoot("manage-usage-layer", "/manage/usage/", both(at("#by-day"), hide_layer))
    album.shoot("manage-usage-chart-table", "/manage/usage/", unfold(".chart-table"))
    album.shoot("manage-usage-none", "/manage/usage/?purpose=benchmark")
    album.shoot("manage-usage-refused", "/manage/usage/?period=own&from=2026-01-01&to=2026-12-01")
    album.shoot("manage-calls", "/manage/usage/calls/")
    album.shoot("manage-calls-failed", "/manage/usage/calls/?outcome=interrupted")
    album.shoot("manage-call", "/manage/usage/calls/?outcome=interrupted", open_corrected)
    album.shoot("manage-reconcile", RECONCILE)
    album.shoot("manage-reconcile-why", RECONCILE, both(unfold(".why"), at(".why")))
    album.shoot("manage-reconcile-day", RECONCILE, open_drift)
    album.shoot("manage-reconcile-key", f"{RECONCILE}key/")
    album.shoot("manage-reconcile-refused", f"{RECONCILE}key/", refused_key)
    album.shoot("manage-reconcile-revoke", f"{RECONCILE}key/remove/")
    album.shoot("manage-budgets", "/manage/budgets/")
    album.shoot("manage-budgets-all", "/manage/budgets/", at("#all"))
    album.shoot("manage-budgets-near", "/manage/budgets/?state=near", at("#all"))
    album.shoot("manage-budget", "/manage/budgets/", click("Research", "link"))
    album.shoot("manage-budget-members", "/manage/budgets/", click("Each member of Sales", "link"))
    album.shoot("manage-budget-form", "/manage/budgets/", both(click("Marketing", "link"), at("#allows")))
    album.shoot("manage-budget-off", "/manage/budgets/", click("Omar's tokens in spring", "link"))
    album.shoot("manage-budget-new", "/manage/budgets/new/")
    album.shoot("manage-budget-new-refused", "/manage/budgets/new/", refused_budget)
    album.shoot("manage-budget-requests", "/manage/budgets/requests/")
    album.shoot("manage-budget-requests-refused", "/manage/budgets/requests/", refuse_without_words)
    album.shoot("manage-budget-requests-decided", "/manage/budgets/requests/", at("#decided"))
    album.shoot("manage-recommendations-unmeasured", RECOMMENDATIONS)
    album.shoot("manage-recommendations", RECOMMENDATIONS, measure_now)
    album.shoot("manage-recommendations-end", RECOMMENDATIONS, at(".finding", -1))
    album.shoot("manage-recommendation", f"{RECOMMENDATIONS}caching/")
    album.shoot("manage-recommendation-calls", f"{RECOMMENDATIONS}caching/", open_day)
    album.shoot("manage-recommendation-seats", f"{RECOMMENDATIONS}seats/")
    album.shoot("manage-alerts", "/manage/alerts/")
    album.shoot("manage-alerts-told", "/manage/alerts/", unfold(".alerts details"))
    album.shoot("manage-alerts-none", "/manage/alerts/?kind=test")
    album.shoot("manage-alerts-settings", "/manage/alerts/settings/")
    album.shoot("manage-alerts-webhooks", "/manage/alerts/settings/", at("#webhooks"))
    album.shoot("manage-alerts-webhook", "/manage/alerts/settings/", click("Finance channel", "link"))
    album.shoot("manage-alerts-webhook-new", "/manage/alerts/webhooks/new/", refused_webhook)
    album.shoot("manage-keys", "/manage/keys/")
    album.shoot("manage-keys-add", "/manage/keys/add/")
    album.shoot("manage-keys-policy", "/manage/keys/policy/", some_providers)
    album.shoot("your-keys-none", "/settings/keys/")
    album.shoot("your-keys", "/settings/keys/", own_key)
    album.shoot("manage-keys-settings", "/manage/keys/", key_settings)
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
    album.shoot("manage-people", "/manage/people/")
    album.shoot("manage-person", "/manage/people/", open_person)
    settings_pages(album)
    album.shoot("manage-teams", "/manage/teams/")
    album.shoot("manage-invite", "/manage/invitations/new/")
    album.shoot("manage-invite-many", "/manage/invitations/many/")
    album.shoot("manage-invitations", "/manage/invitations/")
    album.shoot("your-tokens", "/settings/tokens/")
    album.shoot("your-tokens-use", "/settings/tokens/?sort=expires&ended", both(at("#use"), coding_agent))
    album.shoot("your-token-new", "/settings/tokens/new/", both(confirm, some_models))
    album.shoot("your-token-refused", "/settings/tokens/new/", both(confirm, refused_token))
    album.shoot("your-token-made", "/settings/tokens/new/", both(confirm, new_token))
    album.shoot("your-token", "/settings/tokens/", click("Change notebook", "link"))
    album.shoot("your-token-revoke", "/settings/tokens/", click("Revoke notebook", "link"))
    album.shoot("manage-token-policy", "/manage/people/tokens/")
    album.shoot("manage-person-tokens", "/manage/people/?q=omar", both(open_person, at("#tokens")))
    album.shoot("manage-team-tokens", "/manage/teams/", both(click("Research", "link"), at("#tokens")))
    album.shoot("profile", "/settings/profile/")
    album.shoot("security", "/settings/security/")
    album.shoot("security-app", "/settings/security/app/", confirm)
    album.shoot("security-passkey", "/settings/security/passkeys/add/", confirm)
    album.shoot("security-second-step", "/settings/security/second-step/")
    album.shoot("manage-sign-in", "/manage/settings/sign-in/")
    album.shoot("manage-audit", "/manage/audit/")
    album.shoot("manage-audit-none", "/manage/audit/?q=nothing+like+this")
    policy_pages(album)
    album.shoot("manage-health", "/manage/health/")
    album.shoot("manage-health-calls", "/manage/health/", open_failed)
    album.shoot("manage-navigation", "/manage/health/", navigation, sizes=("390x844",))


def point(place: int) -> Act:
    """The pointer on a day of the chart."""

    def over(page: Page) -> None:
        day = page.locator(".chart-day").nth(place)
        box = day.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 12)
        expect(page.locator(".chart-card")).to_be_visible()

    return over


def hide_layer(page: Page) -> None:
    page.locator(".legend button").first.click()


def ask_with_reason(page: Page) -> None:
    page.locator(".limit summary").first.click()
    page.get_by_label("What for").first.fill("The archive has to be read once more.")


def open_corrected(page: Page) -> None:
    page.get_by_role("row").filter(has_text="correction").first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Its lines in the ledger")).to_be_visible()


def refused_budget(page: Page) -> None:
    page.get_by_label("Limit").first.fill("a lot")
    page.locator("main form button[type=submit]").last.click()
    expect(page.locator("main .field-error").first).to_be_visible()


def refuse_without_words(page: Page) -> None:
    page.get_by_role("button", name="Refuse").first.click()
    expect(page.locator("main .field-error").first).to_be_visible()


def measure_now(page: Page) -> None:
    page.get_by_role("button", name="Measure now").first.click()
    expect(page.get_by_text("Measured anew")).to_be_visible()


def open_day(page: Page) -> None:
    page.get_by_role("region", name="By day").get_by_role("link").first.click()
    expect(page.get_by_role("link", name="All days")).to_be_visible()


def open_drift(page: Page) -> None:
    page.locator("tr", has_text="Beyond").get_by_role("link", name="Sonnet 5.5").first.click()
    expect(page.get_by_role("heading", name="Figure by figure")).to_be_visible()


def refused_key(page: Page) -> None:
    page.locator("input[type=password]").first.fill("sk-sim-401")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("main .notice[data-kind=danger], main .field-error").first).to_be_visible()


def some_providers(page: Page) -> None:
    page.locator("input[name=who][value=some]").check()
    page.locator("input[name=providers]").first.check()


def own_key(page: Page) -> None:
    """The page with a key of the person's own, entered now where there is none."""
    if page.get_by_role("link", name="Settings of").count() == 0:
        page.goto(page.url + "add/anthropic/api_key/")
        page.locator("input[type=password]").fill("sk-ant-api03-own-5Rk2")
        page.get_by_label("Name").fill("Travel")
        page.get_by_label("Replace by").fill("2030-01-31")
        page.locator("main form button[type=submit]").click()
        expect(page.get_by_text("works and is stored")).to_be_visible()


def key_settings(page: Page) -> None:
    page.get_by_role("link", name="Settings of").first.click()
    expect(page.get_by_label("Replace by")).to_be_visible()


def refused_webhook(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Script in the house")
    page.get_by_label("Address").fill("http://192.168.1.20/alerts")
    page.get_by_role("button", name="Add it").click()
    expect(page.locator(".field-error").first).to_be_visible()


def refused_endpoint(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("House")
    page.locator("input[name=slug]").fill("house")
    page.locator("input[name=needs_key]").uncheck()
    page.get_by_label("Address").first.fill("http://169.254.169.254/v1")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("main .field-error, main .notice").first).to_be_visible()


def coding_agent(page: Page) -> None:
    page.get_by_text("Coding agent").click()


def some_models(page: Page) -> None:
    page.get_by_label("Name").fill("Nightly summaries")
    page.get_by_text("Only these").click()
    page.get_by_label("Haiku 5.5").first.check()
    page.get_by_label("Ends").select_option("date")


def refused_token(page: Page) -> None:
    page.get_by_label("Name").fill("Nightly summaries")
    page.get_by_text("Only these").click()
    page.get_by_label("Budget each month").fill("a lot")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("main .field-error").first).to_be_visible()
    page.locator("main .field-error").first.scroll_into_view_if_needed()


def new_token(page: Page) -> None:
    page.get_by_label("Name").fill("Nightly summaries")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("only this once")).to_be_visible()


def open_person(page: Page) -> None:
    page.locator("tbody th a").first.click()
    expect(page.get_by_role("heading", name="What they may do, and why")).to_be_visible()


def open_failed(page: Page) -> None:
    page.get_by_role("link", name="failed").first.click()
    expect(page.get_by_role("heading", name="Failed calls")).to_be_visible()


def navigation(page: Page) -> None:
    page.get_by_role("button", name="Show the navigation").click()
