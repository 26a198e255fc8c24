"""Azure OpenAI's part, in both styles: /openai/v1/… with `api-key` or a token of Entra ID, and, with
`api-version`, /openai/deployments/{deployment}/chat/completions and /openai/responses.

Source: Azure's "API version lifecycle" page and the REST reference.
"""

import re
from typing import ClassVar, Final

from providers.simulator.call import Call
from providers.simulator.chat_wire import Vendor
from providers.simulator.grants import Grants
from providers.simulator.keys import Keys
from providers.simulator.messages import Messages, Streamed
from providers.simulator.models import Models
from providers.simulator.openai_door import OpenAIDoor
from providers.simulator.openai_replies import error_object, status_of
from providers.simulator.replies import Headers, Refusal, Reply, encode_json

DEPLOYMENT: Final = re.compile(r"/openai/deployments/([^/]+)/chat/completions")
RESPONSES: Final = "/openai/responses"
VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
FIRST_RESPONSES: Final = "2025-03-01"
_FILTER: Final = {
    "code": "ResponsibleAIPolicyViolation",
    "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
}


class AzureDoor(OpenAIDoor):
    request_ids: ClassVar = "azure"
    vendor: ClassVar[Vendor] = "azure"

    def __init__(self, keys: Keys, models: Models, messages: Messages, grants: Grants) -> None:
        super().__init__(keys, models, messages)
        self._grants = grants

    def opens(self, call: Call) -> bool:
        if call.path == RESPONSES or call.path.startswith("/openai/deployments/"):
            return True
        azure = "api-key" in call.headers or self._grants.tokens.knows("entra", call.bearer())
        return azure and call.path.startswith("/openai/")

    def organization(self, call: Call) -> str:
        token, key = call.bearer(), call.headers.get("api-key", "")
        if token and not key and self._grants.tokens.knows("entra", token):
            found = self._grants.tokens.organization("entra", token)
            if found is None:
                raise Refusal(401, "The access token is expired.", kind="401")
            return found
        return self._keys.organization(
            key or token,
            lambda _: "Access denied due to invalid subscription key or wrong API endpoint.",
        )

    def answer(self, call: Call, organization: str) -> Reply | Streamed:
        deployment = DEPLOYMENT.fullmatch(call.path)
        if deployment is None and call.path != RESPONSES:
            return super().answer(call, organization)
        call.wants("POST")
        version = call.asked("api-version") or ""
        if VERSION.fullmatch(version) is None:
            raise Refusal(404, "Resource not found")
        if deployment is not None:
            return self.chat(call, deployment.group(1))
        if version < FIRST_RESPONSES:
            raise Refusal(
                400,
                f"The Responses API needs api-version {FIRST_RESPONSES}-preview or later.",
                kind="BadRequest",
            )
        return self.responses(call, organization)

    def served(self, model: str) -> None:
        try:
            super().served(model)
        except Refusal:
            text = "The API deployment for this resource does not exist."
            raise Refusal(404, text, kind="DeploymentNotFound") from None

    def refused(self, refusal: Refusal, call: Call) -> Reply:
        error = error_object(refusal)
        if error["code"] == "content_filter":
            error = {**error, "param": "prompt", "status": 400, "innererror": _FILTER}
        elif error["code"] is None:
            error["code"] = str(status_of(refusal))
        return Reply(status_of(refusal), encode_json({"error": error}), headers=refusal.headers)

    def headers(self, call: Call, organization: str) -> Headers:
        return [
            (b"apim-request-id", call.request_id.encode()),
            (b"x-ms-region", b"Simulated"),
            *super().headers(call, organization),
        ]
