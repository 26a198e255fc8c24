"""Money and tokens as the pages print them."""

from __future__ import annotations

import pytest

from usage.templatetags.figures import per_million, tokens, usd


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        (None, ""),
        (0, "$0"),
        (1, "< $0.0001"),
        (99_999, "< $0.0001"),
        (100_000, "$0.0001"),
        (21_400_000, "$0.0214"),
        (21_449_999, "$0.0214"),
        (21_450_000, "$0.0215"),
        (99_949_999, "$0.0999"),
        (99_950_000, "$0.100"),
        (310_000_000, "$0.310"),
        (999_499_999, "$0.999"),
        (999_500_000, "$1.00"),
        (1_004_999_999, "$1.00"),
        (1_005_000_000, "$1.01"),
        (41_200_000_000, "$41.20"),
        (1_234_567_890_000, "$1,234.57"),
        (-310_000_000, "-$0.310"),
    ],
)
def test_money_keeps_the_digits_that_matter(nano: int | None, shown: str) -> None:
    assert usd(nano) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, ""),
        (0, "0"),
        (612, "612"),
        (999, "999"),
        (1_000, "1.0k"),
        (7_612, "7.6k"),
        (7_650, "7.7k"),
        (9_949, "9.9k"),
        (9_950, "10k"),
        (48_499, "48k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (1_250_000, "1.3M"),
        (12_000_000, "12M"),
        (999_500_000, "1.0B"),
        (1_974_000_000, "2.0B"),
    ],
)
def test_tokens_are_short(count: int | None, shown: str) -> None:
    assert tokens(count) == shown


@pytest.mark.parametrize(
    ("pico", "shown"),
    [
        (None, ""),
        (0, "$0"),
        (2_000_000, "$2.00"),
        (75_000, "$0.075"),
        (100_000, "$0.10"),
        (12_500_000, "$12.50"),
    ],
)
def test_prices_are_per_million_tokens(pico: int | None, shown: str) -> None:
    assert per_million(pico) == shown
