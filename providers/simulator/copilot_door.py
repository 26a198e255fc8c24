"""GitHub Copilot's part: /copilot_internal/v2/token, /models, /chat/completions, /responses, and /v1/messages
with one of its tokens.

The API has no public reference; the shapes are those that the vendor's open editor extension reads.
"""

import time
from collections.abc import Mapping
from typing import ClassVar, Final

from providers.simulator import chat_rules, responses_rules
from providers.simulator.anthropic_door import AnthropicDoor
from providers.simulator.anthropic_replies import error_reply as anthropic_error
from providers.simulator.call import Call
from providers.simulator.chat_wire import ChatWire
from providers.simulator.door import Door
from providers.simulator.grants import Grants
from providers.simulator.keys import Keys
from providers.simulator.messages import Messages, Streamed
from providers.simulator.models import CLAUDE, Models
from providers.simulator.openai_door import GPT
from providers.simulator.openai_replies import error_object, status_of
from providers.simulator.openai_rules import OWN_MODELS
from providers.simulator.replies import Headers, Refusal, Reply, encode_json, json_reply
from providers.simulator.responses_wire import ResponsesWire
from providers.types import Json

TOKEN: Final = "/copilot_internal/v2/token"  # noqa: S105 - a path
PATHS: Final = ("/models", "/chat/completions", "/responses")
SECONDS: Final = 1800
REFRESH_IN: Final = 1500
GITHUB_TOKENS: Final = ("gho_", "ghu_", "github_pat_")
CLAUDE_IDS: Final = "claude-"
BOTH: Final[Mapping[str, str]] = {**GPT, **CLAUDE}


class CopilotDoor(Door):
    request_ids: ClassVar = "copilot"

    def __init__(
        self, keys: Keys, models: Models, messages: Messages, grants: Grants, anthropic: AnthropicDoor
    ) -> None:
        self._keys = keys
        self._models = models
        self._messages = messages
        self._grants = grants
        self._anthropic = anthropic

    def opens(self, call: Call) -> bool:
        if call.path == "/v1/messages":
            return self._grants.tokens.knows("copilot", call.bearer())
        return call.path == TOKEN or call.path in PATHS

    def organization(self, call: Call) -> str:
        if call.path == TOKEN:
            _, _, token = call.headers.get("authorization", "").partition(" ")
            if not token.startswith((*GITHUB_TOKENS, "sk-sim-")):
                raise Refusal(401, "Bad credentials")
            return self._keys.organization(token, lambda _: "Bad credentials")
        found = self._grants.tokens.organization("copilot", call.bearer())
        if found is None:
            raise Refusal(401, "unauthorized: token expired or invalid")
        return found

    def answer(self, call: Call, organization: str) -> Reply | Streamed:
        if call.path == TOKEN:
            call.wants("GET")
            return json_reply(self._token(call, organization))
        if call.path == "/models":
            call.wants("GET")
            listed = self._models.listed(BOTH)
            return json_reply(
                {"object": "list", "data": [model_json(model, listed[model]) for model in listed]}
            )
        call.wants("POST")
        initiator = call.headers.get("x-initiator", "user")
        if initiator not in ("user", "agent"):
            raise Refusal(400, f"X-Initiator: unknown value {initiator}")
        if call.path == "/v1/messages":
            return self._anthropic.messages(call, counting=False, version_required=False)
        if call.path == "/responses":
            asked = responses_rules.read(call, organization)
            wire = ResponsesWire(echo=asked.echo, organization=organization, padded=asked.padded)
            self._check(call, asked.asked.model, images=asked.has_images)
            return self._messages.plan(asked.asked, wire, call)
        chat = chat_rules.read(call, renamed_limit=False)
        self._check(call, chat.asked.model, images=chat.has_images)
        return self._messages.plan(
            chat.asked, ChatWire(include_usage=chat.include_usage, vendor="copilot"), call
        )

    def refused(self, refusal: Refusal, call: Call) -> Reply:
        if call.path == TOKEN:
            body = encode_json({"message": refusal.message, **(refusal.details or {})})
            return Reply(refusal.status, body, headers=refusal.headers)
        if refusal.status == 401:
            return Reply(401, refusal.message.encode(), "text/plain; charset=utf-8", refusal.headers)
        error = error_object(refusal)
        if refusal.status == 429 and error["code"] == "rate_limit_exceeded":
            error["code"] = "rate_limited"
        if call.path == "/v1/messages" and error["type"] != "insufficient_quota":
            return anthropic_error(refusal, call.request_id)
        if error["type"] == "insufficient_quota":
            return Reply(
                402, encode_json({"error": error | {"code": "quota_exceeded"}}), headers=refusal.headers
            )
        return Reply(status_of(refusal), encode_json({"error": error}), headers=refusal.headers)

    def headers(self, call: Call, organization: str) -> Headers:
        return [
            (b"x-request-id", call.request_id.encode()),
            (b"x-github-request-id", call.request_id.encode()),
        ]

    def _token(self, call: Call, organization: str) -> Json:
        form = f"tid={organization};exp={int(time.time()) + SECONDS};sku=simulated:{{}}"
        return {
            "token": self._grants.tokens.give("copilot", organization, SECONDS, form),
            "expires_at": int(time.time()) + SECONDS,
            "refresh_in": REFRESH_IN,
            "endpoints": {"api": call.origin, "proxy": call.origin, "telemetry": call.origin},
            "sku": "simulated",
            "individual": True,
            "chat_enabled": True,
            "organization_list": [],
        }

    def _check(self, call: Call, model: str, *, images: bool) -> None:
        if images and call.headers.get("copilot-vision-request") != "true":
            raise Refusal(400, "missing required Copilot-Vision-Request header for vision requests")
        if not (model in CLAUDE or model.startswith(CLAUDE_IDS) or self._models.serve(model, OWN_MODELS)):
            raise Refusal(400, "The requested model is not supported.", kind="model_not_supported")


def model_json(model: str, name: str) -> Json:
    """One model. Which paths it has depends on whose it is."""
    if model.startswith(CLAUDE_IDS):
        vendor, endpoints = "Anthropic", ["/chat/completions", "/v1/messages"]
    elif OWN_MODELS.match(model):
        vendor, endpoints = "OpenAI", ["/chat/completions", "/responses"]
    else:
        vendor, endpoints = "Simulator", ["/chat/completions", "/responses", "/v1/messages"]
    limits = {"max_context_window_tokens": 200_000, "max_prompt_tokens": 136_000, "max_output_tokens": 64_000}
    supports = {"streaming": True, "tool_calls": True, "parallel_tool_calls": True, "vision": True}
    return {
        "id": model,
        "object": "model",
        "name": name,
        "vendor": vendor,
        "version": model,
        "preview": False,
        "model_picker_enabled": True,
        "is_chat_default": False,
        "billing": {"is_premium": False, "multiplier": 0},
        "supported_endpoints": endpoints,
        "capabilities": {
            "type": "chat",
            "object": "model_capabilities",
            "family": model,
            "tokenizer": "o200k_base",
            "limits": {**limits, "vision": {"max_prompt_images": 5}},
            "supports": supports,
        },
    }
