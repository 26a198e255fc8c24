"""Turns holds into ledger lines, exactly once.

    open ── settle, settle_lost, sweep ──> closed     one conditional UPDATE decides who writes the lines

Whoever comes second writes nothing, unless it knows better: the vendor's numbers for an attempt that was
settled by estimate become a `corrected` line with the signed differences; a larger estimate adds its
difference as estimated. A hold is never merely freed: a call whose process was lost is charged by what its
hold last stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction

from providers.types import Usage
from usage import rows
from usage.budgets import budgets
from usage.budgets.periods import counted, sharing_ledger
from usage.calls.attempts import Attempt
from usage.calls.rates import UNKNOWN_RATE, output_rate
from usage.calls.routes import held_route, index_of
from usage.clock import database_now, organisation_day
from usage.ledger import rollup
from usage.models import Hold, LedgerLine, Outcome, Payer, Source, estimated_attempts
from usage.prices.pricing import Tariff, cost_nano

SWEEP_AT_ONCE = 10
FOR_EVER = timedelta(days=36_500)
LOST = "process_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a call came to, all attempts and corrections together; estimated if any part of it is."""

    cost_nano: int
    usage: Usage
    source: Literal["reported", "estimated"]
    outcome: str


def settle(hold: Hold, attempts: Sequence[Attempt]) -> Settlement:
    """Closes the hold with these attempts; or adds what an earlier settlement did not know. One transaction.

    Safe to run again: the second run finds nothing that it knows better.
    """
    with transaction.atomic(savepoint=False):  # there is nothing that a caller could save of half of it
        closed_at = _close(hold)
        if closed_at is not None:
            lines = [_line(hold, attempt, closed_at) for attempt in attempts]
            _write([hold], [(hold, lines)])
            return _settlement(lines)
        now = database_now()
        Hold.objects.select_for_update().get(pk=hold.pk)  # later settlers queue here
        before = list(LedgerLine.objects.filter(call_id=hold.call_id).order_by("id"))
        better = _better(hold, attempts, before, now)
        _write([], [(hold, better)])
        return _settlement([*before, *better])


def settle_lost(call_id: UUID, seen: Usage | None) -> Settlement | None:
    """Settles a call whose process was lost, from the larger of what its hold stored and what else was seen
    of it.

    The result is an estimate, or what was settled before. None: there is no such call. (`seen_usage` makes
    `seen` from a message that was received in part.)
    """
    with transaction.atomic():
        hold = Hold.objects.select_for_update().filter(call_id=call_id).first()
        return settle(hold, _lost_attempts(hold, seen)) if hold is not None else None


def sweep_expired(now: datetime | None = None) -> int:
    """Settles every open hold that nobody has renewed in time, as estimated; returns how many.

    `now` is the database's time if not given. In small transactions; inside another one it is one long one.
    """
    moment, settled = now or database_now(), 0
    while (swept := sweep_some(moment)) is not None:
        settled += swept
    return settled


def sweep_all() -> int:
    """Settles every open hold, renewed or not: for the start of a server that knows that it is alone."""
    return sweep_expired(database_now() + FOR_EVER)


def sweep_some(moment: datetime) -> int | None:
    """Settles a few of the holds that expired before this moment; returns how many, None when there are
    none.
    """
    expired = Hold.objects.filter(state=Hold.State.OPEN, renewed_until__lt=moment)
    found = list(expired.order_by("renewed_until")[:SWEEP_AT_ONCE])
    with transaction.atomic():
        ours = [
            (hold, closed_at)
            for hold in sorted(found, key=lambda hold: hold.pk)
            if (closed_at := _close(hold, expired_before=moment)) is not None
        ]
        _write(
            [hold for hold, _ in ours],
            [
                (hold, [_line(hold, lost, closed_at) for lost in _lost_attempts(hold, None)])
                for hold, closed_at in ours
            ],
        )
    return len(ours) if found else None


def _close(hold: Hold, *, expired_before: datetime | None = None) -> datetime | None:
    """When we have closed it, by the database's time; None where it is not we who did."""
    of_database = connection.vendor == "postgresql"
    now = None if of_database else database_now()
    values = [] if now is None else [rows.prepared(Hold, "closed_at", now)]
    statement = (
        f"UPDATE {rows.quoted(Hold._meta.db_table)} SET state = 'closed', "  # noqa: S608
        f"closed_at = {'clock_timestamp()' if of_database else '%s'} WHERE id = %s AND state = 'open'"
    )
    values.append(rows.prepared(Hold, "id", hold.pk))
    if expired_before is not None:
        statement += " AND renewed_until < %s"
        values.append(rows.prepared(Hold, "renewed_until", expired_before))
    if now is not None:
        return now if rows.run(statement, *values) == 1 else None
    closed = rows.first(f"{statement} RETURNING closed_at", *values)
    return closed[0] if closed else None


def _write(closed: Sequence[Hold], written: Sequence[tuple[Hold, Sequence[LedgerLine]]]) -> None:
    """Writes the lines of each hold and moves what counts them: once in a transaction, for each counter locks
    its rows in an order that all transactions share.
    """
    lines = [line for _, mine in written for line in mine]
    paid = [(hold, mine) for hold, mine in written if mine]
    answers = rows.together(
        [
            *sharing_ledger(),
            *map(rows.inserting, lines),
            *rollup.adding(lines),
            *(budgets.counting(hold) for hold, _ in paid),
        ]
    )
    rollup.outdate_late(lines)
    periods = [counted(answer) for answer in answers[len(answers) - len(paid) :]]
    budgets.settle(closed, [(mine, found) for (_, mine), found in zip(paid, periods, strict=True)])


def _lost_attempts(hold: Hold, seen: Usage | None) -> list[Attempt]:
    """The hold's attempts as last stored, the last one with what else was seen of it; none of them came to
    its end.
    """
    if hold.state == Hold.State.CLOSED:  # what was settled is newer than what the hold stored
        latest = LedgerLine.objects.filter(call_id=hold.call_id).order_by("-attempt").first()
        attempts = [
            Attempt(number=latest.attempt, route=index_of(hold, latest)) if latest else Attempt(number=1)
        ]
    else:
        attempts = [Attempt.from_json(stored) for stored in hold.attempts] or [Attempt(number=1)]
    last = attempts[-1]
    if seen is not None and seen.output_tokens and last.duration_ms is not None and not last.said_anything():
        # What was seen belongs to a later attempt, which the hold had not stored yet.
        last = Attempt(number=last.number + 1, route=last.route, asked=True)
        attempts.append(last)
    if last.duration_ms is None:
        last.outcome, last.error = Outcome.INTERRUPTED, LOST
    if seen is not None:
        last.usage = _larger(last.usage, seen)
        last.counted_output = max(last.counted_output, seen.output_tokens)
    return attempts


def _larger(one: Usage, other: Usage) -> Usage:
    larger = {name: max(getattr(one, name), getattr(other, name)) for name in LedgerLine.BUCKETS}
    names = {
        name: getattr(other, name) or getattr(one, name)
        for name in ("service_tier", "speed", "inference_geo")
    }
    return replace(one, **larger, **names, doubtful=one.doubtful & other.doubtful)


def _line(hold: Hold, attempt: Attempt, now: datetime) -> LedgerLine:
    route = held_route(hold, attempt.route)
    tariff = route.tariff
    thought = attempt.thinking_seconds > 0 and not attempt.final
    usage, source = attempt.charge(
        prompt_tokens=route.prompt_tokens,
        max_tokens=route.max_tokens,
        output_rate=output_rate(route.provider, route.model) if thought else UNKNOWN_RATE,
        hour_cache=tariff.asked_hour_cache,
    )
    payer = {name: getattr(hold, name) for name in Payer.PAYER} | {
        "provider": route.provider,
        "credential": route.credential,
        "credential_scope": route.credential_scope,
    }
    return LedgerLine(
        **payer,
        **{name: getattr(usage, name) for name in LedgerLine.BUCKETS},
        call_id=hold.call_id,
        attempt=attempt.number,
        accounted_at=hold.opened_at,
        day=organisation_day(hold.opened_at),
        written_at=now,
        model_asked=route.model,
        model_served=attempt.model_served,
        service_tier=(usage.service_tier or "")[:32],
        speed=(usage.speed or "")[:32],
        inference_geo=(usage.inference_geo or "")[:32],
        price_source=tariff.source,
        price_id=tariff.price_id,
        cost_nano=cost_nano(usage, tariff),
        source=source,
        outcome=attempt.outcome,
        error=attempt.error,
        ttft_ms=attempt.ttft_ms,
        duration_ms=attempt.duration_ms,
        vendor_request_id=attempt.request_id,
    )


def _better(
    hold: Hold, attempts: Sequence[Attempt], before: Sequence[LedgerLine], now: datetime
) -> list[LedgerLine]:
    """The lines that make the ledger know what these attempts know and it did not."""
    lines = []
    for attempt in attempts:
        line = _line(hold, attempt, now)
        known = [earlier for earlier in before if earlier.attempt == attempt.number]
        if not known:
            lines.append(line)
        elif not estimated_attempts(known):
            continue
        elif line.source == Source.REPORTED:
            lines.append(_difference(line, known, Source.CORRECTED))
        elif _raised(line, known, held_route(hold, attempt.route).tariff):
            lines.append(_difference(line, known, Source.ESTIMATED))
    return lines


def _raised(line: LedgerLine, known: Sequence[LedgerLine], tariff: Tariff) -> bool:
    """Raises an estimate to the larger of itself and what is known, number by number, with the cost of that.

    Says whether it costs more than what is known.
    """
    for name in LedgerLine.BUCKETS:
        setattr(line, name, max(getattr(line, name), sum(getattr(earlier, name) for earlier in known)))
    usage = Usage(
        **{name: getattr(line, name) for name in LedgerLine.BUCKETS},
        service_tier=line.service_tier or None,
        speed=line.speed or None,
        inference_geo=line.inference_geo or None,
    )
    line.cost_nano = cost_nano(usage, tariff)
    return line.cost_nano > sum(earlier.cost_nano for earlier in known)


def _difference(line: LedgerLine, known: Sequence[LedgerLine], source: Source) -> LedgerLine:
    for name in (*LedgerLine.BUCKETS, "cost_nano"):
        setattr(line, name, getattr(line, name) - sum(getattr(earlier, name) for earlier in known))
    line.line = max(earlier.line for earlier in known) + 1
    line.source = source
    return line


def _settlement(lines: Sequence[LedgerLine]) -> Settlement:
    ordered = sorted(lines, key=lambda line: (line.attempt, line.line))
    sums: dict[str, Any] = {name: sum(getattr(line, name) for line in lines) for name in LedgerLine.BUCKETS}
    last = ordered[-1]
    usage = Usage(
        **sums,
        service_tier=last.service_tier or None,
        speed=last.speed or None,
        inference_geo=last.inference_geo or None,
    )
    return Settlement(
        cost_nano=sum(line.cost_nano for line in lines),
        usage=usage,
        source="estimated" if estimated_attempts(lines) else "reported",
        outcome=last.outcome,
    )
