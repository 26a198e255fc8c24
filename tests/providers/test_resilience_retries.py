from __future__ import annotations

import pytest

from providers.errors import (
    AuthenticationError,
    BillingError,
    ConnectionFailed,
    InterruptedStream,
    InvalidRequest,
    Overloaded,
    ProviderError,
    RateLimited,
    ServerError,
)
from providers.resilience_retries import Retries

RETRIES = Retries(jitter=lambda: 0.0)


@pytest.mark.parametrize("error", [RateLimited(), Overloaded(), ServerError(), ConnectionFailed(sent=False)])
def test_what_may_pass_is_tried_twice_more_with_growing_pauses(error: ProviderError) -> None:
    pauses = [RETRIES.pause(error, attempts=made, billed=0) for made in (1, 2, 3)]
    assert pauses == [0.5, 1.0, None]


@pytest.mark.parametrize("error", [AuthenticationError(), BillingError(), InvalidRequest()])
def test_what_waiting_does_not_mend_is_not_tried_again(error: ProviderError) -> None:
    assert RETRIES.pause(error, attempts=1, billed=0) is None


def test_pauses_grow_to_a_most_and_jitter_makes_them_shorter_by_a_quarter() -> None:
    many = Retries(most=20, jitter=lambda: 1.0)
    assert many.pause(ServerError(), attempts=1, billed=0) == 0.5 * 0.75
    assert many.pause(ServerError(), attempts=15, billed=0) == 8.0 * 0.75


@pytest.mark.parametrize(("asked", "pause"), [(0.0, 0.0), (0.25, 0.25), (60.0, 60.0), (60.5, None)])
def test_the_providers_wait_is_obeyed_up_to_a_minute(asked: float, pause: float | None) -> None:
    assert RETRIES.pause(RateLimited(retry_after=asked), attempts=1, billed=0) == pause


def test_a_wait_that_was_asked_for_is_never_cut_short_by_jitter() -> None:
    late = Retries(jitter=lambda: 1.0)
    assert late.pause(RateLimited(retry_after=7.0), attempts=1, billed=0) == 7.25


def test_what_may_have_been_billed_is_tried_once_more() -> None:
    assert RETRIES.pause(InterruptedStream(), attempts=1, billed=1) == 0.5
    assert RETRIES.pause(InterruptedStream(), attempts=2, billed=2) is None
