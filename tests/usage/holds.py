"""Holds and attempts made by hand, for what happens to them afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from accounts.ids import uuid7
from providers.types import Usage
from usage.calls.attempts import Attempt
from usage.clock import database_now
from usage.models import Hold
from usage.prices.pricing import Rates, Tariff

PERSON = UUID(int=7)
TARIFF = Tariff(rates=Rates(2_000_000, 10_000_000, 100_000, 2_500_000, 4_000_000), source="test")


def hold(*, seen: list[Attempt] | None = None, expires: float = 60, **fields: Any) -> Hold:
    """An open hold. A prompt token costs 2,000 nano-dollars, an answered one 10,000."""
    now = database_now()
    values = {
        "call_id": uuid7(),
        "user": PERSON,
        "run": uuid7(),
        "provider": "anthropic",
        "model": "claude-sonnet-5-5",
        "purpose": "chat",
        "credential_scope": "environment",
        "amount_nano": 10_000_000,
        "tariff": TARIFF.to_json(),
        "prompt_tokens": 100,
        "max_tokens": 1000,
        "opened_at": now,
        "renewed_until": now + timedelta(seconds=expires),
        "attempts": [attempt.to_json() for attempt in seen or []],
    }
    return Hold.objects.create(**(values | fields))


def reported(*, asked: int = 40, answered: int = 7, number: int = 1, outcome: str = "completed") -> Attempt:
    """An attempt with the vendor's final count."""
    usage = Usage.from_json({"input_tokens": asked, "output_tokens": answered})
    attempt = Attempt(number=number, asked=True, began=True, final=True, usage=usage, counted_output=answered)
    attempt.finish(outcome)
    return attempt


def cut(*, asked: int = 40, text: int = 35, number: int = 1, outcome: str | None = "stopped") -> Attempt:
    """An attempt that was left after so many bytes of text: 35 are 10 tokens. No outcome: still going on."""
    usage = Usage.from_json({"input_tokens": asked, "output_tokens": 1})
    attempt = Attempt(number=number, asked=True, began=True, usage=usage, text_bytes=text)
    if outcome is not None:
        attempt.finish(outcome)
    return attempt
