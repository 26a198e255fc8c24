"""Sign-ins, tokens, and the vendors that need them: GitHub and Copilot, Entra ID and Azure, Salesforce."""

import base64
import json
from typing import Any

import pytest

from tests.simulator.conftest import Caller, directive

Json = dict[str, Any]
JSON = {"accept": "application/json"}
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
HEADERS = {"x-sfdc-app-context": "EinsteinGPT", "x-client-feature-id": "ai-platform-models-connected-app"}
GENERATIONS = "/einstein/platform/v1/models/sfdc_ai__DefaultGPT/chat-generations"
AZURE_SCOPE = "https://ai.azure.com/.default"


def asking(**script: Any) -> list[Json]:
    return [{"role": "user", "content": directive("Hello.", **script)}]


def client_form(**changes: str) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "hush-hush-hush"}
    return {name: value for name, value in (form | changes).items() if value}


async def signing_in(caller: Caller) -> Json:
    answer = await caller.http.post("/login/device/code", data={"client_id": "Iv1.x"}, headers=JSON)
    begun: Json = answer.json()
    return begun


async def polled(caller: Caller, device_code: str) -> Json:
    form = {"client_id": "Iv1.x", "device_code": device_code, "grant_type": GRANT}
    answer = await caller.http.post("/login/oauth/access_token", data=form, headers=JSON)
    assert answer.status_code == 200
    fields: Json = answer.json()
    return fields


async def copilot_token(caller: Caller, github: str = "gho_made_up") -> Json:
    answer = await caller.http.get("/copilot_internal/v2/token", headers={"authorization": f"token {github}"})
    assert answer.status_code == 200, answer.text
    token: Json = answer.json()
    return token


async def token_of(caller: Caller, path: str, **changes: str) -> str:
    answer = await caller.http.post(path, data=client_form(**changes))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


# GitHub


async def test_a_person_approves(caller: Caller) -> None:
    begun = await signing_in(caller)
    assert (begun["expires_in"], begun["interval"], len(begun["device_code"])) == (900, 5, 40)
    assert (await polled(caller, begun["device_code"]))["error"] == "authorization_pending"
    await caller.http.post("/_simulator/device/approve", params={"user_code": begun["user_code"]})
    assert (await polled(caller, begun["device_code"]))["access_token"].startswith("gho_")
    assert (await polled(caller, begun["device_code"]))["error"] == "incorrect_device_code", "it is used up"


@pytest.mark.parametrize(
    ("decision", "error"),
    [("deny", "access_denied"), ("expire", "expired_token"), ("slow_down", "slow_down")],
)
async def test_a_sign_in_ends_otherwise(caller: Caller, decision: str, error: str) -> None:
    begun = await signing_in(caller)
    await caller.http.post(f"/_simulator/device/{decision}")
    assert (await polled(caller, begun["device_code"]))["error"] == error
    after = (await polled(caller, begun["device_code"]))["error"]
    assert after == ("authorization_pending" if decision == "slow_down" else "incorrect_device_code")


async def test_a_decision_is_for_the_one_who_is_named(caller: Caller) -> None:
    first, second = await signing_in(caller), await signing_in(caller)
    await caller.http.post("/_simulator/device/approve", params={"user_code": second["user_code"]})
    assert "error" in await polled(caller, first["device_code"])
    assert "access_token" in await polled(caller, second["device_code"])
    assert (await caller.http.post("/_simulator/device/marry")).status_code == 404


async def test_github_answers_with_forms_unless_json_is_asked_for(caller: Caller) -> None:
    answer = await caller.http.post(
        "/login/device/code", data={"client_id": "Iv1.x"}, headers={"accept": "*/*"}
    )
    assert answer.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert "user_code=" in answer.text


async def test_a_token_says_who_its_person_is(caller: Caller) -> None:
    first = await caller.http.get("/user", headers={"authorization": "Bearer gho_one"})
    second = await caller.http.get("/user", headers={"authorization": "Bearer gho_two"})
    assert first.json()["login"] != second.json()["login"]
    assert (await caller.http.get("/user", headers={"authorization": "Bearer x"})).status_code == 401


# Copilot


async def test_copilot_answers_on_every_path(caller: Caller) -> None:
    given = await copilot_token(caller)
    assert given["endpoints"]["api"] == caller.server.base_url
    bearer = {"authorization": f"Bearer {given['token']}"}
    models = (await caller.http.get("/models", headers=bearer)).json()["data"]
    paths = {model["id"]: model["supported_endpoints"] for model in models}
    assert "/responses" in paths["gpt-5.4"] and "/v1/messages" in paths["claude-sonnet-5-5"]
    chat = await caller.http.post(
        "/chat/completions", json={"model": "gpt-5.4", "messages": asking(text="Hi")}, headers=bearer
    )
    assert chat.json()["choices"][0]["message"]["content"] == "Hi"
    whole = await caller.http.post(
        "/responses", json={"model": "gpt-5.4", "input": asking(text="Hi")}, headers=bearer
    )
    assert whole.json()["output"][0]["content"][0]["text"] == "Hi"
    message = await caller.http.post(
        "/v1/messages",
        json={"model": "claude-sonnet-5-5", "max_tokens": 10, "messages": asking(text="Hi")},
        headers=bearer,
    )
    assert message.json()["content"][0]["text"] == "Hi"


async def test_copilot_thinks_in_fields_of_its_own(caller: Caller) -> None:
    bearer = {"authorization": f"Bearer {(await copilot_token(caller))['token']}"}
    body = {"model": "gpt-5.4", "messages": asking(thinking="Hm.", text="Hi"), "stream": True}
    answer = await caller.http.post("/chat/completions", json=body, headers=bearer)
    assert '"reasoning_text":"Hm."' in answer.text and '"reasoning_opaque":"' in answer.text


async def test_copilot_takes_its_own_good_tokens_only(caller: Caller) -> None:
    bearer = {"authorization": f"Bearer {(await copilot_token(caller))['token']}"}
    await caller.http.request("DELETE", "/_simulator/tokens")
    for headers in (bearer, {"authorization": "Bearer gho_made_up"}, {}):
        answer = await caller.http.get("/models", headers=headers)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (401, "text/plain")
    refused = await caller.http.get("/copilot_internal/v2/token", headers={"authorization": "token ghp_x"})
    assert refused.json()["message"] == "Bad credentials"


async def test_copilot_wants_to_know_of_images(caller: Caller) -> None:
    bearer = {"authorization": f"Bearer {(await copilot_token(caller))['token']}"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body: Json = {"model": "gpt-5.4", "messages": [{"role": "user", "content": [image]}]}
    assert (await caller.http.post("/chat/completions", json=body, headers=bearer)).status_code == 400
    told = bearer | {"copilot-vision-request": "true"}
    assert (await caller.http.post("/chat/completions", json=body, headers=told)).status_code == 200


async def test_copilots_quota_is_402(caller: Caller) -> None:
    bearer = {"authorization": f"Bearer {(await copilot_token(caller))['token']}"}
    script = {"status": 429, "details": {"error_code": "enforced_spend_limit_reached"}}
    body = {"model": "gpt-5.4", "messages": asking(**script)}
    answer = await caller.http.post("/chat/completions", json=body, headers=bearer)
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "quota_exceeded")


# Entra ID and Azure


async def test_azure_takes_a_token_of_entra(caller: Caller) -> None:
    token = await token_of(caller, "/tenant-1/oauth2/v2.0/token", scope=AZURE_SCOPE)
    bearer = {"authorization": f"Bearer {token}"}
    body: Json = {"model": "gpt-5.4", "messages": asking(text="Hi")}
    answer = await caller.http.post("/openai/v1/chat/completions", json=body, headers=bearer)
    assert answer.json()["prompt_filter_results"]
    await caller.http.request("DELETE", "/_simulator/tokens")
    late = await caller.http.post("/openai/v1/chat/completions", json=body, headers=bearer)
    assert (late.status_code, late.json()["error"]["code"]) == (401, "401")


async def test_azure_needs_a_version_on_dated_paths(caller: Caller) -> None:
    path, key = "/openai/deployments/gpt-5.4/chat/completions", {"api-key": "made-up"}
    body = {"messages": asking(text="Hi")}
    assert (await caller.http.post(path, json=body, headers=key)).status_code == 404
    dated = await caller.http.post(f"{path}?api-version=2025-04-01-preview", json=body, headers=key)
    assert dated.json()["choices"][0]["content_filter_results"]
    old = await caller.http.post(
        "/openai/responses?api-version=2024-10-21", json={"model": "gpt-5.4", "input": "x"}, headers=key
    )
    assert old.status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "openid"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_secret": ""}, "invalid_client"),
        ({"client_secret": "sk-sim-401"}, "invalid_client"),
    ],
)
async def test_entra_refuses(caller: Caller, changes: dict[str, str], error: str) -> None:
    form = client_form(**({"scope": AZURE_SCOPE} | changes))
    answer = await caller.http.post("/tenant-1/oauth2/v2.0/token", data=form)
    assert (answer.status_code // 100, answer.json()["error"]) == (4, error)


# Salesforce


async def test_salesforce_generates(caller: Caller) -> None:
    token = await token_of(caller, "/services/oauth2/token")
    payload = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"] > 0
    headers = HEADERS | {"authorization": f"Bearer {token}"}
    answer = await caller.http.post(GENERATIONS, json={"messages": asking(text="Hi")}, headers=headers)
    details = answer.json()["generationDetails"]
    assert details["generations"][0]["content"] == "Hi"
    assert details["parameters"]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, HEADERS, 400),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
            HEADERS,
            400,
        ),
        ({"messages": asking(), "max_tokens": 5}, HEADERS, 400),
        ({"messages": asking()}, {}, 400),
        ({"messages": asking(status=429)}, HEADERS, 429),
        ({"messages": asking()}, HEADERS | {"authorization": "Bearer 00D!opaque"}, 401),
    ],
)
async def test_salesforce_refuses(caller: Caller, body: Json, headers: Json, status: int) -> None:
    bearer = {"authorization": f"Bearer {await token_of(caller, '/services/oauth2/token')}"}
    answer = await caller.http.post(GENERATIONS, json=body, headers=bearer | headers)
    assert answer.status_code == status
    assert answer.json()["errorCode"]


# Rehearsed answers


async def test_an_answer_lies_ready_for_a_path(caller: Caller) -> None:
    entry = {"path": "/services/oauth2/token", "status": 503, "body": {"error": "server_error"}, "times": 2}
    assert (await caller.http.post("/_simulator/next", json=entry)).status_code == 200
    answers = [await caller.http.post("/services/oauth2/token", data=client_form()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert (await caller.http.post("/_simulator/next", json={"colour": "green"})).status_code == 400


async def test_secrets_are_not_kept(caller: Caller) -> None:
    await caller.http.post("/services/oauth2/token", data=client_form())
    await caller.http.get("/openai/v1/models", headers={"api-key": "sk-made-up-0123456789"})
    shown = json.dumps((await caller.stats())["recent"])
    assert "hush-hush-hush" not in shown and "sk-made-up" not in shown and "***hush" in shown
