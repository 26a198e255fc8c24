"""Ledger lines made by hand, for what is read from them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.ids import uuid7
from usage.models import LedgerLine

PERSON = UUID(int=7)


def line(*, ago: float = 60.0, **fields: Any) -> LedgerLine:
    """A completed call of the environment's Anthropic key, so many seconds ago."""
    moment = timezone.now() - timedelta(seconds=ago)
    values = {
        "user": PERSON,
        "credential_scope": "environment",
        "provider": "anthropic",
        "purpose": "chat",
        "call_id": uuid7(),
        "attempt": 1,
        "accounted_at": moment,
        "day": moment.date(),
        "written_at": moment + timedelta(seconds=5),
        "model_asked": "claude-sonnet-5-5",
        "price_source": "test",
        "cost_nano": 0,
        "source": "reported",
        "outcome": "completed",
        "ttft_ms": 800,
        "duration_ms": 2800,
        "output_tokens": 100,
    }
    return LedgerLine.objects.create(**values | fields)


def failed(error: str = "api_error", **fields: Any) -> LedgerLine:
    return line(**{"outcome": "failed", "error": error, "ttft_ms": None, "output_tokens": 0} | fields)
