"""GitHub Copilot: three wires behind one address, opened by a token that a GitHub login is exchanged for.

GitHub documents this API nowhere. Direct use needs an agreement between GitHub and whoever runs this
installation: the integration id and the versions that are sent are the operator's, and are left out unless
the operator has set them. Its form is that of microsoft/vscode-copilot-chat, whose source is public.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import replace

from providers import copilot_headers, copilot_models, copilot_token, minting, tokens
from providers.access import Access, Account, ListedModel, Secret
from providers.anthropic import AnthropicAdapter
from providers.anthropic_request import VERSION_WITH_SAMPLING
from providers.assembly import Assembly
from providers.catalogue import ModelSpec
from providers.errors import BillingError, Forbidden, ProviderError, ServerError
from providers.heard import Head, Heard, nobody
from providers.openai import QUIET_SECONDS, OpenAIAdapter
from providers.openai_address import PATHS, Address, Place, bearer
from providers.openai_dialect import Dialect
from providers.openai_errors import error_object, masked, request_id
from providers.openai_stream import refused
from providers.tokens import Token, Tokens
from providers.transport import Timeouts, Transport, transport
from providers.types import Json, MessageRequest, StreamEvent

_FILTERED = 422
_CLIENT_REFUSED = 466
_REFUSED_WHILE_NEW = (401, 403)

_NOT_SUPPORTED = (
    "GitHub does not let this program use Copilot. The operator needs an integration id of GitHub's for it"
    " (COPILOT_INTEGRATION_ID)."
)


class CopilotAdapter(OpenAIAdapter):
    """Calls the models of Copilot on the wire that the model's spec names.

    The access is of the kind ``device`` (or ``oauth``): its secret is a GitHub login's token, its address
    that of GitHub's API, github.com's or an enterprise's.
    """

    slug = "copilot"

    def __init__(
        self,
        *,
        timeouts: Timeouts | None = None,
        quiet: float = QUIET_SECONDS,
        through: Callable[[], Transport] = transport,
        cache: Tokens | None = None,
    ) -> None:
        super().__init__(timeouts=timeouts, quiet=quiet, through=through)
        self._tokens = cache or Tokens()

    def stream(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None, heard: Heard = nobody
    ) -> AsyncGenerator[StreamEvent, None]:
        if spec is not None and spec.api == "messages":
            return self._messages(request, access, spec, heard)
        return super().stream(request, access, spec=spec, heard=heard)

    async def count_tokens(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None
    ) -> int | None:
        """None: Copilot counts nothing beforehand."""
        return None

    async def check(self, access: Access) -> Account:
        """Whether the login opens Copilot, and whose it is: GitHub's id of the person."""
        models = await self.list_models(access)
        person = await copilot_token.person(access, self._transport)
        return Account(person, [model.id for model in models])

    async def address(
        self,
        access: Access,
        place: Place,
        *,
        request: MessageRequest | None = None,
        spec: ModelSpec | None = None,
    ) -> Address:
        """Where a call goes and what goes with it. Raises ProviderError, also of the token's exchange."""
        token = await self._token(access)
        headers = bearer(token.secret) | copilot_headers.headers(access, request)
        secrets = (token.secret, minting.secret_of(access))
        return Address(f"{token.facts['api']}{PATHS[place]}", headers, secrets)

    def dialect(self, access: Access, spec: ModelSpec | None) -> Dialect:
        return replace(
            super().dialect(access, spec),
            provider=self.slug,
            official=False,
            system_role="system",
            opaque_reasoning=True,
        )

    async def renewed(self, failure: ProviderError, access: Access) -> bool:
        """A token may have been revoked before its time, or its rights changed; `failure` has dropped it."""
        return failure.status in _REFUSED_WHILE_NEW

    def failure(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: tuple[Secret, ...]
    ) -> ProviderError:
        if status in (401, 402, 403):  # after a 402 the next token tells the quota anew
            for secret in secrets:
                self._tokens.drop(secret)
        if error_object(body).get("code") == "extension_blocked":  # a 429 that no waiting mends
            return Forbidden(_NOT_SUPPORTED, status=status, request_id=request_id(headers), sent=False)
        return _judged(super().failure(status, headers, body, secrets))

    def declined(self, status: int, body: bytes, secrets: tuple[Secret, ...]) -> str | None:
        """Copilot's own filter answers with 422, and names no fault of the request's."""
        error = error_object(body)
        if status != _FILTERED or _is_fault(error):
            return super().declined(status, body, secrets)
        said = error.get("message")
        return masked(said, secrets)[:500] if isinstance(said, str) else ""

    def listed(self, item: Json) -> ListedModel | None:
        return copilot_models.listed(item)

    def counts_tokens(self, access: Access) -> bool:
        return False

    async def _models(self, access: Access) -> tuple[str, list[ListedModel]]:
        try:
            return await super()._models(access)
        except ProviderError as error:
            failure = error
        if not await self.renewed(failure, access):
            raise failure
        return await super()._models(access)

    async def _token(self, access: Access) -> Token:
        github = minting.secret_of(access)
        identity = copilot_headers.identity(access)

        async def mint() -> Token:
            return await copilot_token.mint(access, identity, self._transport)

        return await self._tokens.get(tokens.key("copilot", access.base_url, github), mint)

    async def _messages(
        self, request: MessageRequest, access: Access, spec: ModelSpec, heard: Heard
    ) -> AsyncGenerator[StreamEvent, None]:
        """The same over the Messages wire: the token as a Bearer, at the address that came with it."""
        for attempt in (1, 2):
            token = await self._token(access)
            own = copilot_headers.headers(access, request)
            opened = Access(token.facts["api"], token.secret, "oauth", access.vendor_account)
            adapter = _Messages(self, own, self._timeouts, self._quiet, self._transport)
            inner = adapter.stream(request, opened, spec=spec, heard=_named(heard, own["x-request-id"]))
            begun = False
            try:
                async with contextlib.aclosing(inner) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except ProviderError as error:
                failure = error
            if isinstance(failure, _Declined):
                for event in _refusal(request, failure.safe_message):
                    yield event
                return
            if begun or attempt == 2 or not await self.renewed(failure, access):
                raise failure


class _Declined(ProviderError):
    """The vendor's filter has blocked the prompt; the message is its explanation."""

    says = ""


class _Messages(AnthropicAdapter):
    """Anthropic's wire with the headers of one call to Copilot, and with Copilot's refusals."""

    def __init__(
        self,
        owner: CopilotAdapter,
        own: Mapping[str, str],
        timeouts: Timeouts,
        quiet: float,
        through: Callable[[], Transport],
    ) -> None:
        super().__init__(timeouts=timeouts, quiet=quiet, through=through)
        self._owner = owner
        self._own = own

    async def headers(self, access: Access, *, version: str, betas: Iterable[str] = ()) -> dict[str, str]:
        headers = {
            **self._own,
            **bearer(minting.secret_of(access)),
            # Of the two versions in use, which differ in what they refuse, the one that any service knows.
            "anthropic-version": VERSION_WITH_SAMPLING,
            "content-type": "application/json",
            "accept": "application/json",
        }
        flags = ",".join(betas)
        return headers | {"anthropic-beta": flags} if flags else headers

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, access: Access) -> ProviderError:
        secrets = (minting.secret_of(access),)
        explanation = self._owner.declined(status, body, secrets)
        if explanation is not None:
            return _Declined(explanation, status=status, sent=False)
        return self._owner.failure(status, headers, body, secrets)


def _judged(failure: ProviderError) -> ProviderError:
    """Copilot's own statuses. A login is only bad when GitHub says so at the exchange: here it is not."""
    facts: Json = {
        "status": failure.status,
        "request_id": failure.request_id,
        "retry_after": failure.retry_after,
        "sent": failure.sent,
    }
    match failure.status:
        case 401:
            return Forbidden("Copilot does not take the token that GitHub gave for this login.", **facts)
        case 402:
            return BillingError(_quota(failure), **facts)
        case 403 if not isinstance(failure, Forbidden):
            return Forbidden(failure.safe_message, **facts)
        case 424:
            return ServerError(failure.safe_message, **facts)
        case status if status == _CLIENT_REFUSED:
            return Forbidden(_NOT_SUPPORTED, **facts)
        case _:
            return failure


def _is_fault(error: Json) -> bool:
    names = [value for key in ("code", "type") if isinstance(value := error.get(key), str)]
    return any("invalid" in name for name in names)


def _quota(failure: ProviderError) -> str:
    told = "" if failure.safe_message == type(failure).says else failure.safe_message
    return told or "The quota of this GitHub account for Copilot is used up."


def _named(heard: Heard, request_id: str) -> Heard:
    """Copilot answers under the id that was sent."""

    def hear(head: Head) -> None:
        heard(head if head.request_id else replace(head, request_id=request_id))

    return hear


def _refusal(request: MessageRequest, explanation: str) -> list[StreamEvent]:
    """The answer of a filter that let nothing through."""
    assembly = Assembly(model=request.model)
    assembly.usage = {"input_tokens": 0, "output_tokens": 0}
    assembly.end("refusal", stop_details=refused(explanation))
    return assembly.take()
