"""`manage.py catalogue`: a diff before anything is stored, a yes, and every process knows."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from providers import catalogue
from usage.catalogue import actions, overrides
from usage.models import FallbackChain, ImportedModel, ModelOverride, Revision

from .managing import nothing_changed as nothing_changed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_changed")]

SONNET = {
    "name": "Claude Sonnet 5.5",
    "limit": {"context": 1000000, "output": 128000},
    "cost": {"input": 3, "output": 10, "cache_read": 0.1, "cache_write": 2.5},
}
NEW = {
    "name": "Claude Next",
    "limit": {"context": 500000, "output": 50000},
    "cost": {"input": 1, "output": 2},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, {"claude-sonnet-5-5": SONNET, "claude-next": NEW})


def written(folder: Path, models: dict[str, Any], provider: str = "anthropic") -> Path:
    path = folder / "api.json"
    path.write_text(json.dumps({provider: {"models": models}, "unheard-of": {"models": {"x": NEW}}}))
    return path


def run(*words: Any) -> str:
    out = StringIO()
    call_command("catalogue", *map(str, words), stdout=out, stderr=out)
    return out.getvalue()


def test_the_diff_is_shown_and_stored_after_a_yes(file: Path) -> None:
    text = run("import", file, "--yes")
    assert "+ anthropic/claude-next  500,000 tokens, in $1.00, out $2.00" in text
    assert "~ anthropic/claude-sonnet-5-5" in text
    assert "input: $2.00 -> $3.00 (+50.0 %)" in text
    assert "unheard-of" not in text
    assert "1 added, 1 changed, 0 gone, 0 unchanged." in text
    spec = overrides.spec("anthropic/claude-sonnet-5-5")
    assert spec is not None
    assert spec.prices[-1].input == 3_000_000
    assert "api.json" in spec.prices[-1].source
    assert overrides.spec("anthropic/claude-next") is not None
    assert Revision.objects.get().number == 1
    assert "0 added, 0 changed, 0 gone, 2 unchanged." in run("import", file, "--yes")


def test_without_a_yes_nothing_is_stored(file: Path) -> None:
    with pytest.raises(CommandError, match="--yes"):
        run("import", file)
    assert ImportedModel.objects.count() == 0


def test_what_the_next_file_no_longer_names_is_gone(file: Path, tmp_path: Path) -> None:
    run("import", file, "--yes")
    text = run("import", written(tmp_path, {"claude-sonnet-5-5": SONNET}), "--yes")
    assert "- anthropic/claude-next" in text
    assert overrides.spec("anthropic/claude-next") is None
    assert overrides.spec("anthropic/claude-haiku-5-5") is catalogue.spec("anthropic/claude-haiku-5-5")


def test_an_admins_word_stays_above_an_import(file: Path) -> None:
    ref = "anthropic/claude-sonnet-5-5"
    facts = {"max_output": 5_000}
    actions.change_model(by=uuid4(), ref=ref, enabled=None, display_name="Ours", facts=facts)
    run("import", file, "--yes")
    spec = overrides.spec(ref)
    assert spec is not None
    assert (spec.name, spec.max_output, spec.prices[-1].input) == ("Ours", 5_000, 3_000_000)


def test_one_provider_can_be_chosen_and_must_be_known(file: Path) -> None:
    assert "0 added" in run("import", file, "--yes", "--provider", "openai")
    with pytest.raises(CommandError, match="no provider 'nobody'"):
        run("import", file, "--provider", "nobody")


def test_a_bad_file_changes_nothing_and_names_the_place(tmp_path: Path) -> None:
    path = written(tmp_path, {"claude-next": NEW, "claude-bad": NEW | {"cost": {"input": -1, "output": 1}}})
    with pytest.raises(CommandError, match=r"anthropic\.models\.claude-bad\.cost\.input"):
        run("import", path, "--yes")
    assert ImportedModel.objects.count() == 0
    with pytest.raises(CommandError, match="cannot be read"):
        run("import", tmp_path / "missing.json")


def test_models_are_shown() -> None:
    assert "anthropic/claude-sonnet-5-5" in run("show")
    assert "openai/gpt-6.2-sol" not in run("show", "anthropic")
    text = run("show", "openai/gpt-6.2-sol")
    assert "api responses" in text
    assert "in $2.00, out $10.00" in text
    for ref in ("openai/none", "nobody"):
        with pytest.raises(CommandError, match="There is no"):
            run("show", ref)


def test_the_check_names_what_is_wrong_and_what_soon_will_be(settings: Any) -> None:
    text = run("check")
    assert "anthropic/claude-sonnet-4-5: retires on 2026-11-30" in text or "is retired" in text
    assert "azure/model-router: no price is known" in text
    assert "Nothing is wrong." in text
    ModelOverride.objects.create(provider="anthropic", model="claude-sonnet-5-5", facts={"flying": True})
    FallbackChain.objects.create(ref="anthropic/claude-sonnet-5-5", refs=["anthropic/claude-gone"])
    Revision.objects.create(number=5)
    overrides.forget()
    with pytest.raises(CommandError, match="2 things are wrong"):
        run("check")
