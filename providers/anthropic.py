"""Anthropic's Messages API, and whatever else speaks it (the demo provider does).

Facts are from Anthropic's API documentation: "Versions", "Errors", "Streaming messages", "Rate limits",
"Models".
"""

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlencode

import msgspec

from providers.access import Access, Account, ListedModel
from providers.anthropic_errors import from_answer, from_event, masked, request_id
from providers.catalogue import ModelSpec
from providers.cleaning import clean_text, decode
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

VERSION = "2026-10-21"
# Since VERSION, sampling parameters are refused even at their defaults; the models that still honour them do
# so here.
VERSION_WITH_SAMPLING = "2023-06-01"
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
OAUTH_BETA = "oauth-2025-04-20"

ANSWER_BYTES = 64 * 1024 * 1024
ERROR_BYTES = 256 * 1024
LIST_BYTES = 4 * 1024 * 1024
LIST_PAGES = 20
NAME_LENGTH = 200

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
                self._post(request, access) as answer,
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

    async def list_models(self, access: Access) -> list[ListedModel]:
        """The models that the key may use, as the vendor lists them. Raises ProviderError."""
        return (await self._models(access))[1]

    async def check(self, access: Access) -> Account:
        """Whether the key works, and what it opens. Costs nothing. Raises ProviderError."""
        vendor_account, models = await self._models(access)
        return Account(vendor_account, [model.id for model in models])

    async def _models(self, access: Access) -> tuple[str, list[ListedModel]]:
        vendor_account = ""
        models: list[ListedModel] = []
        query: dict[str, str | int] = {"limit": 1000}
        for _ in range(LIST_PAGES):
            url = f"{_base(access)}/v1/models?{urlencode(query)}"
            headers = _headers(access, VERSION)
            async with self._transport().stream(
                "GET", url, headers=headers, timeouts=CHECK_TIMEOUTS
            ) as answer:
                if answer.status != 200:
                    raise await _refusal(answer, access)
                account = answer.headers.get("anthropic-organization-id", "")
                page = _page(await answer.read(LIST_BYTES))
            vendor_account = vendor_account or masked(account, access)[:NAME_LENGTH]
            models += [_listed(item) for item in page["data"] if isinstance(item, dict)]
            last = page.get("last_id")
            if page.get("has_more") is not True or not isinstance(last, str) or last == query.get("after_id"):
                break
            query["after_id"] = last
        return vendor_account, models

    @asynccontextmanager
    async def _post(self, request: MessageRequest, access: Access) -> AsyncGenerator[Response, None]:
        """The open answer to a request; errors that happen in it get the vendor's id of the call."""
        try:
            body = _encode(request.body(stream=True))
        except (TypeError, ValueError, RecursionError):
            raise InvalidRequest("The request holds text that cannot be sent.", sent=False) from None
        total = max(self._timeouts.total, request.max_tokens * SECONDS_PER_TOKEN)
        opening = self._transport().stream(
            "POST",
            f"{_base(access)}/v1/messages",
            headers=_headers(access, _version(request)),
            content=body,
            timeouts=replace(self._timeouts, total=total),
        )
        async with opening as answer:
            try:
                await _must_stream(answer, access)
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


async def _must_stream(answer: Response, access: Access) -> None:
    if answer.status != 200:
        raise await _refusal(answer, access)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise ProtocolError(
            f"The answer is no stream but {masked(kind, access)[:80] or 'of no type'}.", status=200
        )


async def _refusal(answer: Response, access: Access) -> ProviderError:
    try:
        body = await answer.read(ERROR_BYTES)
    except ProviderError:  # too long, cut, late: the status says enough
        body = b""
    return from_answer(answer.status, answer.headers, body, access)


def _works_unseen(start: StreamEvent) -> bool:
    """Whether the block that begins here, or what follows it, may take long without a sign.

    Thinking whose display is omitted, and a tool that runs at the vendor's.
    """
    block = start.get("content_block")
    kind = block.get("type") if isinstance(block, dict) else None
    return isinstance(kind, str) and (
        kind == "thinking" or (kind != "tool_use" and kind.endswith("_tool_use"))
    )


def _headers(access: Access, version: str) -> dict[str, str]:
    """Exactly one credential: two at once are refused by the vendor."""
    headers = {"anthropic-version": version, "content-type": "application/json", "accept": "application/json"}
    if access.kind == "none":
        return headers
    secret = access.secret.reveal() if access.secret is not None else ""
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise AuthenticationError("The key holds characters that no key of this provider has.", sent=False)
    if access.kind == "oauth":
        return headers | {"authorization": f"Bearer {secret}", "anthropic-beta": OAUTH_BETA}
    return headers | {"x-api-key": secret}


def _version(request: MessageRequest) -> str:
    sampling = request.temperature is not None or SAMPLING & request.extra.keys()
    return VERSION_WITH_SAMPLING if sampling else VERSION


def _base(access: Access) -> str:
    return access.base_url.rstrip("/")


def _page(body: bytes) -> Json:
    try:
        page, _ = decode(body)
    except ValueError:
        page = None
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise ProtocolError("The provider's list of models could not be read.")
    return page


def _listed(item: Json) -> ListedModel:
    name = item.get("display_name")
    model = item.get("id")
    if not isinstance(model, str):
        raise ProtocolError("The provider's list of models could not be read.")
    shown = name if isinstance(name, str) and name else model
    return ListedModel(clean_text(model)[:NAME_LENGTH], clean_text(shown)[:NAME_LENGTH])
