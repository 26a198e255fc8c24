"""What the environment says of the vendors is read by their rows; what does not fit stops the start."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment
from config.provider_environment import provider_environment, variables
from providers.access import Secret
from providers.vendors import PROVIDERS

AZURE = {
    "AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/",
    "AZURE_OPENAI_CLIENT_SECRET": "very-secret",
    "AZURE_OPENAI_TENANT_ID": "contoso",
    "AZURE_OPENAI_CLIENT_ID": "app-1",
}
SALESFORCE = {
    "SALESFORCE_MY_DOMAIN_URL": "https://acme.my.salesforce.com",
    "SALESFORCE_CLIENT_SECRET": "very-secret",
    "SALESFORCE_CLIENT_ID": "3MVG9",
}


def read(**values: str):
    return provider_environment(Environment(values))


def test_without_variables_no_vendor_has_a_secret():
    entries = read()
    assert set(entries) == set(PROVIDERS) - {"demo"}
    assert all(entry["api_key"] is None for entry in entries.values())
    assert entries["anthropic"]["base_url"] == "https://api.anthropic.com"
    assert entries["azure"]["base_url"] == entries["salesforce"]["base_url"] == ""
    assert all(entry["options"] == entry["shared"] == {} for entry in entries.values())


def test_a_key_its_address_and_its_options():
    entry = read(
        OPENAI_API_KEY="sk-1", OPENAI_BASE_URL="https://proxy.example/v1/", OPENAI_PROJECT_ID="proj_1"
    )["openai"]
    assert entry == {
        "api_key": Secret("sk-1"),
        "kind": "api_key",
        "base_url": "https://proxy.example/v1",
        "options": {"project": "proj_1"},
        "shared": {},
    }


def test_the_variable_of_the_secret_says_of_what_kind_it_is():
    entry = read(**AZURE)["azure"]
    assert (entry["kind"], entry["options"]) == ("client", {"tenant": "contoso", "client_id": "app-1"})
    assert entry["base_url"] == "https://acme.openai.azure.com"
    assert read(COPILOT_GITHUB_TOKEN="gho_1")["copilot"]["kind"] == "device"
    assert read(**SALESFORCE)["salesforce"]["kind"] == "client"


def test_shared_options_need_no_secret_and_go_with_every_credential():
    entry = read(COPILOT_CLIENT_ID="Iv1.a", COPILOT_EDITOR_VERSION="Parley/1.0")["copilot"]
    assert entry["api_key"] is None
    assert entry["shared"] == entry["options"] == {"client_id": "Iv1.a", "editor_version": "Parley/1.0"}


def test_an_option_of_one_secret_is_not_shared():
    entry = read(OPENAI_API_KEY="sk-1", OPENAI_ORG_ID="org-1")["openai"]
    assert entry["shared"] == {}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"OPENAI_ORG_ID": "org-1"}, ["OPENAI_ORG_ID", "OPENAI_API_KEY"]),
        ({"OPENAI_BASE_URL": "ftp://x"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "https://user:pass@x"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "https://[x"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "https://x:port"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "https://x/#v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_API_KEY": "sk with blanks"}, ["OPENAI_API_KEY"]),
        ({"OPENAI_API_KEY": "sk-1", "OPENAI_ORG_ID": "org\r\nx"}, ["OPENAI_ORG_ID"]),
        ({"AZURE_OPENAI_API_KEY": "k"}, ["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"]),
        ({**AZURE, "AZURE_OPENAI_API_KEY": "k"}, ["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_CLIENT_SECRET"]),
        ({**AZURE, "AZURE_OPENAI_TENANT_ID": ""}, ["AZURE_OPENAI_TENANT_ID"]),
        ({**AZURE, "AZURE_OPENAI_TENANT_ID": "a/../b"}, ["AZURE_OPENAI_TENANT_ID"]),
        ({**AZURE, "AZURE_OPENAI_API_VERSION": "latest"}, ["AZURE_OPENAI_API_VERSION"]),
        ({"AZURE_OPENAI_API_VERSION": "2025-04-01"}, ["AZURE_OPENAI_API_VERSION"]),
        ({**SALESFORCE, "SALESFORCE_CLIENT_ID": ""}, ["SALESFORCE_CLIENT_ID"]),
        ({"COPILOT_INTEGRATION_ID": "a b"}, ["COPILOT_INTEGRATION_ID"]),
        ({"ANTHROPIC_OAUTH_PERMITTED": "perhaps"}, ["ANTHROPIC_OAUTH_PERMITTED"]),
        ({"ANTHROPIC_OAUTH_TOKEN_URL": "file:///etc"}, ["ANTHROPIC_OAUTH_TOKEN_URL"]),
    ],
)
def test_what_does_not_fit_stops_the_start_by_name_and_never_by_value(
    values: dict[str, str], named: list[str]
):
    with pytest.raises(ImproperlyConfigured) as caught:
        read(**values)
    assert [name for name in named if name not in str(caught.value)] == []
    assert "very-secret" not in str(caught.value)


def test_an_option_for_another_kind_of_secret_needs_that_kind():
    values = {
        "AZURE_OPENAI_ENDPOINT": "https://a.example",
        "AZURE_OPENAI_API_KEY": "k",
        "AZURE_OPENAI_TENANT_ID": "t",
    }
    with pytest.raises(ImproperlyConfigured, match=r"AZURE_OPENAI_TENANT_ID.*AZURE_OPENAI_CLIENT_SECRET"):
        read(**values)


def test_no_two_vendors_read_the_same_variable():
    names = [name for row in PROVIDERS.values() for name in variables(row)]
    assert len(names) == len(set(names))
