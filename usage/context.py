"""Which call to a model the running task makes, for the lines that it logs."""

from __future__ import annotations

from contextvars import ContextVar
from uuid import UUID

call: ContextVar[UUID | None] = ContextVar("parley_call", default=None)
