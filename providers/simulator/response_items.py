"""The output items of OpenAI's Responses API and the events in which they grow."""

import secrets
from collections.abc import Iterator
from typing import Any

from providers.simulator.answer import Answer
from providers.simulator.reasoning import seal
from providers.simulator.replies import new_id
from providers.types import Json, StreamEvent


def opened(block: Json, answer: Answer) -> Json | None:
    """The item that a block begins; None for one that has no counterpart."""
    match block["type"]:
        case "text":
            asks = any(part.block["type"] == "tool_use" for part in answer.parts)
            phase = "commentary" if asks else "final_answer"
            head = {"id": new_id("msg"), "type": "message", "status": "in_progress", "role": "assistant"}
            return {**head, "phase": phase, "content": []}
        case "thinking" | "redacted_thinking":
            return {"id": new_id("rs"), "type": "reasoning", "summary": []}
        case "tool_use":
            head = {"id": new_id("fc"), "type": "function_call", "status": "in_progress", "arguments": ""}
            return {**head, "call_id": block["id"], "name": block["name"]}
        case "server_tool_use":
            return {"id": new_id("ws"), "type": "web_search_call", "status": "in_progress"}
        case str() as kind if kind.endswith("_tool_result"):
            return None
    return {"id": new_id("item"), **block}


def citation(found: Json) -> Json:
    """An annotation in place of Anthropic's citation."""
    where = {"start_index": 0, "end_index": len(str(found.get("cited_text", "")))}
    return {"type": "url_citation", "url": found.get("url", ""), "title": found.get("title", ""), **where}


class Items:
    """The items of one answer in their order; `done` holds those that are finished. One is open at a time."""

    def __init__(self, answer: Answer, organization: str, *, padded: bool) -> None:
        self.done: list[Json] = []
        self._answer = answer
        self._organization = organization
        self._padded = padded
        self._index = -1
        self._item: Json | None = None
        self._text: list[str] = []
        self._annotations: list[Json] = []

    def start(self, item: Json | None) -> Iterator[StreamEvent]:
        self._item, self._text, self._annotations = item, [], []
        if item is None:
            return
        self._index += 1
        begun = {**item, "encrypted_content": ""} if item["type"] == "reasoning" else item
        yield {"type": "response.output_item.added", "output_index": self._index, "item": begun}
        match item["type"]:
            case "message":
                part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
                yield self._event("content_part.added", content_index=0, part=part)
            case "web_search_call":
                yield self._event("web_search_call.in_progress")
                yield self._event("web_search_call.searching")

    def grow(self, text: str) -> Iterator[StreamEvent]:
        item = self._item
        if item is None or not text:
            return
        match item["type"]:
            case "message":
                yield self._delta("output_text.delta", text, content_index=0, logprobs=[])
            case "reasoning":
                if not self._text:
                    part = {"type": "summary_text", "text": ""}
                    yield self._event("reasoning_summary_part.added", summary_index=0, part=part)
                yield self._delta("reasoning_summary_text.delta", text, summary_index=0)
            case "function_call":
                yield self._delta("function_call_arguments.delta", text)
        self._text.append(text)

    def annotate(self, annotation: Json) -> Iterator[StreamEvent]:
        self._annotations.append(annotation)
        number = len(self._annotations) - 1
        yield self._event(
            "output_text.annotation.added", content_index=0, annotation_index=number, annotation=annotation
        )

    def stop(self) -> Iterator[StreamEvent]:
        item, text = self._item, "".join(self._text)
        if item is None:
            return
        match item["type"]:
            case "message":
                part = {"type": "output_text", "text": text, "annotations": self._annotations, "logprobs": []}
                yield self._event("output_text.done", content_index=0, text=text, logprobs=[])
                yield self._event("content_part.done", content_index=0, part=part)
                item = {**item, "status": "completed", "content": [part]}
            case "reasoning":
                if text:
                    part = {"type": "summary_text", "text": text}
                    yield self._event("reasoning_summary_text.done", summary_index=0, text=text)
                    yield self._event("reasoning_summary_part.done", summary_index=0, part=part)
                    item = {**item, "summary": [part]}
                item = {**item, "encrypted_content": seal(self._organization)}
            case "function_call":
                yield self._event("function_call_arguments.done", name=item["name"], arguments=text)
                item = {**item, "status": "completed", "arguments": text}
            case "web_search_call":
                yield self._event("web_search_call.completed")
                action = {"type": "search", "query": text, "queries": [text]}
                item = {**item, "status": "completed", "action": action}
        yield {"type": "response.output_item.done", "output_index": self._index, "item": item}
        self.done.append(item)
        self._item = None

    def refuse(self) -> Iterator[StreamEvent]:
        """The words of a refusal, if there are any, as a message of their own."""
        words = self._answer.refusal_words
        if words is None:
            return
        head = {"id": new_id("msg"), "type": "message", "role": "assistant"}
        self._index += 1
        self._item = {**head, "status": "in_progress", "content": []}
        yield {"type": "response.output_item.added", "output_index": self._index, "item": self._item}
        yield self._event("content_part.added", content_index=0, part={"type": "refusal", "refusal": ""})
        yield self._delta("refusal.delta", words, content_index=0)
        yield self._event("refusal.done", content_index=0, refusal=words)
        part = {"type": "refusal", "refusal": words}
        yield self._event("content_part.done", content_index=0, part=part)
        item = {**self._item, "status": "completed", "content": [part]}
        yield {"type": "response.output_item.done", "output_index": self._index, "item": item}
        self.done.append(item)

    def _delta(self, kind: str, text: str, /, **more: Any) -> StreamEvent:
        padding = {"obfuscation": secrets.token_urlsafe(6)} if self._padded else {}
        return self._event(kind, **more, delta=text, **padding)

    def _event(self, kind: str, /, **more: Any) -> StreamEvent:
        item_id = self._item["id"] if self._item is not None else ""
        return {"type": f"response.{kind}", "item_id": item_id, "output_index": self._index, **more}
