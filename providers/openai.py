"""OpenAI's API, by Chat Completions or Responses, and every server that speaks either.

Facts are from OpenAI's API reference ("Chat", "Responses", "Models", "Authentication") and its guides. Other
vendors that speak this wire are subclasses: what differs between them are the small methods at the end of
OpenAIAdapter (where a call goes and what proves who it is, how a request is written, how a refusal reads).
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

import msgspec

from providers.access import Access, Account, ListedModel, Secret
from providers.assembly import Assembly
from providers.catalogue import ModelSpec
from providers.cleaning import clean, decode
from providers.errors import InvalidRequest, ProtocolError, ProviderError, Unsupported
from providers.heard import Head, Heard, nobody
from providers.openai_address import (
    PATHS,
    Address,
    Place,
    account_headers,
    bearer,
    fingerprint,
    host_of,
    is_openai,
)
from providers.openai_answer import batches, kind_of, must_stream, refusal, whole
from providers.openai_chat import ChatReader
from providers.openai_dialect import Dialect, Wire
from providers.openai_errors import error_object, from_answer, from_object, limits, masked, request_id
from providers.openai_models import listed
from providers.openai_request import Names
from providers.openai_request_chat import chat_body
from providers.openai_request_responses import counting_body, responses_body
from providers.openai_responses import ResponsesReader
from providers.openai_stream import WireReader, refused
from providers.transport import Response, Timeouts, Transport, transport
from providers.types import Json, MessageRequest, StreamEvent

LIST_BYTES = 8 * 1024 * 1024  # OpenRouter's list alone has more than one
NAME_LENGTH = 200

CHECK_TIMEOUTS = Timeouts(first=15, idle=15, total=30)
# A model that reasons says nothing meanwhile, and neither does a tool at work.
QUIET_SECONDS = 300.0
# A model may take an hour for 128,000 tokens of output.
SECONDS_PER_TOKEN = 3600 / 128_000

__all__ = ["Address", "OpenAIAdapter", "Place", "bearer"]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One call, written out: the same for every attempt at it."""

    request: MessageRequest
    access: Access
    spec: ModelSpec | None
    wire: Wire
    body: bytes
    dialect: Dialect
    names: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts


class OpenAIAdapter:
    """Calls OpenAI. Holds no state of a call; one instance serves all.

    `timeouts` are those of a stream: `first` until the first content, `idle` between two pieces of content,
    `quiet` instead of either where the model works unseen. `total` is raised for a request with many
    max_tokens.
    """

    slug: ClassVar[str] = "openai"

    def __init__(
        self,
        *,
        timeouts: Timeouts | None = None,
        quiet: float = QUIET_SECONDS,
        through: Callable[[], Transport] = transport,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._quiet = quiet
        self._transport = through

    async def stream(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None, heard: Heard = nobody
    ) -> AsyncGenerator[StreamEvent, None]:
        """The answer as events of Anthropic's Messages stream, up to `message_stop`, with clean text.

        Raises ProviderError: Unsupported or InvalidRequest before anything is sent, InterruptedStream when
        the answer ends early, and so on. Once content was yielded, no error is retryable. Closing the
        generator closes the connection.
        """
        if request.max_tokens == 0:
            for event in _local_answer(request, "max_tokens"):
                yield event
            return
        call = self._written(request, access, spec)
        content = False
        for attempt in (1, 2):
            try:
                async with contextlib.aclosing(self._answer(call, heard)) as events:
                    async for event in events:
                        content = content or event["type"] == "content_block_start"
                        yield event
                return
            except ProviderError as error:
                error.retryable = error.retryable and not content
                again = attempt == 1 and error.status not in (None, 200)
                if not again or not await self.renewed(error, access):
                    raise

    async def count_tokens(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None
    ) -> int | None:
        """The size of the prompt as OpenAI counts it; None where the server offers no count."""
        if not self.counts_tokens(access):
            return None
        try:
            body = _encode(counting_body(request, spec, self.dialect(access, spec)))
        except (TypeError, ValueError, RecursionError):
            raise _unsendable() from None
        address = await self.address(access, "input_tokens", request=request, spec=spec)
        counted = (await self._fetched("POST", address, body))[0].get("input_tokens")
        if isinstance(counted, bool) or not isinstance(counted, int) or counted < 0:
            raise ProtocolError("The provider's count of tokens could not be read.")
        return counted

    async def list_models(self, access: Access) -> list[ListedModel]:
        """The models that the key may use, as the server lists them. Raises ProviderError."""
        return (await self._models(access))[1]

    async def check(self, access: Access) -> Account:
        """Whether the key works, and what it opens. Costs nothing. Raises ProviderError."""
        vendor_account, models = await self._models(access)
        return Account(vendor_account, [model.id for model in models])

    # What differs between the vendors of this wire.

    def api_of(self, request: MessageRequest, access: Access, spec: ModelSpec | None) -> Wire:
        """Which of the two wires the model is called by. Raises Unsupported for a model of another wire."""
        if spec is not None and spec.api not in ("chat", "responses"):
            raise Unsupported(f"{spec.name} speaks another wire than this address does.", sent=False)
        return "responses" if spec is not None and spec.api == "responses" else "chat"

    async def address(
        self,
        access: Access,
        place: Place,
        *,
        request: MessageRequest | None = None,
        spec: ModelSpec | None = None,
    ) -> Address:
        """Where to call, asked again for each HTTP call. May raise ProviderError."""
        headers = account_headers(access)
        if access.secret is not None and access.kind != "none":
            headers |= bearer(access.secret)
        secrets = (access.secret,) if access.secret is not None else ()
        return Address(access.base_url.rstrip("/") + PATHS[place], headers, secrets)

    def dialect(self, access: Access, spec: ModelSpec | None) -> Dialect:
        """How requests to this server are written.

        One that stands before OpenAI's own models is written to as OpenAI is, wherever it is.
        """
        host = host_of(access.base_url)
        own = is_openai(host)
        key = fingerprint(access)
        account = access.vendor_account or access.options.get("organization", "") or key
        provider = self.slug if own else f"{self.slug}@{host}"
        if own or (spec is not None and spec.provider == OpenAIAdapter.slug):
            return Dialect(provider=provider, account=account, also=key)
        return Dialect(
            provider=provider,
            account=account,
            also=key,
            official=False,
            system_role="system",
            max_tokens_field="max_tokens",
        )

    def adjusted(
        self, body: Json, wire: Wire, request: MessageRequest, access: Access, spec: ModelSpec | None
    ) -> Json:
        """The last change to the body of a call."""
        return body

    async def renewed(self, failure: ProviderError, access: Access) -> bool:
        """Whether a refused call is worth making again, once, because its proof of identity is a new one."""
        return False

    def failure(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: tuple[Secret, ...]
    ) -> ProviderError:
        return from_answer(status, headers, body, secrets)

    def declined(self, status: int, body: bytes, secrets: tuple[Secret, ...]) -> str | None:
        """Why the vendor's filter has blocked the prompt; None when this refusal is of another kind.

        The call then ends as Anthropic's do: an answer with the stop reason "refusal". (Azure OpenAI
        documentation, "Content filtering".)
        """
        error = error_object(body)
        if status != 400 or error.get("code") != "content_filter":
            return None
        message = error.get("message")
        return masked(message, secrets)[:500] if isinstance(message, str) else ""

    def head(self, status: int, headers: Mapping[str, str]) -> Head:
        """What the head of an answer says of the account and its limits."""
        account = headers.get("openai-organization", "")
        return Head(
            status=status,
            request_id=request_id(headers) or "",
            vendor_account=account if account.isprintable() and len(account) <= NAME_LENGTH else "",
            limits=limits(headers),
        )

    def translated(self, event: Json) -> Json | None:
        """A chunk or event as this server sends it, made what OpenAI documents; None leaves it out."""
        return event

    def listed(self, item: Json) -> ListedModel | None:
        """One entry of the list of models; None leaves it out."""
        return listed(item)

    def counts_tokens(self, access: Access) -> bool:
        return is_openai(host_of(access.base_url))

    # The steps of a call.

    def _written(self, request: MessageRequest, access: Access, spec: ModelSpec | None) -> _Call:
        wire = self.api_of(request, access, spec)
        dialect = self.dialect(access, spec)
        names = Names()
        write = chat_body if wire == "chat" else responses_body
        try:
            body = self.adjusted(write(request, spec, dialect, names), wire, request, access, spec)
            encoded = _encode(body)
        except (TypeError, ValueError, RecursionError):
            raise _unsendable() from None
        total = max(self._timeouts.total, request.max_tokens * SECONDS_PER_TOKEN)
        first = self._timeouts.first
        if _thinks(body, spec):
            first = max(first, self._quiet)
        return _Call(
            request=request,
            access=access,
            spec=spec,
            wire=wire,
            body=encoded,
            dialect=dialect,
            names=names.full,
            timeouts=replace(self._timeouts, first=first, total=total),
        )

    async def _answer(self, call: _Call, heard: Heard) -> AsyncGenerator[StreamEvent, None]:
        address = await self.address(call.access, call.wire, request=call.request, spec=call.spec)
        async with self._post(address, call, heard) as answer:
            if answer.status != 200:
                body = await refusal(answer)
                explanation = self.declined(answer.status, body, address.secrets)
                if explanation is None:
                    raise self.failure(answer.status, answer.headers, body, address.secrets)
                for event in _local_answer(call.request, "refusal", refused(explanation)):
                    yield event
                return
            reader = self._reader(call, address)
            if kind_of(answer) == "application/json":
                for event in await whole(reader, answer):
                    yield event
                return
            must_stream(answer, address)
            coming = batches(reader, answer, idle=self._timeouts.idle, quiet=self._quiet)
            async with contextlib.aclosing(coming):
                async for batch in coming:
                    for event in batch:
                        yield event

    @asynccontextmanager
    async def _post(self, address: Address, call: _Call, heard: Heard) -> AsyncGenerator[Response, None]:
        """The open answer to a call; errors that happen in it get the vendor's id of the call."""
        opening = self._transport().stream(
            "POST",
            address.url,
            headers={"accept": "text/event-stream", "content-type": "application/json", **address.headers},
            content=call.body,
            timeouts=call.timeouts,
        )
        async with opening as answer:
            head = self.head(answer.status, answer.headers)
            # A server that echoes the key may do so anywhere.
            named = masked(head.request_id, address.secrets)
            heard(
                replace(head, request_id=named, vendor_account=masked(head.vendor_account, address.secrets))
            )
            try:
                yield answer
            except ProviderError as error:
                error.request_id = masked(error.request_id or named, address.secrets) or None
                raise

    def _reader(self, call: _Call, address: Address) -> WireReader:
        request = call.request
        assembly = Assembly(
            model=request.model, stop_sequences=request.stop_sequences or (), names=call.names
        )
        origin = call.dialect.origin(request.model)

        def fails(error: Json) -> ProviderError:
            return from_object(error, address.secrets)

        if call.wire == "responses":
            return ResponsesReader(assembly, origin=origin, fails=fails, translates=self.translated)
        return ChatReader(
            assembly,
            origin=origin,
            fails=fails,
            translates=self.translated,
            stop_sequences=request.stop_sequences or (),
        )

    async def _models(self, access: Access) -> tuple[str, list[ListedModel]]:
        address = await self.address(access, "models")
        page, head = await self._fetched("GET", address)
        data = page.get("data")
        if not isinstance(data, list):
            raise ProtocolError("The provider's list of models could not be read.")
        found = [self.listed(item) for item in data if isinstance(item, dict)]
        account = access.options.get("organization", "") or masked(head.vendor_account, address.secrets)
        return account, [model for model in found if model is not None]

    async def _fetched(self, method: str, address: Address, content: bytes = b"") -> tuple[Json, Head]:
        """One JSON object, asked for and read. Raises ProviderError."""
        headers = {"accept": "application/json", **address.headers}
        if content:
            headers["content-type"] = "application/json"
        opening = self._transport().stream(
            method, address.url, headers=headers, content=content, timeouts=CHECK_TIMEOUTS
        )
        async with opening as answer:
            if answer.status != 200:
                body = await refusal(answer)
                raise self.failure(answer.status, answer.headers, body, address.secrets)
            body = await answer.read(LIST_BYTES)
            head = self.head(answer.status, answer.headers)
        try:
            value, dirty = decode(body)
            value = clean(value, seals=False) if dirty else value
        except ValueError:
            value = None
        if isinstance(value, list):  # Together lists its models without a frame
            value = {"data": value}
        if not isinstance(value, dict):
            raise ProtocolError("The provider's answer could not be read.", status=200)
        return value, head


def _local_answer(request: MessageRequest, reason: str, details: Json | None = None) -> list[StreamEvent]:
    """A whole answer without content, for which no model has worked."""
    assembly = Assembly(model=request.model)
    assembly.usage = {"input_tokens": 0, "output_tokens": 0}
    assembly.end(reason, stop_details=details)
    return assembly.take()


def _thinks(body: Json, spec: ModelSpec | None) -> bool:
    """Whether this call may reason for long before it says anything."""
    reasoning = body.get("reasoning")
    effort = body.get("reasoning_effort") or (
        reasoning.get("effort") if isinstance(reasoning, dict) else None
    )
    if effort is not None:
        return bool(effort != "none")
    return spec is not None and (bool(spec.efforts) or spec.thinking.default_on)


def _unsendable() -> InvalidRequest:
    return InvalidRequest("The request holds what cannot be sent.", sent=False)
