"""Minted tokens: one mint for many callers, renewed in time; a failing mint is not asked again at once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from providers import tokens
from providers.access import Secret
from providers.errors import AuthenticationError, ConnectionFailed, ProviderError, RateLimited
from providers.tokens import Token, Tokens


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Mint:
    """Mints token-1, token-2, ... once the gate is open, or fails with what is put into `error`."""

    def __init__(self, *, expires_in: float = 1800.0, refresh_in: float | None = None) -> None:
        self.times = (expires_in, refresh_in)
        self.begun = 0
        self.starts: asyncio.Queue[int] = asyncio.Queue()
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = asyncio.Event()

    async def __call__(self) -> Token:
        self.begun += 1
        number = self.begun
        self.starts.put_nowait(number)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.error is not None:
            raise self.error
        expires_in, refresh_in = self.times
        return Token(secret=Secret(f"token-{number}"), expires_in=expires_in, refresh_in=refresh_in)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> Tokens:
    return Tokens(clock=clock, patience=60.0)


async def begun(mint: Mint, times: int = 1) -> None:
    while await mint.starts.get() < times:
        pass


def text(token: Token) -> str:
    return token.secret.reveal()


async def test_many_callers_mint_once(cache: Tokens):
    mint = Mint()
    mint.gate.clear()
    callers = [asyncio.create_task(cache.get("k", mint)) for _ in range(100)]
    await begun(mint)
    mint.gate.set()
    assert {text(token) for token in await asyncio.gather(*callers)} == {"token-1"}
    assert mint.begun == 1


async def test_keys_have_tokens_of_their_own(cache: Tokens):
    mint = Mint()
    assert [text(await cache.get(key, mint)) for key in "aba"] == ["token-1", "token-2", "token-1"]


async def test_a_token_is_renewed_five_minutes_before_its_end(cache: Tokens, clock: Clock):
    mint = Mint(expires_in=1800)
    await cache.get("k", mint)
    clock.now += 1499
    assert text(await cache.get("k", mint)) == "token-1"
    clock.now += 1
    assert text(await cache.get("k", mint)) == "token-2"


async def test_the_life_of_a_token_is_counted_from_before_it_was_minted(cache: Tokens, clock: Clock):
    mint = Mint(expires_in=1800)
    mint.gate.clear()
    caller = asyncio.create_task(cache.get("k", mint))
    await begun(mint)
    clock.now += 1500
    mint.gate.set()
    await caller
    assert text(await cache.get("k", mint)) == "token-2"


async def test_while_a_renewal_fails_the_old_token_serves_until_its_margin(cache: Tokens, clock: Clock):
    mint = Mint(expires_in=1560, refresh_in=1500)
    await cache.get("k", mint)
    mint.error = ConnectionFailed("away", sent=False)
    clock.now += 1505
    assert text(await cache.get("k", mint)) == "token-1"
    assert text(await cache.get("k", mint)) == "token-1"
    assert mint.begun == 2, "no second try at once"
    clock.now += 24  # 31 seconds are left
    assert text(await cache.get("k", mint)) == "token-1"
    assert mint.begun == 3
    clock.now += 2  # 29 seconds are left
    with pytest.raises(ConnectionFailed):
        await cache.get("k", mint)


async def test_others_do_not_wait_for_a_renewal_that_is_under_way(cache: Tokens, clock: Clock):
    mint = Mint()
    await cache.get("k", mint)
    clock.now += 1600
    mint.gate.clear()
    first = asyncio.create_task(cache.get("k", mint))
    await begun(mint, 2)
    assert text(await cache.get("k", mint)) == "token-1"
    mint.gate.set()
    assert text(await first) == "token-2"


async def test_a_slow_renewal_goes_on_behind_the_caller(clock: Clock):
    cache = Tokens(clock=clock, patience=0.0)
    mint = Mint()
    await cache.get("k", mint)
    clock.now += 1600
    mint.gate.clear()
    assert text(await cache.get("k", mint)) == "token-1"
    await begun(mint, 2)
    mint.gate.set()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    assert text(await cache.get("k", mint)) == "token-2"
    assert mint.begun == 2


async def test_a_failing_mint_is_not_stampeded(cache: Tokens, clock: Clock):
    mint = Mint()
    mint.error = AuthenticationError("refused", status=401, sent=False)
    mint.gate.clear()
    callers = [asyncio.create_task(cache.get("k", mint)) for _ in range(50)]
    await begun(mint)
    mint.gate.set()
    failures = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(error) for error in failures} == {AuthenticationError}
    assert len({id(error) for error in failures}) == 50, "each caller may change its own"
    for _ in range(50):
        with pytest.raises(AuthenticationError, match="refused") as caught:
            await cache.get("k", mint)
        assert (caught.value.status, caught.value.sent) == (401, False)
    assert mint.begun == 1
    clock.now += tokens.PAUSE
    mint.error = None
    assert text(await cache.get("k", mint)) == "token-2"


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (ConnectionFailed("away"), tokens.SHORT_PAUSE),
        (AuthenticationError("no"), tokens.PAUSE),
        (RateLimited("wait", retry_after=20.0), 20.0),
        (RateLimited("wait", retry_after=9999.0), tokens.LONGEST_PAUSE),
        (RateLimited("wait", retry_after=0.0), tokens.SHORT_PAUSE),
    ],
)
async def test_the_pause_after_a_failure(error: ProviderError, pause: float, cache: Tokens, clock: Clock):
    mint = Mint()
    mint.error = error
    for moved, begun_so_far in [(0.0, 1), (pause - 0.01, 1), (0.02, 2)]:
        clock.now += moved
        with pytest.raises(type(error)):
            await cache.get("k", mint)
        assert mint.begun == begun_so_far


async def test_a_dropped_token_is_minted_anew_once_for_all(cache: Tokens):
    mint = Mint()
    old = await cache.get("k", mint)
    assert cache.drop(old.secret)
    new = await cache.get("k", mint)
    assert not cache.drop(old.secret)  # the 401 of a call that was slower
    assert await cache.get("k", mint) is new
    assert mint.begun == 2


async def test_a_cancelled_caller_leaves_the_mint_to_the_others(cache: Tokens):
    mint = Mint()
    mint.gate.clear()
    callers = [asyncio.create_task(cache.get("k", mint)) for _ in range(3)]
    await begun(mint)
    callers[0].cancel()
    await asyncio.wait(callers[:1])
    mint.gate.set()
    assert [text(await caller) for caller in callers[1:]] == ["token-1", "token-1"]


async def test_a_mint_that_nobody_waits_for_is_given_up(cache: Tokens):
    mint = Mint()
    mint.gate.clear()
    caller = asyncio.create_task(cache.get("k", mint))
    await begun(mint)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    mint.gate.set()
    assert text(await cache.get("k", mint)) == "token-2", "who comes after it is not cancelled with it"
    assert mint.cancelled.is_set()


async def test_the_cache_is_bounded_and_keeps_what_is_used(clock: Clock):
    cache = Tokens(clock=clock, size=2)
    mint = Mint()
    for key in "abac":
        await cache.get(key, mint)
    assert mint.begun == 3
    await cache.get("a", mint)
    assert mint.begun == 3, "b was used longest ago"
    await cache.get("b", mint)
    assert mint.begun == 4


async def test_an_ended_token_is_not_kept(cache: Tokens, clock: Clock):
    mint = Mint(expires_in=600)
    ended = await cache.get("a", mint)
    clock.now += 600
    await cache.get("b", mint)
    assert not cache.drop(ended.secret), "it is there no more"


async def test_failures_are_bounded_too(clock: Clock):
    cache = Tokens(clock=clock, size=2)
    mint = Mint()
    mint.error = AuthenticationError("no")
    for key in "abca":
        with pytest.raises(AuthenticationError):
            await cache.get(key, mint)
    assert mint.begun == 4


async def test_event_loops_share_tokens_and_wait_for_none_of_each_other(cache: Tokens):
    mint = Mint()
    mint.gate.clear()
    here = asyncio.create_task(cache.get("k", mint))
    await begun(mint)
    found: list[str] = []

    def elsewhere() -> None:
        found.append(text(asyncio.run(cache.get("k", Mint()))))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert found == ["token-1"]
    mint.gate.set()
    assert text(await here) == "token-1"


async def test_an_error_that_is_none_of_ours_reaches_the_caller_and_is_not_remembered(cache: Tokens):
    mint = Mint()
    mint.error = ZeroDivisionError("a mistake")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await cache.get("k", mint)
    assert mint.begun == 2


def test_a_key_holds_no_part_of_what_it_is_for():
    secret = Secret("gho_very_secret")
    key = tokens.key("https://api.github.com", secret)
    assert key == tokens.key("https://api.github.com", Secret("gho_very_secret"))
    assert key != tokens.key("https://api.github.com", Secret("gho_other"))
    assert tokens.key("ab", "c") != tokens.key("a", "bc")
    assert "gho" not in key
    assert "very_secret" not in repr(Token(secret=secret, expires_in=1))
