"""The registry names every provider, and every model of the catalogue has one."""

from __future__ import annotations

import pytest

from providers import catalogue
from providers.anthropic import AnthropicAdapter
from providers.registry import PROVIDERS, adapter


def test_adapters_are_made_once() -> None:
    assert isinstance(adapter("anthropic"), AnthropicAdapter)
    assert adapter("anthropic") is adapter("anthropic")
    assert isinstance(adapter("demo"), AnthropicAdapter)


def test_an_unknown_provider_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        adapter("nobody")


def test_the_demo_needs_no_secret_and_the_others_do() -> None:
    assert PROVIDERS["demo"].auth_kinds == ("none",)
    assert PROVIDERS["anthropic"].auth_kinds == ("api_key", "oauth")
    assert PROVIDERS["anthropic"].base_url == "https://api.anthropic.com"


def test_every_model_of_the_catalogue_has_its_provider() -> None:
    assert {spec.provider for spec in catalogue.specs()} <= set(PROVIDERS)
