"""Redis that is away: limits are counted in the process, and nothing fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config import cache
from tests.config.conftest import Serve, lines
from tests.config.servers import Redis, free_port
from tests.live import PASSWORD, Visitor


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.running() as server:
        yield server


@pytest.fixture
def counts(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[cache.RedisOrMemory]:
    """The cache, which asks Redis again at once; its memory is empty before and after."""
    monkeypatch.setattr(cache, "REST_SECONDS", 0)
    found = cache.RedisOrMemory(redis.url, {})
    yield found
    redis.stop()
    found.clear()


def test_processes_count_together_while_redis_answers(redis: Redis, counts: cache.RedisOrMemory) -> None:
    assert counts.add("attempts", 1, 60)
    assert not cache.RedisOrMemory(redis.url, {}).add("attempts", 1, 60)
    assert counts.incr("attempts") == 2
    assert redis.client().dbsize() == 1


def test_counting_goes_on_in_memory_while_redis_is_away(redis: Redis, counts: cache.RedisOrMemory) -> None:
    assert counts.add("attempts", 1, 60)
    redis.stop()
    assert counts.add("attempts", 1, 60)
    assert not counts.add("attempts", 1, 60)
    assert counts.incr("attempts") == 2
    counts.set("other", [1.5], 60)
    assert counts.get("other") == [1.5]
    assert counts.has_key("other")
    assert counts.touch("other", 60)
    assert counts.delete("other")
    assert counts.get("other", "nothing") == "nothing"


def test_redis_counts_again_once_it_is_back(redis: Redis, counts: cache.RedisOrMemory) -> None:
    redis.stop()
    counts.set("attempts", 7, 60)
    redis.start()
    assert counts.get("attempts") is None
    counts.set("attempts", 1, 60)
    redis.stop()
    assert counts.get("attempts") is None, "what was counted alone is forgotten, not found again later"


def test_a_connection_that_redis_has_cut_costs_nothing(redis: Redis, counts: cache.RedisOrMemory) -> None:
    counts.set("attempts", 1, 60)
    redis.client().client_kill_filter(_type="normal", skipme=True)
    assert counts.incr("attempts") == 2


@pytest.mark.parametrize(
    "config", [("maxmemory", "1"), ("min-replicas-to-write", "1")], ids=["full", "read-only"]
)
def test_a_redis_that_takes_nothing_is_a_redis_that_is_away(
    redis: Redis, counts: cache.RedisOrMemory, config: tuple[str, str]
) -> None:
    redis.client().config_set(*config)
    counts.set("attempts", 1, 60)
    assert redis.client().dbsize() == 0


def test_people_sign_in_and_guessers_are_stopped_without_redis(serve: Serve) -> None:
    process = serve(
        REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
        DJANGO_SETTINGS_MODULE="tests.config.limited_settings",
    )
    visitor = Visitor(process.url)
    with visitor.http:
        for attempt in range(6):
            answer = visitor.post("/login/", login="ana@example.org", password="wrong")
            assert answer.status_code == 200
            assert ("Too many attempts" in answer.text) == (attempt == 5)
        visitor.sign_in("owner@example.org", PASSWORD)
        assert visitor.http.get("/").status_code == 200
    said = [line["message"] for line in lines(process) if line["logger"] == "config.cache"]
    assert said == ["Redis does not answer (ConnectionError): this process counts alone"]
