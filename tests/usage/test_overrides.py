"""Admins' changes over the catalogue, fallback chains, and live lists merged with both."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest

from providers import catalogue
from providers.access import ListedModel
from usage.catalogue import actions, chains, corrections, discovery, known_models, overrides
from usage.catalogue.actions import NotPossible
from usage.models import ModelOverride, Revision

from .managing import nothing_changed as nothing_changed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_changed")]

SONNET, HAIKU = "anthropic/claude-sonnet-5-5", "anthropic/claude-haiku-5-5"
BY = uuid4()


def test_without_a_change_it_is_the_catalogue() -> None:
    assert overrides.spec(SONNET) is catalogue.spec(SONNET)
    assert list(overrides.specs("openai")) == catalogue.specs("openai")
    assert overrides.spec("anthropic/claude-haiku-4-5-20251001") is catalogue.spec(
        "anthropic/claude-haiku-4-5"
    )
    assert overrides.spec("nobody/nothing") is None
    assert overrides.cheapest("anthropic") is catalogue.cheapest("anthropic")


def test_a_change_is_seen_at_once_in_its_process() -> None:
    actions.change_model(by=BY, ref=HAIKU, enabled=False, display_name="", facts={})
    assert overrides.known().override(HAIKU).enabled is False
    assert overrides.cheapest("anthropic").ref != HAIKU
    assert Revision.objects.get().number == 1


def test_facts_are_checked_as_the_catalogues_are() -> None:
    for facts in (
        {"context": 5, "max_output": 10},
        {"capabilities": ["flying"]},
        {"prices": []},
        {"demo": True},
        {"max_output": "many"},
        {"efforts": ["warp"]},
    ):
        with pytest.raises(NotPossible):
            actions.change_model(by=BY, ref=SONNET, enabled=None, display_name="", facts=facts)
    assert ModelOverride.objects.count() == 0


def test_a_model_that_nothing_describes_is_described_by_an_admin() -> None:
    with pytest.raises(NotPossible, match="context"):
        actions.change_model(
            by=BY, ref="salesforce/x", enabled=True, display_name="", facts={"api": "generations"}
        )
    facts = {"context": 8000, "max_output": 1000, "api": "generations"}
    actions.change_model(by=BY, ref="salesforce/x", enabled=True, display_name="Einstein", facts=facts)
    spec = overrides.spec("salesforce/x")
    assert spec is not None
    assert (spec.api, spec.name, spec.prices) == ("generations", "Einstein", ())


def test_stored_facts_that_no_longer_fit_break_nothing() -> None:
    ModelOverride.objects.create(provider="anthropic", model="claude-sonnet-5-5", facts={"flying": True})
    Revision.objects.create(number=7)
    overrides.forget()
    assert overrides.spec(SONNET) == catalogue.spec(SONNET)
    assert "flying" in overrides.troubles()[0]


def test_correcting_the_efforts_keeps_a_default_among_them() -> None:
    spec = catalogue.spec(SONNET)
    assert spec is not None
    assert corrections.corrected(spec, {"efforts": ["low", "medium"]}).default_effort == "medium"
    assert corrections.corrected(spec, {"efforts": []}).default_effort is None


def test_chains_leave_out_what_is_off_and_know_aliases() -> None:
    actions.set_chain(
        by=BY, ref=SONNET, refs=["anthropic/claude-haiku-4-5-20251001", HAIKU, "openai/gpt-6.2-sol"]
    )
    assert chains.of(SONNET) == ["anthropic/claude-haiku-4-5", HAIKU, "openai/gpt-6.2-sol"]
    actions.change_model(by=BY, ref=HAIKU, enabled=False, display_name="", facts={})
    assert chains.of(SONNET) == ["anthropic/claude-haiku-4-5", "openai/gpt-6.2-sol"]
    assert chains.of(HAIKU) == []
    actions.set_chain(by=BY, ref=SONNET, refs=["openai/gpt-6.2-sol"], enabled=False)
    assert chains.of(SONNET) == []


def test_a_live_list_adds_its_facts_and_an_admins_stay() -> None:
    spec = catalogue.spec("copilot/gpt-5.4")
    assert spec is not None
    listed = ListedModel(
        "gpt-5.4", "GPT-5.4", context=200_000, max_output=50_000, api="chat", retires_on=date(2027, 1, 1)
    )
    merged = known_models.with_list(spec, listed)
    assert (merged.context, merged.max_output, merged.api) == (200_000, 50_000, "chat")
    assert merged.retires_on == date(2027, 1, 1)
    assert merged.prices == spec.prices
    actions.change_model(by=BY, ref=spec.ref, enabled=None, display_name="", facts={"max_output": 9_000})
    mine = overrides.spec(spec.ref)
    assert mine is not None
    assert known_models.with_list(mine, listed).max_output == 9_000


def test_a_list_whose_numbers_cannot_be_changes_nothing() -> None:
    spec = catalogue.spec(SONNET)
    assert spec is not None
    assert known_models.with_list(spec, ListedModel(spec.id, "x", context=10, max_output=20)) is spec


@pytest.mark.parametrize(
    ("model", "tokens", "tools"),
    [
        ("gpt-5.4-mini", 400_000, True),  # what one of the same id can do elsewhere
        ("openai/gpt-4.1", 1_047_576, True),
        ("qwen-7b", known_models.LISTED_CONTEXT, True),
    ],
)
def test_what_only_a_list_names_is_guessed_from_its_like(model: str, tokens: int, tools: bool) -> None:
    discovery.note("openai", [ListedModel(model, model)])
    spec = known_models.about(f"openai/{model}")
    assert spec is not None
    assert spec.context == tokens
    assert ("tools" in spec.capabilities) is tools


def test_nothing_is_known_of_a_model_that_nobody_named() -> None:
    assert known_models.about("openai/never-heard-of") is None


def test_one_model_is_the_default() -> None:
    actions.make_default(by=BY, ref=SONNET)
    actions.make_default(by=BY, ref=HAIKU)
    assert overrides.known().default == HAIKU
    assert ModelOverride.objects.filter(is_default=True).count() == 1
    actions.change_model(by=BY, ref=SONNET, enabled=False, display_name="", facts={})
    with pytest.raises(NotPossible, match="switched off"):
        actions.make_default(by=BY, ref=SONNET)
