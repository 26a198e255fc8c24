"""What a conversation has cost, by branch and by model, with what was done in the background beside it.

The sums are those of the ledger by the conversation's id: deleted branches, attempts that failed and
corrections count. A fork has an id of its own, and so only what was asked in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from usage.reports.conversation_calls import ConversationCall, calls_of

from . import tree
from .models import Conversation

ANSWERS = "chat"  # the purpose of calls that write answers; all others are made in the background
SHOWN = 10  # calls of a sum that are listed at first


@dataclass(frozen=True, slots=True)
class Costs:
    """A sum with the calls that it stands for, the newest first. `shown` says how many are listed."""

    calls: list[ConversationCall]
    shown: int | None = SHOWN

    @property
    def cost_nano(self) -> int:
        return sum(call.cost_nano for call in self.calls)

    @property
    def input(self) -> int:
        return sum(call.input for call in self.calls)

    @property
    def cached(self) -> int:
        return sum(call.cached for call in self.calls)

    @property
    def output(self) -> int:
        return sum(call.output for call in self.calls)

    @property
    def count(self) -> int:
        return len({call.call_id for call in self.calls})

    @property
    def estimated(self) -> int:
        """How many calls have estimated numbers."""
        return len({call.call_id for call in self.calls if call.is_estimated})

    @property
    def listed(self) -> list[ConversationCall]:
        return self.calls[: self.shown]

    @property
    def more(self) -> int:
        """How many calls are not listed."""
        return len(self.calls) - len(self.listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationCosts:
    """`branch`, `others` and `background` (by purpose) add up to `whole`, and so does `models` (by ref)."""

    whole: Costs
    branch: Costs
    others: Costs
    background: list[tuple[str, Costs]]
    models: list[tuple[str, Costs]]


def of(conversation: Conversation, *, every: bool = False) -> ConversationCosts:
    """`every`: all calls are listed. Two queries."""
    calls = calls_of(conversation.id)
    shown = tree.runs_on(conversation.head_id) if conversation.head_id else set()
    limit = None if every else SHOWN
    answers = [call for call in calls if call.purpose == ANSWERS]
    return ConversationCosts(
        whole=Costs(calls, limit),
        branch=Costs([call for call in answers if call.run in shown], limit),
        others=Costs([call for call in answers if call.run not in shown], limit),
        background=_by([call for call in calls if call.purpose != ANSWERS], lambda call: call.purpose, limit),
        models=_by(calls, lambda call: call.model, limit),
    )


def _by(
    calls: list[ConversationCall], key: Callable[[ConversationCall], Any], limit: int | None
) -> list[tuple[str, Costs]]:
    """The dearest group first."""
    groups: dict[str, list[ConversationCall]] = {}
    for call in calls:
        groups.setdefault(key(call), []).append(call)
    found = [(name, Costs(own, limit)) for name, own in groups.items()]
    return sorted(found, key=lambda group: (-group[1].cost_nano, group[0]))
