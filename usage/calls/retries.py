"""The policy of attempts, which is the providers library's; here it gets what the operator configured."""

from __future__ import annotations

import functools
from dataclasses import replace

from django.conf import settings

from providers import tuning
from providers.resilience_retries import Retries

__all__ = ["Retries", "configured"]

USUAL = Retries()


def configured(provider: str) -> Retries:
    """The policy for calls to this provider's models: as PARLEY_RETRIES says, or the usual one."""
    text: str = settings.PROVIDER_RETRIES
    return _by_provider(text).get(provider, USUAL) if text else USUAL


@functools.cache
def _by_provider(text: str) -> dict[str, Retries]:
    return {provider: replace(USUAL, most=most) for provider, most in tuning.retries(text).items()}
