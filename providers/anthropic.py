"""Anthropic's Messages API, and whatever else speaks it (the demo provider does).

Facts are from Anthropic's API documentation: "Errors", "Streaming messages", "Token counting". What is sent
stands in anthropic_request, what heads, lists and refusals say in the modules of those names.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlencode

import msgspec

from providers import anthropic_models
from providers.access import Access, Account, ListedModel
from providers.anthropic_errors import from_answer, from_event, masked, request_id
from providers.anthropic_heads import head, vendor_account
from providers.anthropic_request import OAUTH_BETA, VERSION, betas, body, counting_body, merged, version
from providers.catalogue import ModelSpec
from providers.cleaning import decode
from providers.errors import (
    AuthenticationError,
    InterruptedStream,
    InvalidRequest,
    ProtocolError,
    ProviderError,
)
from providers.event_reader import EventReader
from providers.heard import Heard, nobody
from providers.transport import Response, Timeouts, Transport, transport
from providers.types import Json, MessageRequest, StreamEvent

ANSWER_BYTES = 64 * 1024 * 1024
ERROR_BYTES = 256 * 1024
LIST_BYTES = 4 * 1024 * 1024
LIST_PAGES = 20

CHECK_TIMEOUTS = Timeouts(first=15, idle=15, total=30)
# A model that thinks without showing it, and a server tool at work, send pings only.
QUIET_SECONDS = 300.0
# Anthropic's SDK reckons with an hour for 128,000 tokens of output.
SECONDS_PER_TOKEN = 3600 / 128_000

_encode = msgspec.json.Encoder().encode


class AnthropicAdapter:
    """Calls the Messages API. Holds no state of a call; one instance serves all.

    `timeouts` are those of a stream: `first` until the first content, `idle` between two pieces of content
    (pings are none), `quiet` instead of it where the model works unseen. `total` is raised for a request with
    many max_tokens.
    """

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
        """The events of the answer as they come, up to `message_stop`; without pings, with clean text.

        Raises ProviderError: InterruptedStream when the answer ends early, the typed error of an `error`
        event, and so on. Once content was yielded, no error is retryable. Closing the generator closes the
        connection.
        """
        seen = _Seen(self._timeouts.idle, self._quiet)
        try:
            async with (
                self._post(request, access, spec, heard) as answer,
                contextlib.aclosing(_batches(answer)) as batches,
            ):
                async for events in batches:
                    for event in events:
                        if event["type"] == "error":
                            raise from_event(event, access, sent=seen.begin)
                        seen.note(event, answer)
                        yield event
                        if seen.end:
                            return
        except ProviderError as error:
            error.retryable = error.retryable and not seen.content
            raise

    async def count_tokens(
        self, request: MessageRequest, access: Access, *, spec: ModelSpec | None = None
    ) -> int | None:
        """The prompt's size in tokens as the vendor counts it, for nothing; None for what it does not count:
        its own tools, and what it would have to fetch. Raises ProviderError.
        """
        content = counting_body(request)
        if content is None:
            return None
        opening = self._transport().stream(
            "POST",
            self.url(access, "/v1/messages/count_tokens"),
            headers=await self.headers(access, version=version(request, spec), betas=betas(request)),
            content=_encoded(content),
            timeouts=CHECK_TIMEOUTS,
        )
        async with opening as answer:
            if answer.status != 200:
                raise await self._refusal(answer, access)
            return _counted(await answer.read(ERROR_BYTES))

    async def list_models(self, access: Access) -> list[ListedModel]:
        """The models that the key may use, as the vendor lists them. Raises ProviderError."""
        return (await self._models(access))[1]

    async def check(self, access: Access) -> Account:
        """Whether the key works, and what it opens. Costs nothing. Raises ProviderError."""
        account, models = await self._models(access)
        return Account(account, [model.id for model in models])

    # What another vendor who speaks this API may say differently

    def url(self, access: Access, path: str) -> str:
        """The address of one of the API's routes."""
        return access.base_url.rstrip("/") + path

    async def headers(self, access: Access, *, version: str, betas: Iterable[str] = ()) -> dict[str, str]:
        """The headers of a request, with exactly one credential: two at once are refused by the vendor.

        Raises ProviderError when the credential cannot be sent.
        """
        flags = list(betas)
        headers = {
            "anthropic-version": version,
            "content-type": "application/json",
            "accept": "application/json",
        }
        if access.kind == "oauth":
            headers["authorization"] = f"Bearer {_sendable(access)}"
            flags = merged([OAUTH_BETA], flags)
        elif access.kind != "none":
            headers["x-api-key"] = _sendable(access)
        return headers | {"anthropic-beta": ",".join(flags)} if flags else headers

    def body(self, request: MessageRequest, spec: ModelSpec | None) -> Json:
        """The body of a streamed call."""
        return body(request, spec)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, access: Access) -> ProviderError:
        """The error for an answer with any status but 200."""
        return from_answer(status, headers, body, access)

    async def _refusal(self, answer: Response, access: Access) -> ProviderError:
        try:
            content = await answer.read(ERROR_BYTES)
        except ProviderError:  # too long, cut, late: the status says enough
            content = b""
        return self.failure(answer.status, answer.headers, content, access)

    async def _models(self, access: Access) -> tuple[str, list[ListedModel]]:
        account = ""
        models: list[ListedModel] = []
        query: dict[str, str | int] = {"limit": 1000}
        for _ in range(LIST_PAGES):
            url = self.url(access, f"/v1/models?{urlencode(query)}")
            headers = await self.headers(access, version=VERSION)
            async with self._transport().stream(
                "GET", url, headers=headers, timeouts=CHECK_TIMEOUTS
            ) as answer:
                if answer.status != 200:
                    raise await self._refusal(answer, access)
                account = account or vendor_account(answer.headers, access)
                page = anthropic_models.page(await answer.read(LIST_BYTES))
            models += [anthropic_models.listed(item) for item in page["data"] if isinstance(item, dict)]
            last = page.get("last_id")
            if page.get("has_more") is not True or not isinstance(last, str) or last == query.get("after_id"):
                break
            query["after_id"] = last
        return account, models

    @asynccontextmanager
    async def _post(
        self, request: MessageRequest, access: Access, spec: ModelSpec | None, heard: Heard
    ) -> AsyncGenerator[Response, None]:
        """The open answer to a request; errors that happen in it get the vendor's id of the call."""
        content = _encoded(self.body(request, spec))
        total = max(self._timeouts.total, request.max_tokens * SECONDS_PER_TOKEN)
        opening = self._transport().stream(
            "POST",
            self.url(access, "/v1/messages"),
            headers=await self.headers(access, version=version(request, spec), betas=betas(request)),
            content=content,
            timeouts=replace(self._timeouts, total=total),
        )
        async with opening as answer:
            try:
                heard(head(answer.status, answer.headers, access))
                if answer.status != 200:
                    raise await self._refusal(answer, access)
                _must_stream(answer, access)
                yield answer
            except ProviderError as error:
                error.request_id = error.request_id or request_id(answer.headers.get("request-id"))
                raise


class _Seen:
    """What of an answer has come; what comes next may take `idle` seconds, or `quiet` ones."""

    def __init__(self, idle: float, quiet: float) -> None:
        self.begin = self.content = self.end = False
        self._idle = idle
        self._quiet = quiet

    def note(self, event: StreamEvent, answer: Response) -> None:
        match event["type"]:
            case "content_block_delta" | "content_block_stop":
                self.content = True
                answer.renew()
            case "content_block_start":
                self.content = True
                answer.renew(self._quiet if _works_unseen(event) else self._idle)
            case "message_start":
                self.begin = True
            case "message_delta":
                answer.renew()
            case "message_stop":
                self.end = True
                answer.leave()


async def _batches(answer: Response) -> AsyncGenerator[list[StreamEvent], None]:
    """The events of each piece of the body. Ends by raising; who has seen the stop event leaves before."""
    reader = EventReader()
    size = 0
    async with contextlib.aclosing(answer.chunks(every_chunk_counts=False)) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            if size > ANSWER_BYTES:
                raise ProtocolError("The answer is larger than any answer can be.")
            if events := reader.feed(chunk):
                yield events
            if reader.failure is not None:
                raise reader.failure
    if events := reader.close():
        yield events
    raise InterruptedStream if size else ProtocolError("The answer is empty.")


def _must_stream(answer: Response, access: Access) -> None:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise ProtocolError(
            f"The answer is no stream but {masked(kind, access)[:80] or 'of no type'}.", status=200
        )


def _works_unseen(start: StreamEvent) -> bool:
    """Whether the block that begins here, or what follows it, may take long without a sign.

    Thinking whose display is omitted, and a tool that runs at the vendor's.
    """
    block = start.get("content_block")
    kind = block.get("type") if isinstance(block, dict) else None
    return isinstance(kind, str) and (
        kind == "thinking" or (kind != "tool_use" and kind.endswith("_tool_use"))
    )


def _sendable(access: Access) -> str:
    secret = access.secret.reveal() if access.secret is not None else ""
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise AuthenticationError("The key holds characters that no key of this provider has.", sent=False)
    return secret


def _encoded(content: Json) -> bytes:
    try:
        return _encode(content)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest("The request holds text that cannot be sent.", sent=False) from None


def _counted(content: bytes) -> int:
    try:
        found, _ = decode(content)
    except ValueError:
        found = None
    count = found.get("input_tokens") if isinstance(found, dict) else None
    if type(count) is not int or count < 0:
        raise ProtocolError("The provider's count of tokens could not be read.")
    return count
