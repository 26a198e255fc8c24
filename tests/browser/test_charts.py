"""The chart of cost per day: drawn, read out, its layers hidden, its days opened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.usage.spent import spent
from usage.clock import organisation_day

pytestmark = pytest.mark.django_db(transaction=True)

DOLLAR = 10**9
# How many points of the canvas have the colour of each layer, as the legend shows it.
DRAWN = """() => {
  const canvas = document.querySelector("cost-chart canvas");
  const beside = new OffscreenCanvas(canvas.width, canvas.height);
  const copy = beside.getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return [...document.querySelectorAll("cost-chart .legend svg")].map((swatch) => {
    const [red, green, blue] = getComputedStyle(swatch).stroke.match(/\\d+/g).map(Number);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count += 1;
    }
    return count;
  });
}"""


@pytest.fixture
def address() -> str:
    """A page of seven days: today, a day with two models, and days with nothing."""
    today = organisation_day(timezone.now())
    spent(today, 1 * DOLLAR)
    spent(today - timedelta(days=2), 3 * DOLLAR)
    spent(today - timedelta(days=2), 5 * DOLLAR, model_asked="claude-opus-5-5")
    return f"/manage/usage/?period=own&from={today - timedelta(days=6)}&to={today}"


def test_a_chart_is_drawn_read_narrowed_and_opened(visit: Callable[..., Page], address: str) -> None:
    page = visit(address)
    days, card = page.locator(".chart-day"), page.locator(".chart-card")
    expect(days).to_have_count(7)
    page.wait_for_function(f"() => ({DRAWN})().every((count) => count > 100)")
    light = page.evaluate(DRAWN)

    days.nth(4).hover(position={"x": 20, "y": 205})
    expect(card).to_contain_text("Opus 5.5$5.00")
    expect(card).to_contain_text("Sonnet 5.5$3.00")
    expect(card).to_contain_text("Whole day$8.00")
    expect(card.locator("[data-on]")).to_have_text("Opus 5.5$5.00")
    days.nth(0).hover()
    expect(card).to_contain_text("Nothing was used")

    page.get_by_role("button", name="Opus 5.5").click()
    page.wait_for_function(f"() => ({DRAWN})()[0] === 0 && ({DRAWN})()[1] > {light[1]}")
    expect(page.get_by_role("button", name="Opus 5.5")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Opus 5.5").click()
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => ({DRAWN})().every((count) => count > 100)")
    page.set_viewport_size({"width": 700, "height": 900})
    page.wait_for_function(
        "() => document.querySelector('.uplot').clientWidth"
        " === document.querySelector('.chart-box').clientWidth"
    )

    days.last.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    expect(days.nth(4)).to_be_focused()
    expect(card.locator("[data-on]")).to_have_text("Sonnet 5.5$3.00")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="1 call, $3.00")).to_be_visible()

    page.goto(page.url.partition("/manage")[0] + address)
    days.last.click(position={"x": 20, "y": 4})  # above the bar: all of the day
    expect(page.get_by_role("heading", name="1 call, $1.00")).to_be_visible()
    assert "model=" not in page.url


def test_a_finger_reads_a_day_before_it_opens_it(visit: Callable[..., Page], address: str) -> None:
    page = visit(address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    day, card = page.locator(".chart-day").nth(4), page.locator(".chart-card")
    day.tap(position={"x": 20, "y": 205})
    expect(card).to_contain_text("Touch again to open these calls of Opus 5.5")
    day.tap(position={"x": 20, "y": 205})
    expect(page.get_by_role("heading", name="1 call, $5.00")).to_be_visible()


def test_without_scripts_the_table_is_there(visit: Callable[..., Page], address: str) -> None:
    page = visit(address, java_script_enabled=False)
    expect(page.locator(".chart-box")).to_be_hidden()
    page.get_by_text("The chart as a table").click()
    expect(page.get_by_role("region", name="as a table").get_by_role("link", name="$8.00")).to_be_visible()
