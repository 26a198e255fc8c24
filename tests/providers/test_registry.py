"""The registry names every provider with what it needs, and every model of the catalogue has one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from providers import catalogue, registry
from providers.access import Access, Secret
from providers.anthropic import AnthropicAdapter
from providers.errors import ConnectionFailed
from providers.registry import PROVIDERS, Provider, adapter
from tests.corpus import ROOT
from tests.providers.adapters import ADAPTERS


@pytest.fixture
def endpoint() -> Provider:
    return Provider(
        label="Ours",
        adapter="providers.openai:OpenAIAdapter",
        base_url="https://models.example",
        auth_kinds=("api_key", "none"),
        guarded=True,
    )


@pytest.fixture(autouse=True)
def no_endpoints():
    yield
    registry.replace_endpoints({})


def test_adapters_are_made_once() -> None:
    assert isinstance(adapter("anthropic"), AnthropicAdapter)
    assert adapter("anthropic") is adapter("anthropic")
    assert isinstance(adapter("demo"), AnthropicAdapter)


@pytest.mark.parametrize("slug", PROVIDERS)
def test_every_row_leads_to_its_adapter(slug: str) -> None:
    assert type(adapter(slug)) is type(ADAPTERS[slug])


def test_every_adapter_keeps_the_protocol(tmp_path: Path) -> None:
    options = ["--strict", "--no-error-summary", "--follow-imports=silent", "--config-file="]
    command = [sys.executable, "-m", "mypy", *options, "--cache-dir", str(tmp_path)]
    checked = subprocess.run(
        [*command, "tests/providers/adapters.py"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_an_unknown_provider_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        adapter("nobody")


def test_the_demo_needs_no_secret_and_the_others_do() -> None:
    assert PROVIDERS["demo"].auth_kinds == ("none",)
    assert all("none" not in row.auth_kinds for slug, row in PROVIDERS.items() if slug != "demo")
    assert PROVIDERS["anthropic"].auth_kinds == ("api_key", "oauth")
    assert PROVIDERS["anthropic"].base_url == "https://api.anthropic.com"


@pytest.mark.parametrize("slug", PROVIDERS)
def test_every_row_says_all_that_a_person_has_to_enter(slug: str) -> None:
    row = PROVIDERS[slug]
    assert row.label
    assert row.base_url or row.address_label or slug == "demo"
    assert not row.base_url or urlsplit(row.base_url).scheme == "https"
    assert row.guarded is bool(row.address_label), "people enter these addresses"
    names = [option.name for option in row.options]
    assert len(names) == len(set(names))
    for option in row.options:
        assert option.label
        assert set(option.kinds) <= set(row.auth_kinds)
        assert option.variable or not option.shared, "only the operator can set it"
        assert not re.fullmatch(option.pattern, "a\r\nb"), "an option may become a header"


def test_every_model_of_the_catalogue_has_its_provider() -> None:
    assert {spec.provider for spec in catalogue.specs()} <= set(PROVIDERS)


def test_an_endpoint_is_a_provider_like_the_others(endpoint: Provider) -> None:
    registry.replace_endpoints({"ours": endpoint})
    assert registry.provider("ours") is endpoint
    assert list(registry.providers()) == [*PROVIDERS, "ours"]
    assert type(adapter("ours")) is type(ADAPTERS["openai"])
    assert adapter("ours") is not adapter("openai"), "its connections are guarded"
    registry.replace_endpoints({})
    assert registry.provider("ours") is None
    with pytest.raises(KeyError):
        adapter("ours")


def test_an_endpoint_takes_no_vendors_name(endpoint: Provider) -> None:
    with pytest.raises(ValueError, match="azure"):
        registry.replace_endpoints({"azure": endpoint})


async def test_addresses_that_people_enter_are_reached_through_the_guard() -> None:
    near = "http://127.0.0.1:9"
    for slug in ("azure", "salesforce"):
        options = {"client_id": "c", "tenant": "t", "authority": near}
        access = Access(near, Secret("k"), "client", options=options)
        with pytest.raises(ConnectionFailed, match="PARLEY_PRIVATE_HOSTS"):
            await adapter(slug).check(access)
