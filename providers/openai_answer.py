"""The body of an answer of OpenAI's wire as it comes in: batches of events, and what is no stream at all."""

import contextlib
from collections.abc import AsyncGenerator

from providers.errors import DeadlineExceeded, InterruptedStream, ProtocolError, ProviderError
from providers.openai_address import Address
from providers.openai_errors import masked
from providers.openai_stream import WireReader
from providers.transport import Response
from providers.types import StreamEvent

ANSWER_BYTES = 64 * 1024 * 1024
ERROR_BYTES = 256 * 1024
# After the end of the answer only usage and `[DONE]` may follow; not every server sends them.
TAIL_SECONDS = 10.0


async def batches(
    reader: WireReader, answer: Response, *, idle: float, quiet: float
) -> AsyncGenerator[list[StreamEvent], None]:
    """The events of each piece of the body."""
    size = moved = 0
    finished = False
    try:
        async with contextlib.aclosing(answer.chunks(every_chunk_counts=False)) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > ANSWER_BYTES:
                    raise ProtocolError("The answer is larger than any answer can be.")
                events = reader.feed(chunk)
                if reader.ended and not reader.stopped:
                    answer.leave()
                elif reader.finished and not finished:
                    answer.renew(TAIL_SECONDS)
                elif reader.moved != moved:
                    answer.renew(quiet if reader.works_unseen else idle)
                moved, finished = reader.moved, reader.finished
                if events:
                    yield events
                if reader.ended:
                    return
                if reader.failure is not None:
                    raise reader.failure
    except (InterruptedStream, DeadlineExceeded):
        if reader.failure is not None or not reader.finished:
            raise
    if events := reader.close():
        yield events
    if reader.failure is not None:
        raise reader.failure


async def whole(reader: WireReader, answer: Response) -> list[StreamEvent]:
    """The events of an answer that came as one JSON object. Raises ProviderError."""
    events = reader.whole(await answer.read(ANSWER_BYTES))
    if reader.failure is not None:
        raise reader.failure
    return events


async def refusal(answer: Response) -> bytes:
    try:
        return await answer.read(ERROR_BYTES)
    except ProviderError:  # too long, cut, late: the status says enough
        return b""


def must_stream(answer: Response, address: Address) -> None:
    kind = kind_of(answer)
    if kind != "text/event-stream":
        raise ProtocolError(
            f"The answer is no stream but {masked(kind, address.secrets)[:80] or 'of no type'}.", status=200
        )


def kind_of(answer: Response) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()
