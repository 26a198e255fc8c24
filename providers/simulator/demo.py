"""The demo model: picks prepared answers by simple words, and says that this is all it does."""

import re
import sys
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from providers.simulator import demo_texts as texts
from providers.simulator.answer import Answer, Part
from providers.simulator.estimate import PromptTokens
from providers.simulator.parts import natural, text_part, thinking_part, tool_part
from providers.simulator.replies import new_id
from providers.simulator.rules import Asked
from providers.simulator.script import without_directive

MODEL: Final = "parley-demo"
DISPLAY_NAME: Final = "Demo (no key)"
RATE: Final = 50.0
JITTER: Final = 0.6
FIRST_DELAY: Final = 0.3
TITLE_MARKER: Final = "Write a title"
"""A request whose system text begins so (in any letter case) is answered with a title."""
QUOTED: Final = 240
TITLE_WORDS: Final = 6
TITLE_LENGTH: Final = 60

WORDS: Final[Mapping[str, str]] = {
    "list": r"lists?|headings?|bullets?",
    "table": r"tables?|columns?",
    "code": r"code|python|sql|program(?:ming)?|script",
    "math": r"maths?|mathematics|formulas?|equations?|latex|integral",
    "quote": r"quotes?|quotations?",
    "thinking": r"think|thinking|reasoning",
    "tool": r"tools?|search|web|citations?",
    "long": r"long|essay|story",
    "arabic": r"arabic|rtl|عربي|العربية|عربية|بالعربية|مرحبا",
    "everything": r"everything",
}
"""Topic -> the words that call it."""
SAMPLER: Final = ("thinking", "list", "table", "code", "math", "quote", "tool", "arabic")
"""What "everything" stands for, in this order."""
_TOPICS: Final = {topic: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for topic, words in WORDS.items()}
_PUNCTUATION: Final = re.compile(r"([!-/:-@\[-`{-~])")
_LABEL: Final = re.compile(r"^(?:question|user|person|human|message|conversation)\s*:\s*", re.IGNORECASE)
_POLITE: Final = re.compile(
    r"^(?:(?:please|hello|hi|hey|can|could|would|will|you|kindly|me|show|tell|give|write|i|want|need|like|to|see)\b"
    r"[\s,.!]*)+",
    re.IGNORECASE,
)


def wants_title(asked: Asked) -> bool:
    return asked.system.lstrip().lower().startswith(TITLE_MARKER.lower())


def title_answer(asked: Asked, prompt: PromptTokens) -> Answer:
    """A short title made of the question's words."""
    title = title_of(without_directive(asked.text))
    return Answer(model=asked.model, parts=[text_part(title)], prompt=prompt)


def empty_answer(asked: Asked, prompt: PromptTokens) -> Answer:
    """The answer to `max_tokens: 0`, which only fills the cache."""
    return Answer(model=asked.model, parts=[], prompt=prompt, stop_reason="max_tokens")


def title_of(text: str) -> str:
    """The first words of a question that say something, at most six words and 60 characters."""
    lines = [_LABEL.sub("", line.strip()) for line in text.splitlines()]
    line = next((line for line in lines if re.search(r"\w", line)), "")
    words = (_POLITE.sub("", line) or line).split()
    title = " ".join(words[:TITLE_WORDS])[:TITLE_LENGTH].strip(" .,;:!?\"'`*#>")
    return title[:1].upper() + title[1:] if title else "A new conversation"


def demo_answer(asked: Asked, prompt: PromptTokens, topic: str | None = None) -> Answer:
    """The prepared answer for a prompt, or for a topic named outright (a key of `WORDS`).

    Keeps max_tokens and stop sequences as a model would.
    """
    topics = [topic] if topic is not None and topic in WORDS else topics_of(asked.text)
    thinks = asked.thinks if asked.thinks is not None else bool({"thinking", "everything"} & set(topics))
    if "everything" in topics:
        topics = list(SAMPLER)
    parts: list[Part] = [thinking_part(texts.THINKING, asked)] if thinks else []
    if topics:
        parts.append(text_part(texts.INTRODUCTION))
        for name in topics:
            parts += _search_parts() if name == "tool" else [text_part(_prepared(name, thinks))]
        parts.append(text_part(texts.NEXT_STEPS))
    else:
        parts.append(text_part(_varied(asked)))
    kept, reason, sequence = _cut(_merged(parts), asked)
    return Answer(
        model=asked.model,
        parts=kept,
        prompt=prompt,
        stop_reason=reason,
        stop_sequence=sequence,
        first_delay=FIRST_DELAY,
    )


def topics_of(text: str) -> list[str]:
    """The topics that a prompt names, in the order of their first words."""
    found = [(match.start(), topic) for topic, words in _TOPICS.items() if (match := words.search(text))]
    return [topic for _, topic in sorted(found)]


def quoted(text: str) -> str:
    """Somebody's words as a Markdown quotation that shows them literally, shortened to one line."""
    line = " ".join(
        "".join(character for character in text if character.isprintable() or character.isspace()).split()
    )
    if len(line) > QUOTED:
        line = line[:QUOTED].rstrip() + "…"
    return "> " + (_PUNCTUATION.sub(r"\\\1", line) or "*(no text)*")


def _varied(asked: Asked) -> str:
    turns = sum(message["role"] == "user" for message in asked.messages)
    choice = zlib.crc32(asked.text.encode("utf-8", "replace")) + turns
    opening = texts.OPENINGS[choice % len(texts.OPENINGS)].format(quote=quoted(asked.text))
    return texts.INTRODUCTION + opening + texts.SAMPLES[choice // 3 % len(texts.SAMPLES)] + texts.NEXT_STEPS


def _prepared(topic: str, thinks: bool) -> str:
    by_topic = {
        "list": texts.LIST,
        "table": texts.TABLE,
        "code": texts.CODE,
        "math": texts.MATH,
        "quote": texts.QUOTE,
        "thinking": texts.THOUGHT if thinks else texts.NO_THINKING,
        "long": texts.LONG,
        "arabic": texts.ARABIC,
    }
    return by_topic[topic]


def _search_parts() -> list[Part]:
    call_id = new_id("srvtoolu")
    results = [
        {
            "type": "web_search_result",
            "title": title,
            "url": url,
            "encrypted_content": "prepared",
            "page_age": None,
        }
        for title, url in texts.SEARCH_RESULTS
    ]
    title, url = texts.SEARCH_RESULTS[0]
    citation = {
        "type": "web_search_result_location",
        "cited_text": texts.CITED_SENTENCE,
        "url": url,
        "title": title,
        "encrypted_index": "prepared",
    }
    call = {
        "type": "server_tool_use",
        "id": call_id,
        "name": "web_search",
        "input": {"query": texts.SEARCH_QUERY},
    }
    return [
        text_part(texts.SEARCH_INTRODUCTION),
        tool_part(call),
        Part({"type": "web_search_tool_result", "tool_use_id": call_id, "content": results}),
        Part({"type": "text", "text": texts.CITED, "citations": [citation]}, list(natural(texts.CITED))),
        text_part(texts.SEARCH_END),
    ]


def _merged(parts: Sequence[Part]) -> list[Part]:
    """Neighbouring plain texts as one block, as a model sends them; a text after a citation stays apart."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if last is not None and _is_plain(part) and _is_plain(last):
            merged[-1] = text_part(last.block["text"] + part.block["text"])
        else:
            merged.append(part)
    return merged


def _is_plain(part: Part) -> bool:
    return part.block["type"] == "text" and "citations" not in part.block


def _cut(parts: Sequence[Part], asked: Asked) -> tuple[list[Part], str, str | None]:
    """The parts as far as the request wants them, the stop reason, and the stop sequence that was met."""
    left = sys.maxsize if asked.max_tokens is None else asked.max_tokens * 4
    kept: list[Part] = []
    for part in parts:
        text = "".join(piece for piece in part.pieces or () if isinstance(piece, str))
        is_text = part.block["type"] == "text"
        found = [(text.find(stop), stop) for stop in asked.stop_sequences if is_text and stop in text]
        at, stop = min(found, default=(len(text), None))
        if at > left:
            return [*kept, text_part(text[:left])] if is_text and left else kept, "max_tokens", None
        if stop is not None:
            return [*kept, text_part(text[:at])], "stop_sequence", stop
        kept.append(part)
        left -= len(text)
    return kept, "end_turn", None
