"""What the readers of OpenAI's two wires share: from bytes to JSON events, and how an answer fails."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable

from providers.assembly import Assembly
from providers.cleaning import decode
from providers.envelope import Origin
from providers.errors import InterruptedStream, ProtocolError, ProviderError
from providers.openai_errors import from_object
from providers.sse import MAX_EVENT_BYTES, Decoder, ServerSentEvent
from providers.types import LARGEST_COUNT, Json, StreamEvent

_DONE = b"[DONE]"

# An error object of the stream, as an error of ours.
Fails = Callable[[Json], ProviderError]
# An event as this server sends it, made what the wire's documentation says; None: to be left out.
Translates = Callable[[Json], Json | None]


class WireReader(ABC):
    """Bytes of an answer in, events of Anthropic's Messages stream out.

    `feed` and `close` do not raise. When `failure` is set, the events returned before it are good and nothing
    more will come; so the same bytes give the same events and the same failure, however they are cut.
    `ended`: the answer is whole. `finished`: all of it but what may follow the end (usage). `moved` counts
    the pieces of content that came; `works_unseen`: the next may take long, for the model thinks or a tool
    runs at the vendor's.
    """

    def __init__(
        self,
        assembly: Assembly | None = None,
        *,
        origin: Origin | None = None,
        fails: Fails = from_object,
        translates: Translates | None = None,
    ) -> None:
        self.failure: ProviderError | None = None
        self.finished = False
        self.moved = 0
        self.works_unseen = False
        self._assembly = assembly or Assembly()
        self._origin = origin or Origin(provider="openai")
        self._fails = fails
        self._translates = translates
        self._decoder = Decoder(MAX_EVENT_BYTES)

    @property
    def begun(self) -> bool:
        return self._assembly.begun

    @property
    def ended(self) -> bool:
        return self._assembly.done

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence has ended the answer here, while the vendor writes on."""
        return self._assembly.stopped

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self.failure is not None or self.ended:
            return []
        try:
            for found in self._decoder.feed(chunk):
                self._take(found)
                if self.ended:
                    break
            else:
                self.failure = self._decoder.failure
        except ProviderError as failure:
            self.failure = failure
        return self._assembly.take()

    def close(self) -> list[StreamEvent]:
        """The end of the bytes. A last event without its blank line counts if whole; cut, it is dropped."""
        if self.failure is not None or self.ended:
            return []
        with contextlib.suppress(ProtocolError):
            for found in self._decoder.close():
                try:
                    self._take(found)
                except ProtocolError:
                    raise
                except ProviderError as failure:
                    self.failure = failure
                    return self._assembly.take()
        if not self.ended:
            try:
                if self.finished:
                    self._end()
                else:
                    self.failure = InterruptedStream() if self.begun else _nothing()
            except ProviderError as failure:
                self.failure = failure
        return self._assembly.take()

    def whole(self, body: bytes) -> list[StreamEvent]:
        """The events of an answer that came as one JSON object, for a server that does not stream."""
        try:
            answer = self._decoded(body)
            if answer is not None:
                self._whole(answer)
        except ProviderError as failure:
            self.failure = failure
        return self._assembly.take()

    def _take(self, found: ServerSentEvent) -> None:
        if found.data.startswith(_DONE):
            self._done()
            return
        event = self._decoded(found.data)
        if event is not None:
            self._event(event)

    def _decoded(self, data: bytes) -> Json | None:
        try:
            event, _ = decode(data)
        except ValueError:
            raise ProtocolError("An event of the answer is not JSON.") from None
        if not isinstance(event, dict):
            raise ProtocolError("An event of the answer is no object.")
        event = event if self._translates is None else self._translates(event)
        if event is None:
            return None
        if error := event.get("error"):
            raise self._failed(error if isinstance(error, dict) else {**event, "message": error})
        if event.get("object") == "error":  # vLLM
            raise self._failed(event)
        return event

    def _failed(self, error: Json) -> ProviderError:
        failure = self._fails(error)
        failure.sent = self.begun or failure.sent
        return failure

    @abstractmethod
    def _event(self, event: Json) -> None:
        """One event of a stream."""

    @abstractmethod
    def _whole(self, answer: Json) -> None:
        """The answer that came at once, to its end."""

    @abstractmethod
    def _end(self) -> None:
        """The bytes are over and nothing is missing but the mark of the end."""

    @abstractmethod
    def _done(self) -> None:
        """`[DONE]` came."""


def refused(explanation: str | None) -> Json:
    return {"type": "refusal", "category": None, "explanation": explanation or None}


def usage_of(vendor: Json, names: tuple[str, str], details: tuple[str, str]) -> Json:
    """OpenAI's usage object as Anthropic's. What is missing, or no possible count, is left out.

    `names` are those of the prompt's and the answer's tokens, `details` of their details. The prompt's count
    holds the cached ones; Anthropic's does not.
    """
    prompt, output = (_count(vendor.get(name)) for name in names)
    of_prompt, of_output = (_object(vendor.get(name)) for name in details)
    read = _first(of_prompt.get("cached_tokens"), vendor.get("prompt_cache_hit_tokens"))
    written = _first(of_prompt.get("cache_write_tokens"))
    usage: Json = {}
    if prompt is not None:
        fresh = prompt - (read or 0) - (written or 0)
        if fresh >= 0:  # more cached than sent is no count of what was fresh, and so not nothing
            usage["input_tokens"] = fresh
    if read is not None:
        usage["cache_read_input_tokens"] = read
    if written is not None:
        usage["cache_creation_input_tokens"] = written
    thought = _first(of_output.get("reasoning_tokens"), vendor.get("reasoning_tokens"))
    if output is not None:
        if thought and vendor.get("total_tokens") == (prompt or 0) + output + thought:
            # OpenAI counts reasoning as output; xAI and Google's models do not, as their own totals show.
            output += thought
        usage["output_tokens"] = output
    if thought is not None:
        usage["output_tokens_details"] = {"thinking_tokens": thought}
    return usage


def _nothing() -> ProviderError:
    return ProtocolError("The answer is empty.")


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _first(*values: object) -> int | None:
    return next((count for value in values if (count := _count(value)) is not None), None)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= LARGEST_COUNT or value != int(value):  # NaN fails the comparison
        return None
    return int(value)
