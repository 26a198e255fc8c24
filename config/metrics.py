"""`/metrics`, for Prometheus: calls to models, live runs, sockets, journal, process (docs/metrics.md).

Answered before Django, like the probes, and without the database: what cannot be counted in this process is
not told here. Each process tells of itself.

Who may read it: whoever shows PARLEY_METRICS_TOKEN as a Bearer. Without that setting only this machine, and
only directly: through a proxy everybody would come from this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from chat import drain, sockets
from chat.host import host
from chat.journal import committer
from providers import registry, resilience
from providers.access import Secret
from usage.calls.open_calls import open_calls
from usage.health.metrics import OTHER, CallMetrics
from usage.writer import writer

COMMIT_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STATES = ("closed", "half_open", "open")
# A proxy sets one of these; then the address that is seen is the proxy's.
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

REFUSED = "Show the token of PARLEY_METRICS_TOKEN as a Bearer.\n"
LOCAL_ONLY = "Without PARLEY_METRICS_TOKEN this is for this machine alone.\n"

# A registry of our own: what libraries register in the default one is not shown.
collected = CollectorRegistry()
ProcessCollector(namespace="parley", registry=collected)
calls = CallMetrics(collected)
commits = Histogram(
    "parley_commit_seconds",
    "Transactions of the writers, with the wait for their turn. writer: journal (live answers), money.",
    ("writer",),
    buckets=COMMIT_SECONDS,
    registry=collected,
)


def start() -> None:
    """From now on this process counts. Once is enough."""
    calls.listen()
    for name, watched in (("journal", committer), ("money", writer)):
        watched.watch = partial(_committed, commits.labels(name))


def _committed(histogram: Histogram, _pieces: int, seconds: float) -> None:
    histogram.observe(seconds)


async def exposed(scope: Any, send: Any) -> None:
    """Answers one scrape. The figures are taken on the event loop, the text is made beside it."""
    refusal = _refusal(scope)
    if scope["method"] not in {"GET", "HEAD"}:
        await _send(scope, send, 405, b"", [(b"allow", b"GET, HEAD")])
    elif refusal is not None:
        status, text, headers = refusal
        await _send(scope, send, status, text.encode(), headers)
    else:
        sample = [*runs(), *resilient(), *accounts()]
        encode, kind = choose_encoder(_header(scope, b"accept"))
        body = await asyncio.to_thread(encode, Scrape(sample))
        await _send(scope, send, 200, body, [], kind)


class Scrape:
    """What one scrape shows: the counted, and a sample of what stands at this moment."""

    def __init__(self, sample: Iterable[Metric]) -> None:
        self._sample = sample

    def collect(self) -> Iterator[Metric]:
        for metric in (*collected.collect(), *self._sample):
            # When a series began says nothing that is worth a series of its own.
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric


def runs() -> Iterator[Metric]:
    """Live runs, their followers, open pages, the journal and the bell. On the event loop."""
    live = list(host.runs.values())
    followers = sum(len(one.followers) for one in (*live, *host.distant.windows.values()))
    yield _gauge("parley_live_runs", "Answers that this process writes now.", len(live))
    yield _gauge("parley_followed_runs", "Answers of other processes shown here.", len(host.distant.windows))
    yield _gauge("parley_followers", "Open pages that follow an answer, by answer.", followers)
    yield _gauge("parley_sockets", "Open pages of this process.", sockets.count())
    waiting = sum(len(one.pending) for one in live)
    yield _gauge("parley_journal_pending_events", "Events received and not stored yet.", waiting)
    yield _counter("parley_journal_rows", "Rows of the journal stored.", host.journal.rows)
    yield _counter("parley_journal_bytes", "Bytes of the journal stored.", host.journal.bytes)
    yield _counter("parley_bell_notes", "Notes sent to other processes.", host.notes.sent)
    yield _gauge("parley_draining", "1 while the process ends its service.", int(drain.draining()))


def resilient() -> Iterator[Metric]:
    """Circuit breakers, cool-downs and queues, by provider."""
    breakers = GaugeMetricFamily(
        "parley_breakers", "Credentials by the state of their circuit breaker.", labels=["provider", "state"]
    )
    cooling = GaugeMetricFamily(
        "parley_cooling_models", "Models that rest after 429 or 529, by credential.", labels=["provider"]
    )
    queued = GaugeMetricFamily(
        "parley_queued_calls", "Calls that wait for their turn at the rate limiter.", labels=["provider"]
    )
    shots = [guard.snapshot() for guard in resilience.everywhere()]
    for provider in sorted({_provider(shot.key.provider) for shot in shots}):
        mine = [shot for shot in shots if _provider(shot.key.provider) == provider]
        for state in STATES:
            breakers.add_metric([provider, state], sum(shot.state == state for shot in mine))
        cooling.add_metric([provider], sum(len(shot.cooling) for shot in mine))
        queued.add_metric([provider], sum(shot.waiting for shot in mine))
    yield from (breakers, cooling, queued)


def accounts() -> Iterator[Metric]:
    """Calls under way, whose holds this process keeps open. On the event loop."""
    mine = open_calls()
    yield _gauge("parley_open_calls", "Calls under way; each keeps a hold open.", len(mine))
    yield _gauge("parley_unsettled_calls", "Ended calls that wait for the database.", mine.unsettled)


def _refusal(scope: Any) -> tuple[int, str, list[tuple[bytes, bytes]]] | None:
    token: Secret | None = settings.METRICS_TOKEN
    if token is None:
        return None if _is_local(scope) else (403, LOCAL_ONLY, [])
    kind, _, shown = _header(scope, b"authorization").partition(" ")
    if kind.lower() == "bearer" and shown and Secret(shown) == token:
        return None
    return 401, REFUSED, [(b"www-authenticate", b"Bearer")]


def _is_local(scope: Any) -> bool:
    """Whether somebody on this machine asks, by a name of this machine and not through a proxy."""
    names = {name for name, _ in scope["headers"]}
    address = (scope.get("client") or ("",))[0]
    host_name = _header(scope, b"host").lower()
    name = host_name if host_name.endswith("]") else host_name.rpartition(":")[0] or host_name
    try:
        near = ip_address(address).is_loopback
    except ValueError:
        near = False
    return near and name in LOCAL_NAMES and not names & FORWARDED


def _header(scope: Any, name: bytes) -> str:
    """The header's only value; "" for none or several."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else ""


def _provider(slug: str) -> str:
    return slug if registry.provider(slug) is not None else OTHER


def _gauge(name: str, says: str, value: int) -> Metric:
    return GaugeMetricFamily(name, says, value=value)


def _counter(name: str, says: str, value: int) -> Metric:
    return CounterMetricFamily(name, says, value=value)


async def _send(
    scope: Any,
    send: Any,
    status: int,
    body: bytes,
    headers: list[tuple[bytes, bytes]],
    kind: str = "text/plain",
) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})
