"""Chat Completions, streamed or whole, as events of Anthropic's Messages stream.

From OpenAI's API reference ("Chat Completions", streaming), and tolerant of the servers that speak it less
exactly: calls without an index, or whole in one chunk, reasoning under three names, `choices` null or
several, usage in any chunk, no `[DONE]`. Several choices are parts of one answer: no more than one is ever
asked for, and GitHub Copilot puts text and tool calls into choices of their own.
"""

import json
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from providers.assembly import Assembly
from providers.envelope import Origin
from providers.errors import ProtocolError
from providers.openai_errors import from_object
from providers.openai_stream import Fails, Translates, WireReader, refused, usage_of
from providers.types import Json

# By order of preference, where a server sends the same text twice.
REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_text")
STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
MOST_PARTS = 1000  # choices of an answer, calls of a choice


@dataclass(slots=True)
class _Call:
    """A tool call. It begins upward when its name is known; `early` is what came of its input before."""

    index: object
    id: str = ""
    key: Hashable = None
    early: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Choice:
    text: Hashable = None  # the text block that grows
    thought: Hashable = None
    sealed: Json = field(default_factory=dict)  # what of the reasoning goes back to the vendor
    calls: list[_Call] = field(default_factory=list)
    finish: str | None = None


class ChatReader(WireReader):
    """Reads one answer of Chat Completions."""

    def __init__(
        self,
        assembly: Assembly | None = None,
        *,
        origin: Origin | None = None,
        fails: Fails = from_object,
        translates: Translates | None = None,
        stop_sequences: Iterable[str] = (),
    ) -> None:
        super().__init__(assembly, origin=origin, fails=fails, translates=translates)
        self._choices: dict[int, _Choice] = {}
        self._usage: Json = {}
        self._refusal = ""
        self._stop: str | None = None  # the stop sequence, where the server tells it
        self._stops = frozenset(stop_sequences)
        self._sources: list[Json] = []
        self._keys = 0

    def _event(self, event: Json) -> None:
        choices = event.get("choices")
        choices = choices if isinstance(choices, list) else []
        if not self._assembly.begun and (choices or event.get("id")):
            self._assembly.begin(event.get("id"), event.get("model"))
        for position, choice in enumerate(choices):
            if isinstance(choice, dict):
                self._choice(choice, position)
        usage = event.get("usage")
        if not isinstance(usage, dict) and isinstance(event.get("x_groq"), dict):
            usage = event["x_groq"].get("usage")
        if isinstance(usage, dict):
            self._usage.update({name: value for name, value in usage.items() if value is not None})
            if isinstance(tier := event.get("service_tier"), str):
                self._usage["service_tier"] = tier
        for name in ("search_results", "citations"):  # Perplexity; the first says more
            if isinstance(found := event.get(name), list) and found:
                self._sources = [item if isinstance(item, dict) else {"url": item} for item in found]
                break

    def _whole(self, answer: Json) -> None:
        if not isinstance(answer.get("choices"), list):
            raise ProtocolError("The answer holds no choices.")
        self._event(answer)
        self._end()

    def _done(self) -> None:
        if not self._assembly.begun:
            raise ProtocolError("The answer is empty.")
        self._end()

    def _choice(self, choice: Json, position: int) -> None:
        number = choice.get("index")
        number = number if isinstance(number, int) else position
        state = self._choices.get(number)
        if state is None:
            if len(self._choices) >= MOST_PARTS:
                raise ProtocolError("The answer has more choices than any answer can have.")
            state = self._choices[number] = _Choice()
            self.finished = False
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice.get("message")
        if isinstance(delta, dict):
            self._delta(state, delta)
        elif isinstance(text := choice.get("text"), str):  # the older Completions
            self._text(state, text)
        if error := choice.get("error"):  # OpenRouter
            raise self._failed(error if isinstance(error, dict) else {"message": error})
        if isinstance(finish := choice.get("finish_reason"), str) and finish:
            state.finish = finish
            self.finished = all(one.finish for one in self._choices.values())
            if (stop := choice.get("stop_reason")) in self._stops and isinstance(stop, str):  # vLLM
                self._stop = stop

    def _delta(self, state: _Choice, delta: Json) -> None:
        self._reasoning(state, delta)
        content = delta.get("content")
        if isinstance(content, str):
            self._text(state, content)
        elif isinstance(content, list):
            for part in content:
                if isinstance(part, dict):
                    self._part(state, part)
        if isinstance(refusal := delta.get("refusal"), str) and refusal:
            self._refusal += refusal
            self._text(state, refusal)
        if isinstance(annotations := delta.get("annotations"), list):
            for annotation in annotations:
                if isinstance(annotation, dict):
                    self._cite(state, annotation)
        if isinstance(call := delta.get("function_call"), dict):  # before there were tools
            self._call(state, {"index": "function_call", "function": call})
        if isinstance(calls := delta.get("tool_calls"), list):
            for call in calls:
                if isinstance(call, dict):
                    self._call(state, call)

    def _part(self, state: _Choice, part: Json) -> None:
        """One part of content that is a list, as Mistral sends it."""
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            thinking = "".join(
                text
                for item in thinking
                if isinstance(item, dict) and isinstance(text := item.get("text"), str)
            )
        if isinstance(thinking, str):
            self._think(state, thinking)
        elif isinstance(text := part.get("text"), str):
            self._text(state, text)

    def _text(self, state: _Choice, text: str) -> None:
        if not text:
            return
        self._end_thought(state)
        if state.text is None:
            state.text = self._key("text")
        self._assembly.text(state.text, text)
        self.moved += 1

    def _reasoning(self, state: _Choice, delta: Json) -> None:
        for name in REASONING_FIELDS:
            if isinstance(text := delta.get(name), str) and text:
                state.sealed["field"] = name
                self._think(state, text)
                break
        if isinstance(opaque := delta.get("reasoning_opaque"), str) and opaque:  # GitHub Copilot
            self._think(state, "")
            state.sealed["opaque"] = state.sealed.get("opaque", "") + opaque
        if isinstance(details := delta.get("reasoning_details"), list) and details:  # OpenRouter
            self._think(state, "")
            _gather(state.sealed.setdefault("details", []), details)

    def _think(self, state: _Choice, text: str) -> None:
        if state.text is not None:
            self._assembly.close(state.text)
            state.text = None
        if state.thought is None:
            state.thought = self._key("thinking")
        self._assembly.thinking(state.thought, text)
        self.moved += 1

    def _end_thought(self, state: _Choice) -> None:
        if state.thought is None:
            return
        signature = self._origin.seal(state.sealed)
        self._assembly.delta(state.thought, {"type": "signature_delta", "signature": signature})
        self._assembly.close(state.thought)
        state.thought, state.sealed = None, {}

    def _cite(self, state: _Choice, annotation: Json) -> None:
        source = annotation.get("url_citation")
        source = source if isinstance(source, dict) else annotation
        if state.text is None:
            if not isinstance(source.get("url"), str):
                return
            state.text = self._key("text")
        self._assembly.cite(state.text, {"type": annotation.get("type") or "url_citation", **source})

    def _call(self, state: _Choice, call: Json) -> None:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        name, call_id = function.get("name"), call.get("id")
        name = name if isinstance(name, str) else ""
        call_id = call_id if isinstance(call_id, str) else ""
        known = self._known(state, call.get("index"), call_id, name)
        if known is None:
            self._end_thought(state)
            if state.text is not None:
                self._assembly.close(state.text)
                state.text = None
            if len(state.calls) >= MOST_PARTS:
                raise ProtocolError("The answer has more tool calls than any answer can have.")
            known = _Call(call.get("index"), call_id)
            state.calls.append(known)
        known.id = known.id or call_id
        if name and known.key is None:
            known.key = self._key("tool_use")
            self._assembly.tool(known.key, known.id, name)
            for part in known.early:
                self._assembly.arguments(known.key, part)
        arguments = function.get("arguments")
        if isinstance(arguments, dict):  # Ollama
            arguments = json.dumps(arguments, ensure_ascii=False)
        if isinstance(arguments, str) and arguments:
            if known.key is None:
                known.early.append(arguments)
            else:
                self._assembly.arguments(known.key, arguments)
        self.moved += 1

    def _known(self, state: _Choice, index: object, call_id: str, name: str) -> _Call | None:
        """The call that this piece goes on with; None when it begins one.

        The index says it. Some servers omit it, and some give every call the same: then an id that differs,
        together with a name, begins a call. An id that differs without a name is a continuation that was
        given a new id.
        """
        if index is None:
            if call_id:
                same = [call for call in state.calls if call.id == call_id]
                if same or name:
                    return same[-1] if same else None
            return None if name or not state.calls else state.calls[-1]
        same = [call for call in state.calls if call.index == index]
        if not same or (call_id and name and same[-1].id and call_id != same[-1].id):
            return next((call for call in same if call_id and call.id == call_id), None)
        return same[-1]

    def _end(self) -> None:
        assembly = self._assembly
        for state in self._choices.values():
            self._end_thought(state)
            if any(call.key is None for call in state.calls):
                raise ProtocolError("The answer holds a tool call without a name.")
        cited = next((state.text for state in self._choices.values() if state.text is not None), None)
        if cited is not None and not assembly.cited:
            for source in self._sources:
                assembly.cite(cited, {"type": "url_citation", **source})
        assembly.usage = _usage(self._usage)
        finishes = [state.finish for state in self._choices.values() if state.finish]
        reason = self._reason(finishes)
        if reason == "stop_sequence":
            assembly.end(reason, stop_sequence=self._stop)
        elif reason == "refusal":
            assembly.end(reason, stop_details=refused(self._refusal))
        else:
            assembly.end(reason)

    def _reason(self, finishes: list[str]) -> str:
        if self._refusal or "content_filter" in finishes:
            return "refusal"
        first = finishes[0] if finishes else "stop"
        reason = STOP_REASONS.get(first, first)
        if reason in ("end_turn", "tool_use"):
            if self._assembly.called:
                return "tool_use"
            return "end_turn" if self._stop is None else "stop_sequence"
        return reason

    def _key(self, kind: str) -> Hashable:
        self._keys += 1
        return kind, self._keys


def _usage(vendor: Json) -> Json:
    names = ("prompt_tokens", "completion_tokens")
    usage = usage_of(vendor, names, ("prompt_tokens_details", "completion_tokens_details"))
    if isinstance(tier := vendor.get("service_tier"), str):
        usage["service_tier"] = tier
    return usage


def _gather(details: list[Json], more: list[object]) -> None:
    """OpenRouter's `reasoning_details`: pieces of one detail share their index and type; texts add up."""
    for piece in more:
        if not isinstance(piece, dict):
            continue
        last = details[-1] if details else {}
        if not last or (last.get("type"), last.get("index")) != (piece.get("type"), piece.get("index")):
            details.append(dict(piece))
            continue
        for name, value in piece.items():
            if name in ("text", "summary", "data") and isinstance(value, str):
                before = last.get(name)
                last[name] = (before if isinstance(before, str) else "") + value
            elif value is not None:
                last[name] = value
