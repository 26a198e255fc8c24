"""Anthropic's part: POST /v1/messages and /v1/messages/count_tokens, GET /v1/models and /v1/models/{id}.

It also answers whatever no other vendor's part does.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from providers.simulator import models, rules
from providers.simulator.anthropic_replies import UsualHeaders, error_reply
from providers.simulator.anthropic_wire import AnthropicWire
from providers.simulator.call import Call
from providers.simulator.door import Door
from providers.simulator.keys import Keys
from providers.simulator.messages import Messages, Streamed
from providers.simulator.models import CLAUDE, CLAUDE_IDS, Models
from providers.simulator.replies import Headers, Refusal, Reply, json_reply

ROUTES: Final[Mapping[str, str]] = {
    "/v1/messages": "POST",
    "/v1/messages/count_tokens": "POST",
    "/v1/models": "GET",
}


class AnthropicDoor(Door):
    request_ids: ClassVar = "req"

    def __init__(self, keys: Keys, models: Models, messages: Messages) -> None:
        self._keys = keys
        self._models = models
        self._messages = messages
        self._usual = UsualHeaders()

    def opens(self, call: Call) -> bool:
        return True

    def organization(self, call: Call) -> str:
        given, bearer = call.headers.get("x-api-key"), call.headers.get("authorization")
        if given is not None and bearer is not None:
            raise Refusal(401, "Only one of x-api-key and Authorization may be sent")
        key = given if given is not None else (bearer or "").removeprefix("Bearer ").strip()
        return self._keys.organization(
            key, lambda key: "invalid x-api-key" if key else "x-api-key header is required"
        )

    def answer(self, call: Call, organization: str) -> Reply | Streamed:
        path = call.path
        one_model = path.startswith("/v1/models/") and path != "/v1/models/"
        method = "GET" if one_model else ROUTES.get(path)
        if method is None:
            raise Refusal(404, "Not found")
        call.wants(method)
        listed = self._models.listed(CLAUDE)
        if one_model:
            model = path.removeprefix("/v1/models/")
            if model not in listed:
                raise Refusal(404, f"model: {model}")
            return json_reply(models.model_json(model, listed[model]))
        if path == "/v1/models":
            return json_reply(models.page(listed, call.query))
        return self.messages(call, counting=path != "/v1/messages")

    def messages(self, call: Call, *, counting: bool, version_required: bool = True) -> Reply | Streamed:
        """The answer to a request to the Messages API, or the count of its tokens."""
        if len(call.body) > rules.BODY_LIMIT:
            raise Refusal(413, "Request exceeds the maximum size")
        asked = rules.read(call, counting=counting, version_required=version_required)
        if not self._models.serve(asked.model, CLAUDE_IDS):
            raise Refusal(404, f"model: {asked.model}")
        if counting:
            return json_reply({"input_tokens": self._messages.prompts.count(asked.body).total})
        return self._messages.plan(asked, AnthropicWire(), call)

    def refused(self, refusal: Refusal, call: Call) -> Reply:
        return error_reply(refusal, call.request_id)

    def headers(self, call: Call, organization: str) -> Headers:
        return self._usual.make(call.request_id, organization)
