"""The Responses API, streamed or whole, as events of Anthropic's Messages stream.

From OpenAI's API reference ("Responses", streaming events). An answer is a list of items, each with its place
(`output_index`). Messages, reasoning and function calls become blocks of Anthropic's kinds; items of tools
that run at the vendor's, and those that nobody here knows, are kept whole as blocks of their own type that
say where they come from.
"""

from collections.abc import Hashable

from providers.assembly import Assembly
from providers.envelope import Origin
from providers.errors import InterruptedStream, ProtocolError
from providers.openai_errors import from_object
from providers.openai_items import (
    BEGINNINGS,
    ENDINGS,
    IMPLIED,
    INCOMPLETE,
    MOST_ITEMS,
    MOST_SKIPPED,
    OURS,
    Item,
    content_index,
    rest_of,
    usage_in,
)
from providers.openai_stream import Fails, Translates, WireReader, refused
from providers.tool_input import parse_input
from providers.types import Json


class ResponsesReader(WireReader):
    """Reads one answer of the Responses API."""

    def __init__(
        self,
        assembly: Assembly | None = None,
        *,
        origin: Origin | None = None,
        fails: Fails = from_object,
        translates: Translates | None = None,
    ) -> None:
        super().__init__(assembly, origin=origin, fails=fails, translates=translates)
        self._items: dict[int, Item] = {}
        self._last: Item | None = None
        self._number = 0
        self._skipped: set[int] = set()  # numbers that have not come
        self._refusal = ""
        # Reasoning that is whole, but for what the next item says: it is sealed then.
        self._thought: tuple[Item, Json] | None = None
        self._response: Json = {}

    def _event(self, event: Json) -> None:
        kind = event.get("type")
        if not isinstance(kind, str) or self._repeated(event):
            return
        if kind in BEGINNINGS:
            response = event.get("response")
            response = response if isinstance(response, dict) else {}
            self._assembly.begin(response.get("id"), response.get("model"))
        elif kind in ENDINGS:
            response = event.get("response")
            self._conclude(response if isinstance(response, dict) else {}, ENDINGS[kind])
        elif kind == "error":
            raise self._failed({name: value for name, value in event.items() if name != "type"})
        elif kind.startswith("response."):
            self._progress(kind[len("response.") :], event)

    def _whole(self, answer: Json) -> None:
        if not isinstance(answer.get("output"), list):
            raise ProtocolError("The answer holds no output.")
        status = answer.get("status")
        self._conclude(answer, status if isinstance(status, str) else "completed")

    def _end(self) -> None:
        """Never called: only an event of the vendor's ends this stream."""

    def _done(self) -> None:
        """Some servers end this stream like the other; the wire has an event for it."""

    def _repeated(self, event: Json) -> bool:
        """Whether the event came before. Some servers number every event 0. Raises ProtocolError for one that
        comes after a later one: to leave it out would lose what it says.
        """
        number = event.get("sequence_number")
        if not isinstance(number, int):
            return False
        if 0 < self._number >= number:
            if number in self._skipped:
                raise ProtocolError("The events of the answer came in the wrong order.")
            return True
        if self._number and len(self._skipped) < MOST_ITEMS:
            self._skipped.update(range(self._number + 1, min(number, self._number + MOST_SKIPPED)))
        self._number = number
        return False

    def _progress(self, kind: str, event: Json) -> None:
        if kind in ("output_item.added", "output_item.done"):
            item = event.get("item")
            if not isinstance(item, dict):
                raise ProtocolError("An item of the answer came without its content.")
            known = self._item(event.get("output_index"), item)
            if kind == "output_item.done":
                self._whole_item(known, item)
            self.moved += 1
            return
        known_item = self._place_of(event) or self._implied(kind, event)
        if known_item is None:
            return
        if self._grown(kind, event, known_item) or known_item.kind not in ("message", "reasoning"):
            self.moved += 1

    def _implied(self, kind: str, event: Json) -> Item | None:
        """The item of an event that no other has announced, where its kind can be told."""
        implied = IMPLIED.get(kind.partition(".")[0]) if kind.endswith((".delta", ".done")) else None
        if implied is None:
            return None
        return self._item(event.get("output_index"), {"type": implied, "id": event.get("item_id")})

    def _grown(self, kind: str, event: Json, item: Item) -> bool:
        """Whether the event made the answer longer."""
        delta = event.get("delta")
        delta = delta if isinstance(delta, str) else ""
        match kind:
            case "output_text.delta":
                self._text(item, content_index(event), delta)
            case "output_text.done":
                self._text(
                    item,
                    content_index(event),
                    rest_of(event.get("text"), self._written(item, content_index(event))),
                )
            case "content_part.done":
                self._whole_part(item, content_index(event), event.get("part"))
                self._assembly.close(self._part(item, content_index(event)))
            case "output_text.annotation.added":
                self._cite(item, content_index(event), event.get("annotation"), event.get("annotation_index"))
            case "refusal.delta":
                self._refuse(item, content_index(event), delta)
            case "refusal.done":
                written = self._written(item, content_index(event))
                self._refuse(item, content_index(event), rest_of(event.get("refusal"), written))
            case "reasoning_summary_text.delta":
                self._think(item, ("summary", event.get("summary_index")), delta)
            case "reasoning_text.delta":
                self._think(item, ("content", event.get("content_index")), delta)
            case "function_call_arguments.delta":
                self._arguments(item, delta)
            case "function_call_arguments.done":
                self._whole_arguments(item, event.get("arguments"))
            case _:
                return False
        return True

    def _item(self, place: object, item: Json) -> Item:
        """The item that this event is of; a new one begins."""
        item_id = item.get("id")
        item_id = item_id if isinstance(item_id, str) else ""
        kind = item.get("type")
        kind = kind if isinstance(kind, str) else "unknown"
        known = self._items.get(place) if isinstance(place, int) else self._by_id(item_id)
        if known is not None:
            return known
        if len(self._items) >= MOST_ITEMS:
            raise ProtocolError("The answer has more parts than any answer can have.")
        at = place if isinstance(place, int) else max(self._items, default=-1) + 1
        known = self._items[at] = self._last = Item(at, kind, item_id)
        self._begin(known, item)
        return known

    def _begin(self, known: Item, item: Json) -> None:
        self._assembly.begin()
        phase = item.get("phase")
        self._seal(phase if isinstance(phase, str) else None, at=known)
        known.key = (known.place, known.kind)
        if known.kind == "reasoning":
            self._assembly.thinking(known.key)
            self.works_unseen = True
        elif known.kind == "function_call":
            self._begin_call(known, item)
        elif known.kind in OURS:
            raise ProtocolError("A part of the answer has a type that does not belong there.")
        elif known.kind != "message":
            self._assembly.reserve(known.key)
            self.works_unseen = True

    def _begin_call(self, known: Item, item: Json) -> None:
        name = item.get("name")
        if self._assembly.has(known.key) or not isinstance(name, str) or not name:
            return
        call_id = item.get("call_id") or item.get("id")
        self._assembly.tool(known.key, call_id, name)
        for part in known.early:
            self._assembly.arguments(known.key, part)
        known.early = []

    def _whole_item(self, known: Item, item: Json) -> None:
        if known.done:
            return
        known.done = True
        self.works_unseen = False
        match known.kind:
            case "message":
                self._whole_message(known, item)
            case "reasoning":
                self._whole_reasoning(known, item)
            case "function_call":
                self._begin_call(known, item)
                if not self._assembly.has(known.key):
                    raise ProtocolError("The answer holds a tool call without a name.")
                self._whole_arguments(known, item.get("arguments"))
                self._assembly.close(known.key)
            case _:
                self._assembly.fill(known.key, self._origin.marked({**item, "type": known.kind}))

    def _whole_message(self, known: Item, item: Json) -> None:
        content = item.get("content")
        for index, part in enumerate(content if isinstance(content, list) else []):
            self._whole_part(known, index, part)
        for key in known.parts.values():
            self._assembly.close(key)

    def _whole_part(self, known: Item, index: int, part: object) -> None:
        """A part of a message as its end repeats it: what the stream left out of it is added."""
        if known.kind != "message" or not isinstance(part, dict) or self._closed(known, index):
            return
        written = self._written(known, index)
        if isinstance(refusal := part.get("refusal"), str):
            self._refuse(known, index, rest_of(refusal, written))
        elif part.get("type") == "output_text":
            self._text(known, index, rest_of(part.get("text"), written))
        annotations = part.get("annotations")
        for number, annotation in enumerate(annotations if isinstance(annotations, list) else []):
            self._cite(known, index, annotation, number)

    def _whole_reasoning(self, known: Item, item: Json) -> None:
        if not self._assembly.written(known.key):
            for name in ("summary", "content"):
                parts = item.get(name)
                for index, part in enumerate(parts if isinstance(parts, list) else []):
                    if isinstance(part, dict) and isinstance(text := part.get("text"), str):
                        self._think(known, (name, index), text)
        self._thought = (known, item)

    def _seal(self, phase: str | None = None, at: Item | None = None) -> None:
        """Ends the reasoning that is whole. `phase` is that of the message that follows: it has to go back
        with it, and no block but a thinking block carries what only the vendor understands."""
        sealed: Json = {} if phase is None else {"phase": phase}
        if self._thought is None:
            if phase is None or at is None:
                return
            key: Hashable = (at.place, "phase")
            self._assembly.thinking(key)
        else:
            known, item = self._thought
            key, sealed["item"] = known.key, item
        self._thought = None
        signature = self._origin.seal(sealed)
        self._assembly.delta(key, {"type": "signature_delta", "signature": signature})
        self._assembly.close(key)

    def _text(self, item: Item, index: int, text: str) -> None:
        if text:
            self._assembly.text(self._part(item, index), text)

    def _refuse(self, item: Item, index: int, text: str) -> None:
        self._refusal += text
        self._text(item, index, text)

    def _cite(self, item: Item, index: int, annotation: object, number: object) -> None:
        at = (index, number if isinstance(number, int) else -1 - len(item.cited))
        if isinstance(annotation, dict) and at not in item.cited:
            item.cited.add(at)
            self._assembly.cite(self._part(item, index), annotation)

    def _think(self, item: Item, part: object, text: str) -> None:
        if item.kind != "reasoning" or not text:
            return
        if item.summary not in (None, part):
            text = "\n\n" + text
        item.summary = part
        self.works_unseen = False
        self._assembly.thinking(item.key, text)

    def _arguments(self, item: Item, text: str) -> None:
        if item.kind != "function_call":
            return
        if self._assembly.has(item.key):
            self._assembly.arguments(item.key, text)
        else:
            item.early.append(text)

    def _whole_arguments(self, item: Item, whole: object) -> None:
        """The input as it is said at its end, which counts: what is missing of it is added."""
        if item.kind != "function_call" or not isinstance(whole, str):
            return
        written = self._assembly.written(item.key) or "".join(item.early)
        if rest := rest_of(whole, written):
            self._arguments(item, rest)
        elif (
            written and whole and not whole.startswith(written) and parse_input(whole) != parse_input(written)
        ):
            raise ProtocolError("The input of a tool call came in two versions.")

    def _part(self, item: Item, index: int) -> Hashable:
        return item.parts.setdefault(index, (item.place, "text", index))

    def _closed(self, item: Item, index: int) -> bool:
        key = self._part(item, index)
        return self._assembly.has(key) and not self._assembly.is_open(key)

    def _written(self, item: Item, index: int) -> str:
        return self._assembly.written(self._part(item, index))

    def _place_of(self, event: Json) -> Item | None:
        place, item_id = event.get("output_index"), event.get("item_id")
        if isinstance(place, int) and place in self._items:
            return self._items[place]
        known = self._by_id(item_id) if isinstance(item_id, str) else None
        return known or (self._last if place is None and item_id is None else None)

    def _by_id(self, item_id: str) -> Item | None:
        if not item_id:
            return None
        return next((item for item in self._items.values() if item.id == item_id), None)

    def _conclude(self, response: Json, status: str) -> None:
        assembly = self._assembly
        error = response.get("error")
        if status == "failed" or (isinstance(error, dict) and error):
            raise self._failed(error if isinstance(error, dict) else {})
        if status not in ("completed", "incomplete"):
            raise InterruptedStream(f"The provider ended the answer as {status[:40]!r}.")
        assembly.begin(response.get("id"), response.get("model"))
        output = response.get("output")
        for place, item in enumerate(output if isinstance(output, list) else []):
            if isinstance(item, dict):
                self._concluded(place, item)
        self._seal()
        if any(one.kind == "function_call" and not assembly.has(one.key) for one in self._items.values()):
            raise ProtocolError("The answer holds a tool call without a name.")
        assembly.usage = usage_in(response)
        reason = self._reason(response, status)
        assembly.end(reason, stop_details=refused(self._refusal) if reason == "refusal" else None)

    def _concluded(self, place: int, item: Json) -> None:
        """An item as the end of the answer repeats it: what the stream left out of it is added."""
        item_id = item.get("id")
        known = self._by_id(item_id) if isinstance(item_id, str) else None
        at_place = self._items.get(place)
        if known is None and at_place is not None:
            known = at_place if at_place.kind == item.get("type") else None
            if known is None:
                return
        if known is None:
            known = self._item(place, item)
        self._whole_item(known, item)

    def _reason(self, response: Json, status: str) -> str:
        details = response.get("incomplete_details")
        told = details.get("reason") if isinstance(details, dict) else None
        if self._refusal:
            return "refusal"
        if status == "incomplete":
            return INCOMPLETE.get(told, told) if isinstance(told, str) and told else "max_tokens"
        return "tool_use" if self._assembly.called else "end_turn"
