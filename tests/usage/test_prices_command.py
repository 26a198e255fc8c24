"""`manage.py prices import`: a diff before anything is stored, a yes, and calls are held at the new price."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from usage.catalogue import overrides
from usage.models import Price
from usage.prices import prices
from usage.prices.pricing import Rates

from .managing import nothing_changed as nothing_changed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_changed")]

SONNET = "anthropic/claude-sonnet-5-5"
SPRING = datetime(2027, 3, 1, tzinfo=UTC)
PRICE: dict[str, Any] = {
    "model": SONNET,
    "from": "2027-03-01",
    "input": "3",
    "output": 12.5,
    "cache_read": "0.3",
    "cache_write_5m": "3.75",
    "cache_write_1h": 6,
    "long_context": {"above": 272_000, "input": 6, "output": 22.5, "cache_read": 0.6},
    "fast": {"input": 30, "output": 150},
    "web_search_per_1000": 10,
    "batch_percent": 50,
    "geo_us_percent": 110,
}


def written(folder: Path, content: object) -> Path:
    path = folder / "prices.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def run(*words: Any) -> str:
    out = StringIO()
    call_command("prices", *map(str, words), stdout=out, stderr=out)
    return out.getvalue()


def test_the_diff_is_shown_and_the_price_counts_from_its_moment_on(tmp_path: Path) -> None:
    text = run("import", written(tmp_path, {"prices": [PRICE]}), "--yes")
    assert f"~ {SONNET} from 2027-03-01 00:00 UTC" in text
    assert "input: $2.00 -> $3.00 (+50.0 %)" in text
    assert "long_context above: none -> 272,000" in text
    assert "long_context input: unknown -> $6.00" in text
    assert "1 new prices, 0 unchanged." in text
    assert prices.override("anthropic", "claude-sonnet-5-5", SPRING - timedelta(seconds=1)) is None
    found = prices.override("anthropic", "claude-sonnet-5-5", SPRING)
    assert found is not None
    assert found.rates == Rates(3_000_000, 12_500_000, 300_000, 3_750_000, 6_000_000)
    # What the file leaves out of the cache's rates is dear: reads as input, writes twice the input.
    assert found.long_context == Rates(6_000_000, 22_500_000, 600_000, 12_000_000, 12_000_000)
    assert found.long_context_above == 272_000
    assert found.fast == Rates(30_000_000, 150_000_000, 30_000_000, 60_000_000, 60_000_000)
    assert (found.web_search_per_1000_nano, found.batch_percent, found.geo_us_percent) == (10**10, 50, 110)
    assert found.source.startswith("import prices.json")
    assert overrides.known().prices[0].valid_from == SPRING


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, {"prices": [PRICE]})
    run("import", file, "--yes")
    assert "0 new prices, 1 unchanged." in run("import", file)
    assert Price.objects.count() == 1


def test_a_price_is_never_changed_only_followed_by_another(tmp_path: Path) -> None:
    run("import", written(tmp_path, {"prices": [PRICE]}), "--yes")
    dearer = PRICE | {"input": 4}
    with pytest.raises(CommandError, match="never changed"):
        run("import", written(tmp_path, {"prices": [dearer]}), "--yes")
    run("import", written(tmp_path, {"prices": [dearer | {"from": "2027-03-01T08:00:00+02:00"}]}), "--yes")
    six = prices.override("anthropic", "claude-sonnet-5-5", SPRING + timedelta(hours=6))
    before = prices.override("anthropic", "claude-sonnet-5-5", SPRING + timedelta(hours=5, minutes=59))
    assert six is not None
    assert before is not None
    assert (six.rates.input, before.rates.input) == (4_000_000, 3_000_000)


def test_a_price_that_ends_gives_way_to_the_one_before(tmp_path: Path) -> None:
    run("import", written(tmp_path, {"prices": [PRICE | {"until": "2027-04-01"}]}), "--yes")
    assert prices.override("anthropic", "claude-sonnet-5-5", datetime(2027, 3, 31, 23, tzinfo=UTC))
    assert prices.override("anthropic", "claude-sonnet-5-5", datetime(2027, 4, 1, tzinfo=UTC)) is None


def test_without_a_yes_nothing_is_stored(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--yes"):
        run("import", written(tmp_path, {"prices": [PRICE]}))
    assert Price.objects.count() == 0


def test_a_file_of_models_dev_gives_prices_and_nothing_else(tmp_path: Path) -> None:
    entry = {
        "name": "Another name",
        "limit": {"context": 10, "output": 5},
        "cost": {"input": 3, "output": 10, "cache_read": 0.1, "cache_write": 2.5},
    }
    models = {"claude-sonnet-5-5": entry, "claude-unheard-of": entry}
    text = run("import", written(tmp_path, {"anthropic": {"models": models}}), "--yes")
    assert "1 new prices, 0 unchanged." in text
    found = prices.override("anthropic", "claude-sonnet-5-5", datetime.now(UTC))
    assert found is not None
    assert (found.rates.input, found.rates.cache_read) == (3_000_000, 100_000)
    spec = overrides.spec(SONNET)
    assert spec is not None
    assert spec.context > 10
    assert "0 new prices, 1 unchanged." in run("import", tmp_path / "prices.json")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ('{"prices": [{"input": NaN}]}', "NaN"),
        ({"prices": [PRICE | {"input": -1}]}, r"prices\[0\]\.input is no price"),
        ({"prices": [PRICE | {"input": "NaN"}]}, "is no price"),
        ({"prices": [PRICE | {"input": "1e999"}]}, "is no price"),
        ({"prices": [PRICE | {"input": "0.0000001"}]}, "finer than can be stored"),
        ({"prices": [PRICE | {"input": True}]}, "is no price"),
        ({"prices": [PRICE | {"batch_percent": 0.5}]}, "whole number"),
        ({"prices": [PRICE | {"from": "soon"}]}, "no day or moment"),
        ({"prices": [PRICE | {"until": "2027-02-01"}]}, "ends before it begins"),
        ({"prices": [PRICE | {"imput": 1}]}, "unknown fields: imput"),
        ({"prices": [PRICE | {"model": "nobody/x"}]}, "no provider 'nobody'"),
        (
            {"prices": [PRICE | {"long_context": {"above": 5, "input": 1}}]},
            r"long_context\.output is missing",
        ),
        ({"prices": [PRICE, PRICE]}, "two prices of one model"),
    ],
)
def test_a_bad_file_changes_nothing_and_names_the_place(tmp_path: Path, content: object, reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        run("import", written(tmp_path, content), "--yes")
    assert Price.objects.count() == 0
    with pytest.raises(CommandError, match="cannot be read"):
        run("import", tmp_path / "missing.json")
