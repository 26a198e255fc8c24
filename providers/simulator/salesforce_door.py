"""Salesforce's part: /einstein/platform/v1/models/{model}/chat-generations. Texts only, nothing is streamed.

Source: Salesforce's Models API guide and reference ("Generate Chat").
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from providers.simulator.answer import Answer
from providers.simulator.call import Call
from providers.simulator.door import Door
from providers.simulator.grants import Grants
from providers.simulator.messages import Messages, Streamed
from providers.simulator.models import Models
from providers.simulator.openai_replies import status_of, usage_object
from providers.simulator.openai_rules import prompt_of
from providers.simulator.replies import Headers, Refusal, Reply, encode_json, new_id
from providers.simulator.rules import Asked, last_text
from providers.simulator.steps import EventStep
from providers.simulator.wire import Wire, data_frame
from providers.types import Json, StreamEvent

PATH: Final = re.compile(r"/einstein/platform/v1/models/([^/]+)/chat-generations")
OWN_MODELS: Final = re.compile(r"sfdc_ai__")
REQUIRED: Final[Mapping[str, str]] = {
    "x-sfdc-app-context": "EinsteinGPT",
    "x-client-feature-id": "ai-platform-models-connected-app",
}
CODES: Final[Mapping[int, str]] = {
    400: "BAD_ARGUMENT",
    401: "INVALID_SESSION_ID",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    429: "REQUEST_LIMIT_EXCEEDED",
}
FINISH_REASONS: Final[Mapping[str, str]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "refusal": "content_filter",
}
ROLES: Final = ("system", "user", "assistant")


class GenerationsWire(Wire):
    """The wire has no events: `frame` and what belongs to it stand for the one whole answer."""

    ping: ClassVar = b""
    around_text: ClassVar = (b'{"unasked": "', b'"}')
    late_text: ClassVar[StreamEvent] = {}
    unknown: ClassVar[Mapping[str, StreamEvent]] = {"event": {}, "delta": {}, "field": {}}

    def events(self, answer: Answer) -> Iterator[EventStep]:
        yield self.whole(answer)

    def whole(self, answer: Answer) -> Json:
        message = answer.whole()
        said = "".join(block["text"] for block in message["content"] if block["type"] == "text")
        finish = FINISH_REASONS.get(answer.stop_reason, answer.stop_reason)
        parameters: Json = {"finish_reason": finish, "index": 0, "logprobs": None}
        if answer.refusal_words is not None:
            parameters["refusal"] = answer.refusal_words
        about: Json = {
            "provider": "Simulator",
            "model": answer.model,
            "created": int(time.time()),
            "object": "chat.completion",
            "system_fingerprint": "fp_simulated",
        }
        if not answer.usage_missing:
            counted = {
                name: value
                for name, value in message["usage"].items()
                if name.endswith(("_tokens", "_details"))
            }
            about["usage"] = usage_object(counted, read="prompt_tokens", written="completion_tokens")
        toxic = answer.stop_reason == "refusal"
        generation = {
            "id": new_id("gen"),
            "role": "assistant",
            "content": said,
            "timestamp": int(time.time() * 1000),
            "parameters": parameters,
            "contentQuality": {"scanToxicity": {"isDetected": toxic, "categories": []}},
        }
        name = "chatgen_" + answer.message_id.removeprefix("msg_")
        return {"id": name, "generationDetails": {"generations": [generation], "parameters": about}}

    def error_events(self, refusal: Refusal, request_id: str, form: str) -> list[StreamEvent]:
        return [error_object(refusal)]

    def ends(self, event: StreamEvent, what: str) -> bool:
        return True

    def ping_event(self) -> StreamEvent:
        return {}

    def frame(self, event: StreamEvent, *, odd: bool = False) -> bytes:
        return data_frame(event, odd=odd)


class SalesforceDoor(Door):
    request_ids: ClassVar = "sf"

    def __init__(self, models: Models, messages: Messages, grants: Grants) -> None:
        self._models = models
        self._messages = messages
        self._grants = grants

    def opens(self, call: Call) -> bool:
        return call.path.startswith("/einstein/")

    def organization(self, call: Call) -> str:
        found = self._grants.tokens.organization("salesforce", call.bearer())
        if found is None:
            raise Refusal(401, "Invalid token")
        return found

    def answer(self, call: Call, organization: str) -> Reply | Streamed:
        path = PATH.fullmatch(call.path)
        if path is None:
            raise Refusal(404, "No such resource")
        call.wants("POST")
        for name, value in REQUIRED.items():
            if call.headers.get(name) != value:
                raise Refusal(400, f"Header {name} is required to be {value}")
        model = unquote(path.group(1))
        asked = _read(call.json(), model)
        if not self._models.serve(model, OWN_MODELS):
            raise Refusal(404, f"Model {model} is not available")
        return self._messages.plan(asked, GenerationsWire(), call)

    def refused(self, refusal: Refusal, call: Call) -> Reply:
        return Reply(status_of(refusal), encode_json(error_object(refusal)), headers=refusal.headers)

    def headers(self, call: Call, organization: str) -> Headers:
        return [(b"x-request-id", call.request_id.encode())]


def error_object(refusal: Refusal) -> Json:
    code = refusal.kind or CODES.get(refusal.status, "UNKNOWN_EXCEPTION")
    return {"errorCode": code, "message": refusal.message, **(refusal.details or {})}


def _read(body: Json, model: str) -> Asked:
    for name in body:
        if name not in ("messages", "localization", "tags"):
            raise Refusal(400, f"Unrecognized field {name}")
    given: Any = body.get("messages")
    if not isinstance(given, list) or not given:
        raise Refusal(400, "messages must not be empty")
    for message in given:
        texts = isinstance(message, dict) and isinstance(message.get("content"), str)
        if not texts or message.get("role") not in ROLES or not set(message) <= {"role", "content"}:
            raise Refusal(400, "messages: role and content are required, and content is a string")
    if given[-1]["role"] != "user":
        raise Refusal(400, "The last message must have the role user")
    messages = [message for message in given if message["role"] != "system"]
    system = "\n".join(message["content"] for message in given if message["role"] == "system")
    return Asked(
        body=prompt_of(system, messages, []),
        model=model,
        messages=messages,
        text=last_text(messages),
        system=system,
        max_tokens=None,
        stream=False,
        thinks=None,
        shows_thinking=False,
        stop_sequences=(),
    )
