"""Which run the running task answers, for the lines that it logs."""

from __future__ import annotations

from contextvars import ContextVar
from uuid import UUID

run: ContextVar[UUID | None] = ContextVar("parley_run", default=None)
