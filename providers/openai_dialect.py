"""What differs between servers that speak OpenAI's wire: how a request to one of them is written."""

from dataclasses import dataclass
from typing import Literal

from providers.envelope import Origin

Wire = Literal["chat", "responses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one server wants its requests.

    `provider` and `account` say whose reasoning may be given back; `also` is another name of the account,
    under which it may have been kept. `official`: it knows OpenAI's own fields
    (cache key, safety identifier, service tier); compatible servers refuse, or overlook, what they do not
    know. `system_role` and `max_tokens_field` are those of Chat Completions. `opaque_reasoning`: assistant
    messages of Chat carry `reasoning_text` and `reasoning_opaque` back, as GitHub Copilot wants it.
    """

    provider: str = "openai"
    account: str = ""
    also: str = ""
    official: bool = True
    system_role: Literal["developer", "system"] = "developer"
    max_tokens_field: str = "max_completion_tokens"
    opaque_reasoning: bool = False

    def origin(self, model: str) -> Origin:
        return Origin(provider=self.provider, account=self.account, also=self.also, model=model)
