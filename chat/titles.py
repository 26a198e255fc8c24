"""Automatic titles: one small metered call after the first answer, to the cheapest model of the same
provider that the person may use.
"""

from __future__ import annotations

import logging
import unicodedata
from functools import partial
from uuid import UUID

from accounts.ids import uuid7
from accounts.people import languages
from accounts.policies import store
from providers.errors import ProviderError
from providers.types import Json, MessageRequest
from usage import metering, policy
from usage.catalogue import overrides
from usage.errors import CallRefused
from usage.metering import Caller
from usage.writer import writer

from . import bell
from .models import TITLE_LENGTH, Conversation, Message

log = logging.getLogger(__name__)

PROVISIONAL = 60  # characters of the first question that serve as a title until there is a better one
READ = 2_000  # characters of question and answer that the model is shown
MAX_TOKENS = 64
INSTRUCTION = (
    "Write a title for this conversation: at most seven words, in {language}, "
    "no quotation marks, no full stop. Answer with the title alone."
)


def provisional(text: str) -> str:
    """The first line of a question, cut at a word."""
    line = clean(text)
    if len(line) <= PROVISIONAL:
        return line.rstrip(".") or "New chat"
    return line[:PROVISIONAL].rsplit(" ", 1)[0].rstrip(",;:.- ") + "…"


def clean(text: str) -> str:
    """One line without control characters, direction marks or surrounding quotation marks, cut to
    TITLE_LENGTH.
    """
    spaced = "".join(" " if char.isspace() else char for char in text)
    shown = "".join(
        char for char in spaced if unicodedata.category(char) not in {"Cc", "Cf", "Cs"} or char == "\u200d"
    )
    return " ".join(shown.split()).strip("\"'“”„«»*#` ")[:TITLE_LENGTH].rstrip()


async def entitle(conversation_id: UUID) -> None:
    """Titles a conversation with its first answer that nobody named; a failure changes nothing."""
    asked = await writer.run(partial(_ask, conversation_id))
    if asked is None:
        return
    caller, request = asked
    try:
        answer = await metering.complete(caller, request, purpose="title", call_id=uuid7())
    except (CallRefused, ProviderError) as error:
        log.info("No title for conversation %s: %s", conversation_id, error)
        return
    title = clean("".join(block.get("text", "") for block in answer.get("content", [])))
    if title:
        await writer.run(partial(_name, conversation_id, title))


def _ask(conversation_id: UUID) -> tuple[Caller, MessageRequest] | None:
    automatic = Conversation.objects.filter(id=conversation_id, title_is_automatic=True)
    conversation = automatic.select_related("owner").first()
    if conversation is None:
        return None
    path = conversation.path()
    if [message.role for message in path] != [Message.Role.USER, Message.Role.ASSISTANT]:
        return None
    answers = conversation.messages.filter(role=Message.Role.ASSISTANT, status=Message.Status.COMPLETED)
    if answers.count() > 1:  # another version of the first answer: there is a title already
        return None
    question, answer = path
    provider = conversation.model.partition("/")[0]
    try:
        standing = store.standing(conversation.owner_id, conversation.team_id)
        spec = overrides.cheapest(provider, partial(policy.allows_model, standing))
    except LookupError:  # the provisional title stays
        return None
    caller = Caller(
        user_id=conversation.owner_id, team_id=conversation.team_id, conversation_id=conversation.id
    )
    shown = f"Question:\n{question.text[:READ]}\n\nAnswer:\n{answer.text[:READ]}"
    thinking: Json | None = {"type": "disabled"} if "disabled" in spec.thinking.kinds else None
    request = MessageRequest(
        model=spec.ref,
        messages=[{"role": "user", "content": [{"type": "text", "text": shown}]}],
        max_tokens=MAX_TOKENS,
        system=INSTRUCTION.format(language=_language(conversation.owner.language)),
        thinking=thinking,
    )
    return caller, request


def _language(code: str) -> str:
    """The person's own, where they have chosen one."""
    chosen = languages.find(code)
    return chosen.name if chosen is not None else "the language of the question"


def _name(conversation_id: UUID, title: str) -> None:
    unnamed = Conversation.objects.filter(id=conversation_id, title_is_automatic=True)
    if unnamed.update(title=title):
        bell.ring(conversation_id, ["title", "sidebar"])
