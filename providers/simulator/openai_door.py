"""OpenAI's part, under /openai/v1: chat/completions, responses, responses/input_tokens, models and
models/{id}.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from providers.simulator import chat_rules, responses_rules
from providers.simulator.call import Call
from providers.simulator.chat_wire import ChatWire, Vendor
from providers.simulator.door import Door
from providers.simulator.keys import Keys
from providers.simulator.messages import Messages, Streamed
from providers.simulator.models import Models
from providers.simulator.openai_replies import error_reply, usual_headers
from providers.simulator.openai_rules import OWN_MODELS
from providers.simulator.replies import Headers, Refusal, Reply, json_reply
from providers.simulator.responses_wire import ResponsesWire

PREFIX: Final = "/openai/v1"
GPT: Final[Mapping[str, str]] = {
    name: name
    for name in ("gpt-6-sol", "gpt-6-luna", "gpt-5.6", "gpt-5.4", "gpt-5.4-mini", "gpt-4.1", "gpt-4o")
}
"""Listed where the simulator stands in for the vendor."""
CREATED: Final = 1_790_000_000


class OpenAIDoor(Door):
    request_ids: ClassVar = "req"
    vendor: ClassVar[Vendor] = "openai"

    def __init__(self, keys: Keys, models: Models, messages: Messages) -> None:
        self._keys = keys
        self._models = models
        self._messages = messages

    def opens(self, call: Call) -> bool:
        return call.path.startswith("/openai/")

    def organization(self, call: Call) -> str:
        return self._keys.organization(call.bearer(), wrong_key)

    def answer(self, call: Call, organization: str) -> Reply | Streamed:
        path = call.path.removeprefix(PREFIX)
        match path:
            case "/chat/completions":
                call.wants("POST")
                return self.chat(call)
            case "/responses" | "/responses/input_tokens":
                call.wants("POST")
                return self.responses(call, organization, counting=path != "/responses")
            case "/models":
                call.wants("GET")
                listed = [model_json(model) for model in self._models.listed(GPT)]
                return json_reply({"object": "list", "data": listed})
        if path.startswith("/models/") and path != "/models/":
            call.wants("GET")
            self.served(path.removeprefix("/models/"))
            return json_reply(model_json(path.removeprefix("/models/")))
        raise Refusal(404, f"Invalid URL ({call.method} {call.path})")

    def chat(self, call: Call, model: str | None = None) -> Reply | Streamed:
        """An answer on the wire of Chat Completions; model: the one that the path names."""
        asked = chat_rules.read(call, model=model)
        self.served(asked.asked.model)
        wire = ChatWire(include_usage=asked.include_usage, vendor=self.vendor)
        return self._messages.plan(asked.asked, wire, call)

    def responses(self, call: Call, organization: str, *, counting: bool = False) -> Reply | Streamed:
        """An answer on the wire of Responses, or the count of the input's tokens."""
        asked = responses_rules.read(call, organization, counting=counting)
        self.served(asked.asked.model)
        if counting:
            total = self._messages.prompts.count(asked.asked.body).total
            return json_reply({"object": "response.input_tokens", "input_tokens": total})
        wire = ResponsesWire(echo=asked.echo, organization=organization, padded=asked.padded)
        return self._messages.plan(asked.asked, wire, call)

    def served(self, model: str) -> None:
        """Raises Refusal for a model that is not served here."""
        if not self._models.serve(model, OWN_MODELS):
            text = f"The model `{model}` does not exist or you do not have access to it."
            raise Refusal(404, text, kind="model_not_found")

    def refused(self, refusal: Refusal, call: Call) -> Reply:
        return error_reply(refusal)

    def headers(self, call: Call, organization: str) -> Headers:
        return usual_headers(call.request_id, organization)


def model_json(model: str) -> dict[str, object]:
    return {"id": model, "object": "model", "created": CREATED, "owned_by": "system"}


def wrong_key(key: str) -> str:
    if not key:
        return "You didn't provide an API key. Provide it in an Authorization header using Bearer auth."
    return f"Incorrect API key provided: {key}. You can find your API key in your account."
