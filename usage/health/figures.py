"""Figures of calls by credential, from the ledger's own lines.

What counts as a call here is one attempt at a provider: the first line of an attempt that the provider was
asked for. Of these

    succeeded   completed, declined by the model, or stopped by a person once content had come
    failed      ended by an error of the provider, of the way to it, or of the credential
    neither     a request that was wrong, a stop before any content, a fault of this server's own

and the success rate is succeeded / (succeeded + failed).

*Recent degradation*: of the last 15 minutes against a longer period that holds them, either
- at least 10 calls that succeeded or failed, and a success rate lower by 10 points or more; or
- at least 10 calls with content, and a 95th percentile of the time to it at least twice as long and at least
  one second longer.
Percentiles are nearest-rank: the smallest value that so many of all values do not exceed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from providers.resilience import OURS
from usage.calls.settlement import LOST
from usage.models import LedgerLine, Outcome, Source

RECENT = timedelta(minutes=15)
LEAST_CALLS = 10
WORSE_POINTS = 0.10
WORSE_TIMES, WORSE_MS = 2, 1000
# Errors of attempts that say nothing of the provider.
WRONG_REQUESTS = ("invalid_request_error", "request_too_large", "unsupported")
NOT_THEIRS = (*WRONG_REQUESTS, *sorted(OURS), "internal_error", LOST)

SUCCEEDED = Q(outcome__in=[Outcome.COMPLETED, Outcome.REFUSED]) | Q(
    outcome=Outcome.STOPPED, ttft_ms__isnull=False
)
FAILED = Q(outcome__in=[Outcome.FAILED, Outcome.INTERRUPTED]) & ~Q(error__in=NOT_THEIRS)

Place = tuple[str, str]
"""A provider, and the id of a credential, or where it comes from when there is no row of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of some calls. Times are milliseconds, None where there were none; `timed` calls had one."""

    calls: int = 0
    succeeded: int = 0
    failed: int = 0
    timed: int = 0
    first_p50: int | None = None
    first_p95: int | None = None
    tokens_per_second: float | None = None

    @property
    def success_rate(self) -> float | None:
        """From 0 to 1; None while nothing succeeded or failed."""
        judged = self.succeeded + self.failed
        return self.succeeded / judged if judged else None


def figures(now: datetime, length: timedelta) -> tuple[dict[Place, Figures], dict[Place, Figures]]:
    """The figures of the whole period and of its last minutes, by credential. One query."""
    found: dict[str, dict[Place, Figures]] = {"whole": {}, "recent": {}}
    statements, values = [], list[Any]()
    for name, since in (("whole", now - length), ("recent", now - min(RECENT, length))):
        # Django's own compiler writes the filters; what it cannot say is the percentiles around them.
        lines, parameters = _judged(attempts(since)).query.sql_with_params()
        statements.append(_RANKED.format(name=name, lines=lines))
        values += parameters
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(statements), values)
        for name, provider, credential, scope, *numbers in cursor.fetchall():
            calls, succeeded, failed, timed, p50, p95, tokens, spent = numbers
            found[name][provider, id_text(credential) or scope] = Figures(
                calls=calls,
                succeeded=succeeded,
                failed=failed,
                timed=timed,
                first_p50=p50,
                first_p95=p95,
                tokens_per_second=float(tokens) * 1000 / float(spent) if spent else None,
            )
    return found["whole"], found["recent"]


def attempts(since: datetime) -> QuerySet[LedgerLine]:
    """The first line of every attempt that a provider was asked for, of calls since then."""
    return LedgerLine.objects.filter(accounted_at__gte=since, line=0).exclude(error__in=OURS)


def degradation(recent: Figures, whole: Figures) -> str:
    """What became clearly worse lately, as a phrase; "" when nothing did. The module says what counts."""
    if recent.calls >= whole.calls:  # nothing older to compare with
        return ""
    judged = recent.succeeded + recent.failed
    if judged >= LEAST_CALLS and recent.success_rate is not None and whole.success_rate is not None:
        if whole.success_rate - recent.success_rate >= WORSE_POINTS:
            return f"{recent.failed} of the last {judged} calls failed"
    if recent.timed >= LEAST_CALLS and recent.first_p95 is not None and whole.first_p95 is not None:
        longer = recent.first_p95 - whole.first_p95
        if longer >= WORSE_MS and recent.first_p95 >= WORSE_TIMES * whole.first_p95:
            return "answers begin much later than before"
    return ""


def id_text(credential: Any) -> str:
    """An id as a cursor gives it, which differs between databases, as text; "" for none."""
    return str(UUID(str(credential))) if credential else ""


# {lines} is a query of ours whose values are parameters; {name} is a word of this module.
_RANKED = """
SELECT '{name}', provider, credential, credential_scope, COUNT(*), SUM(succeeded), SUM(failed), MAX(timed),
    MIN(CASE WHEN ttft_ms IS NOT NULL AND place * 100 >= timed * 50 THEN ttft_ms END),
    MIN(CASE WHEN ttft_ms IS NOT NULL AND place * 100 >= timed * 95 THEN ttft_ms END),
    SUM(CASE WHEN answered = 1 AND duration_ms > ttft_ms THEN output_tokens ELSE 0 END),
    SUM(CASE WHEN answered = 1 AND duration_ms > ttft_ms THEN duration_ms - ttft_ms ELSE 0 END)
FROM (
    SELECT attempt.*,
        COUNT(ttft_ms) OVER (PARTITION BY provider, credential, credential_scope) AS timed,
        ROW_NUMBER() OVER (
            PARTITION BY provider, credential, credential_scope, ttft_ms IS NULL ORDER BY ttft_ms
        ) AS place
    FROM ({lines}) attempt
) ranked
GROUP BY provider, credential, credential_scope
"""


def _judged(lines: QuerySet[LedgerLine]) -> Any:
    """The lines as rows of the columns that _RANKED reads."""
    answered = Q(outcome=Outcome.COMPLETED, source=Source.REPORTED, ttft_ms__isnull=False)
    flags = {
        name: Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())
        for name, condition in (("succeeded", SUCCEEDED), ("failed", FAILED), ("answered", answered))
    }
    columns = ("provider", "credential", "credential_scope", "ttft_ms", "duration_ms", "output_tokens")
    return lines.annotate(**flags).values(*columns, *flags)
