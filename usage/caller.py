"""Who makes a call, and what it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The person and the team that pays; the rest says what the call is part of.

    All but `models` are copied to the ledger. `models` are those that the call's access token is for, by
    their full references; empty: all that the person may use.
    """

    user_id: UUID
    team_id: UUID | None = None
    project_id: UUID | None = None
    conversation_id: UUID | None = None
    run_id: UUID | None = None
    token_id: UUID | None = None
    models: frozenset[str] = frozenset()
