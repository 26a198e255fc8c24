"""What the vendor may have answered to a message, as its script and the history that it was sent say."""

from __future__ import annotations

import json
from collections.abc import Collection

from chaos import story
from chaos.facts import Message, question_text


def possible_answers(
    message: Message, messages: dict[str, Message], continuations: Collection[str]
) -> list[str]:
    """What the vendor may answer here. Turns of a person with no words of the model's between them reach it
    as one, and any directive in it may count.
    """
    answers: list[str] = []
    above = messages.get(message.parent)
    while above is not None:
        if above.role == "user":
            answer = story.answer_to(question_text(above))
            answers += continuations if answer is None else [answer]
        elif _is_sent_back(above):
            break
        above = messages.get(above.parent)
    return answers


def _is_sent_back(message: Message) -> bool:
    """Whether the vendor sees anything of this answer: not of an empty one, nor of thinking alone."""
    blocks = json.loads(message.blocks)
    return any(block["type"] == "tool_use" or str(block.get("text", "")).strip() for block in blocks)
