"""Who the running task works for, for the lines that it logs; HTTP requests say so by themselves."""

from __future__ import annotations

from contextvars import ContextVar
from uuid import UUID

person: ContextVar[UUID | None] = ContextVar("parley_person", default=None)
