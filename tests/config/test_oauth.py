"""Logins are off until the operator switches them on, and one that terms forbid needs a second word."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import oauth
from config.environment import Environment
from config.provider_environment import provider_environment
from providers.access import Secret
from providers.oauth import OAuthClient

PERMITTED = {"ANTHROPIC_OAUTH_CLIENT_ID": "ours", "ANTHROPIC_OAUTH_PERMITTED": "1"}
PUBLIC = "https://parley.example.org"


def configured(values: dict[str, str], public_url: str = PUBLIC) -> dict[str, OAuthClient]:
    env = Environment(values)
    return oauth.configuration(env, provider_environment(env), public_url)


def test_without_a_client_id_nobody_logs_in_anywhere() -> None:
    assert configured({}) == {}
    assert configured({"ANTHROPIC_OAUTH_PERMITTED": "1"}) == {}


def test_a_client_id_alone_does_not_open_a_login_that_terms_forbid() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"ANTHROPIC_OAUTH_CLIENT_ID.*do not permit") as caught:
        configured({"ANTHROPIC_OAUTH_CLIENT_ID": "ours-4711"})
    assert "4711" not in str(caught.value)
    assert "docs/oauth.md" in str(caught.value)


def test_with_the_vendors_agreement_it_is_open() -> None:
    client = configured(PERMITTED)["anthropic"]
    assert client.client_id == "ours"
    assert client.redirect_uri == f"{PUBLIC}/manage/keys/oauth/callback/"
    assert client.token_url == "https://api.anthropic.com/v1/oauth/token"
    assert client.scopes == ("user:inference", "user:profile")
    assert (client.body, client.repeats_state, client.client_secret) == ("json", True, None)
    assert client.headers == {"anthropic-beta": "oauth-2025-04-20"}


@pytest.mark.parametrize("public_url", ["", "http://parley.internal"])
def test_without_a_public_address_the_code_is_pasted(public_url: str) -> None:
    assert configured(PERMITTED, public_url)["anthropic"].redirect_uri.startswith(
        "https://platform.claude.com/"
    )


def test_the_operator_may_say_everything() -> None:
    more = {
        "ANTHROPIC_OAUTH_AUTHORIZE_URL": "https://login.example/a",
        "ANTHROPIC_OAUTH_TOKEN_URL": "https://login.example/t",
        "ANTHROPIC_OAUTH_REDIRECT_URL": "https://login.example/shown",
        "ANTHROPIC_OAUTH_SCOPES": "one, two",
        "ANTHROPIC_OAUTH_CLIENT_SECRET": "canary-secret",
        "ANTHROPIC_OAUTH_REVOKE_URL": "https://login.example/r",
    }
    client = configured(PERMITTED | more)["anthropic"]
    assert (client.authorize_url, client.token_url) == ("https://login.example/a", "https://login.example/t")
    assert (client.redirect_uri, client.scopes) == ("https://login.example/shown", ("one", "two"))
    assert client.revoke_url == "https://login.example/r"
    assert client.client_secret == Secret("canary-secret")
    assert "canary" not in repr(client)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ANTHROPIC_OAUTH_TOKEN_URL": "http://login.example/t"},
        {"ANTHROPIC_OAUTH_REDIRECT_URL": "http://parley.example/"},
        {"ANTHROPIC_OAUTH_REVOKE_URL": "http://login.example/r"},
    ],
)
def test_addresses_without_https_stop_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ImproperlyConfigured, match="https"):
        configured(PERMITTED | wrong)


def test_github_needs_its_client_id_alone() -> None:
    client = configured({"COPILOT_CLIENT_ID": "Iv1.ours"})["copilot"]
    assert client.device_url == "https://github.com/login/device/code"
    assert client.token_url == "https://github.com/login/oauth/access_token"
    assert (client.scopes, client.lifetime, client.authorize_url) == (("read:user",), None, "")


def test_githubs_host_is_that_of_its_api() -> None:
    values = {"COPILOT_CLIENT_ID": "Iv1.ours", "COPILOT_GITHUB_API_URL": "https://api.acme.ghe.com"}
    assert configured(values)["copilot"].device_url == "https://acme.ghe.com/login/device/code"


def test_azure_has_to_be_told_its_directory() -> None:
    values = {"AZURE_OPENAI_OAUTH_CLIENT_ID": "ours"}
    with pytest.raises(ImproperlyConfigured, match="Azure"):
        configured(values)
    base = "https://login.microsoftonline.com/our-tenant/oauth2/v2.0"
    more: dict[str, Any] = {
        "AZURE_OPENAI_OAUTH_AUTHORIZE_URL": f"{base}/authorize",
        "AZURE_OPENAI_OAUTH_TOKEN_URL": f"{base}/token",
    }
    client = configured(values | more)["azure"]
    assert (client.token_url, client.body) == (f"{base}/token", "form")
    assert client.scopes == ("https://cognitiveservices.azure.com/.default", "offline_access")
