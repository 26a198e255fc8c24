"""Salesforce's Models API: a list of strings goes in, one string comes out, whole.

Facts are from Salesforce's developer documentation: "Models API" ("Access Models API with REST", "Generate
Chat", "Rate Limits") and, for the token, "OAuth 2.0 Client Credentials Flow" and "JWT-Based Access Tokens".
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from urllib.parse import quote

import msgspec

from providers import catalogue, minting, salesforce_token, tokens
from providers.access import Access, Account, ListedModel
from providers.assembly import Assembly
from providers.catalogue import ModelSpec
from providers.errors import AuthenticationError, InvalidRequest, ProviderError
from providers.heard import Head, Heard, nobody
from providers.openai_errors import request_id
from providers.salesforce_answer import events
from providers.salesforce_errors import from_answer
from providers.salesforce_request import body
from providers.salesforce_token import Grant
from providers.tokens import Token, Tokens
from providers.transport import Timeouts, Transport, transport
from providers.types import MessageRequest, StreamEvent

ANSWER_BYTES = 16 * 1024 * 1024
ERROR_BYTES = 256 * 1024
# Nothing comes before the whole answer is there.
TIMEOUTS = Timeouts(first=300, idle=60, total=600)

_encode = msgspec.json.Encoder().encode


class SalesforceAdapter:
    """Calls chat-generations with a token of the client's own. Holds no state of a call but the tokens.

    The access is of the kind ``client``: the address is the org's My Domain, the secret the app's consumer
    secret, the option ``client_id`` its consumer key.
    """

    def __init__(
        self,
        *,
        timeouts: Timeouts = TIMEOUTS,
        through: Callable[[], Transport] = transport,
        cache: Tokens | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._transport = through
        self._tokens = cache or Tokens()

    async def stream(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None, heard: Heard = nobody
    ) -> AsyncGenerator[StreamEvent, None]:
        """The answer as the events of a stream: its text is one delta.

        Raises ProviderError; no event comes before the whole answer is here, so a retryable error stays so.
        """
        try:
            content = _encode(body(request))
        except (TypeError, ValueError, RecursionError):
            raise InvalidRequest("The request holds text that cannot be sent.", sent=False) from None
        if request.max_tokens == 0:  # Anthropic's way to fill a cache, and Salesforce has none
            for event in _nothing(request):
                yield event
            return
        token = await self._token(access)
        try:
            answer = await self._ask(request.model, content, access, token, heard)
        except AuthenticationError:
            # The token may have been revoked before its time. A new one is tried once.
            self._tokens.drop(token.secret)
            token = await self._token(access)
            answer = await self._ask(request.model, content, access, token, heard, last=True)
        for event in events(answer, request, token.facts.get("organisation", "")):
            yield event

    async def count_tokens(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None
    ) -> int | None:
        """None: Salesforce counts nothing beforehand."""
        return None

    async def check(self, access: Access) -> Account:
        """Whether the client gets a token that opens the Models API, as far as that shows without a call."""
        token = await self._token(access)
        return Account(token.facts.get("organisation", ""), [model.id for model in _known()])

    async def list_models(self, access: Access) -> list[ListedModel]:
        """The models of the catalogue: Salesforce documents no list. Asks for no more than the token."""
        await self._token(access)
        return _known()

    async def _token(self, access: Access) -> Token:
        secret = minting.secret_of(access)
        client_id = access.options.get("client_id", "")

        async def mint() -> Token:
            return await salesforce_token.mint(Grant(access.base_url, client_id, secret), self._transport)

        return await self._tokens.get(tokens.key("salesforce", access.base_url, client_id, secret), mint)

    async def _ask(
        self, model: str, content: bytes, access: Access, token: Token, heard: Heard, *, last: bool = False
    ) -> bytes:
        """The body of an answer with status 200. Raises ProviderError."""
        url = f"{token.facts['api']}/einstein/platform/v1/models/{quote(model, safe='')}/chat-generations"
        async with self._transport().stream(
            "POST", url, headers=_headers(token), content=content, timeouts=self._timeouts
        ) as answer:
            heard(_head(answer.status, answer.headers, token))
            if answer.status == 200:
                return await answer.read(ANSWER_BYTES)
            secrets = [token.secret, minting.secret_of(access)]
            failure: ProviderError
            try:
                refusal = await answer.read(ERROR_BYTES)
            except ProviderError:  # too long, cut, late: the status says enough
                refusal = b""
            failure = from_answer(answer.status, answer.headers, refusal, secrets, fresh_token=last)
            raise failure


def _nothing(request: MessageRequest) -> list[StreamEvent]:
    """An answer of no length, for which no model has worked."""
    answer = Assembly(model=request.model)
    answer.usage = {"input_tokens": 0, "output_tokens": 0}
    answer.end("max_tokens")
    return answer.take()


def _headers(token: Token) -> Mapping[str, str]:
    return {
        "authorization": f"Bearer {token.secret.reveal()}",
        "content-type": "application/json;charset=utf-8",
        "accept": "application/json",
        # Reserved, and required as they are.
        "x-sfdc-app-context": "EinsteinGPT",
        "x-client-feature-id": "ai-platform-models-connected-app",
    }


def _head(status: int, headers: Mapping[str, str], token: Token) -> Head:
    return Head(
        status=status,
        request_id=request_id(headers) or "",
        vendor_account=token.facts.get("organisation", ""),
    )


def _known() -> list[ListedModel]:
    return [
        ListedModel(
            spec.id,
            spec.display_name,
            context=spec.context,
            max_output=spec.max_output,
            capabilities=spec.capabilities,
            api=spec.api,
        )
        for spec in catalogue.specs("salesforce")
    ]
