"""What travels on the page's socket, both ways. docs/protocol.md describes it for people.

Commands are read strictly: an unknown type, a missing field or a wrong type is refused by name. Frames are
encoded once; stream events inside them are Anthropic's, as stored in the journal.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec

Part = Literal["turns", "title", "sidebar", "settings"]

LONGEST_COMMAND = 64 * 1024  # bytes; a long text goes by HTTP


class Follow(msgspec.Struct, tag="follow", tag_field="type", frozen=True):
    """Show me this conversation: its live runs after the numbers that I have (also an acknowledgement)."""

    conversation: UUID
    after: dict[UUID, int] = {}


class Unfollow(msgspec.Struct, tag="unfollow", tag_field="type", frozen=True):
    """I look at no conversation now."""


class Stop(msgspec.Struct, tag="stop", tag_field="type", frozen=True):
    """Stop the run that writes this answer."""

    message: UUID


Command = Follow | Unfollow | Stop
_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_encoder = msgspec.json.Encoder()


def parse(text: str) -> Command:
    """Raises ValueError with a reason that is safe to send back."""
    if len(text) > LONGEST_COMMAND:
        raise ValueError("The command is too long.")
    try:
        return _commands.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"Not a command: {str(error)[:200]}") from None


class Events(msgspec.Struct, tag="events", tag_field="type", frozen=True):
    """Stream events number after+1 to seq of a run. Apply only when `after` is the number you have."""

    conversation: UUID
    run: UUID
    message: UUID
    after: int
    seq: int
    events: msgspec.Raw


class State(msgspec.Struct, tag="state", tag_field="type", frozen=True):
    """The whole answer so far at number seq (providers.fold.Fold.state); replaces what you have."""

    conversation: UUID
    run: UUID
    message: UUID
    seq: int
    state: dict[str, Any]


class Finished(msgspec.Struct, tag="finished", tag_field="type", frozen=True):
    """The answer is complete in the database: fetch its turn."""

    conversation: UUID
    run: UUID
    message: UUID
    status: str


class Changed(msgspec.Struct, tag="changed", tag_field="type", frozen=True):
    """Something of this conversation is newer than your page: fetch the named parts."""

    conversation: UUID
    version: int
    what: list[Part]


class Notice(msgspec.Struct, tag="notice", tag_field="type", frozen=True):
    """A sentence for the person."""

    code: str
    text: str


Frame = Events | State | Finished | Changed | Notice


def encode(frame: Frame) -> str:
    return _encoder.encode(frame).decode()
