"""Images, documents, search results and tool results of a request, as OpenAI's wires take them.

From OpenAI's guides "Images and vision" and "File inputs". Files that lie at another vendor cannot be named.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field

from providers.errors import InvalidRequest, Unsupported
from providers.openai_request import blocks_of, text_of
from providers.types import Block, Json

IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
PDF = "application/pdf"
_BEGINNINGS = ((b"\xff\xd8\xff", IMAGES[0]), (b"\x89PNG", IMAGES[1]), (b"GIF8", IMAGES[2]), (b"%PDF", PDF))


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """`url` is an address or a data URL."""

    url: str


@dataclass(frozen=True, slots=True)
class Pdf:
    """Either its bytes as a data URL, or where it is. `before` is what was said of it."""

    name: str
    data: str = ""
    url: str = ""
    before: str = ""


Part = Text | Image | Pdf


@dataclass(slots=True)
class Result:
    """What a tool gave: its text, and the images and files in it, in order."""

    texts: list[str] = field(default_factory=list)
    media: list[Image | Pdf] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


def parts(block: Block) -> list[Part]:
    """A block of a user's message. Raises Unsupported for a kind that OpenAI has no word for."""
    match block["type"]:
        case "text":
            text = text_of(block, "text")
            return [Text(text)] if text else []
        case "image":
            return [Image(_image_url(_source(block)))]
        case "document":
            return _document(block)
        case "search_result":
            return [Text(_search_result(block))]
        case kind:
            raise Unsupported(f"This model cannot read content of the kind {kind[:50]!r}.", sent=False)


def result(block: Block) -> Result:
    """The content of a tool_result block."""
    found = Result()
    content = block.get("content")
    for inner in [] if content is None else blocks_of(content):
        if inner["type"] == "tool_reference":
            found.parts.append(Text(f"[tool: {text_of(inner, 'tool_name')}]"))
        else:
            found.parts += parts(inner)
    for part in found.parts:
        if isinstance(part, Text):
            found.texts.append(part.text)
        else:
            found.media.append(part)
    return found


def history_text(block: Block) -> str:
    """A block of another vendor's answer, told in words: what its server tools were asked and gave.

    Raises Unsupported for a kind that nobody here knows.
    """
    kind = block["type"]
    if kind == "compaction":
        summary = block.get("content")
        return summary if isinstance(summary, str) else ""
    if kind.endswith("_tool_use"):
        name = block.get("name")
        asked = json.dumps(block.get("input"), ensure_ascii=False)
        return f"[{name if isinstance(name, str) else kind} was asked: {asked}]"
    if kind.endswith("_tool_result"):
        return f"[Result: {_told(block.get('content'))}]"
    raise Unsupported(
        f"The conversation holds content of the kind {kind[:50]!r}, which this model cannot read.", sent=False
    )


def _source(block: Block) -> Json:
    source = block.get("source")
    if not isinstance(source, dict):
        raise InvalidRequest(f"The {block['type']} has no source.", sent=False)
    if source.get("type") == "file":
        raise Unsupported("The file lies at another provider; this model cannot open it.", sent=False)
    return source


def _image_url(source: Json) -> str:
    match source.get("type"):
        case "url":
            return text_of(source, "url")
        case "base64":
            data = _data(source)
            media_type = _media_type(data) or text_of(source, "media_type")
            if media_type not in IMAGES:
                raise Unsupported("This model takes images as JPEG, PNG, GIF or WebP only.", sent=False)
            return f"data:{media_type};base64,{data}"
        case _:
            raise Unsupported("This model cannot take the image from there.", sent=False)


def _document(block: Block) -> list[Part]:
    citations = block.get("citations")
    if isinstance(citations, dict) and citations.get("enabled") is True:
        raise Unsupported("This model cannot cite the documents that it is given.", sent=False)
    source = _source(block)
    title = block.get("title")
    title = title if isinstance(title, str) else ""
    context = block.get("context")
    context = context if isinstance(context, str) else ""
    before = "\n".join(line for line in (title, context) if line)
    match source.get("type"):
        case "text":
            return [Text("\n\n".join(part for part in (before, text_of(source, "data")) if part))]
        case "content":
            inner = [part for each in blocks_of(source.get("content")) for part in parts(each)]
            return [*([Text(before)] if before else []), *inner]
        case "base64":
            data = _data(source)
            if (_media_type(data) or source.get("media_type")) != PDF:
                raise Unsupported("This model takes documents as PDF or text only.", sent=False)
            return [Pdf(_file_name(title), data=f"data:{PDF};base64,{data}", before=context)]
        case "url":
            return [Pdf(_file_name(title), url=text_of(source, "url"), before=context)]
        case _:
            raise Unsupported("This model cannot take the document from there.", sent=False)


def _search_result(block: Block) -> str:
    head = " ".join(text for name in ("title", "source") if isinstance(text := block.get(name), str))
    body = [text_of(inner, "text") for inner in blocks_of(block.get("content")) if inner["type"] == "text"]
    return "\n".join([head, *body])


def _data(source: Json) -> str:
    return "".join(text_of(source, "data").split())


def _media_type(data: str) -> str:
    """The media type that the first bytes say, "" when they say none."""
    try:
        head = base64.b64decode(data[:24], validate=True)
    except (ValueError, binascii.Error):
        return ""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return IMAGES[3]
    return next((kind for beginning, kind in _BEGINNINGS if head.startswith(beginning)), "")


def _file_name(title: str) -> str:
    name = "".join(character if character.isalnum() or character in " ._-" else "_" for character in title)
    name = name.strip()[:100] or "document"
    return name if name.lower().endswith(".pdf") else f"{name}.pdf"


def _told(value: object) -> str:
    """JSON without what only its vendor can read."""
    return json.dumps(_readable(value), ensure_ascii=False)


def _readable(value: object) -> object:
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict):
        return {
            name: _readable(item)
            for name, item in value.items()
            if not name.startswith("encrypted_") and name not in ("signature", "file_id")
        }
    return value
