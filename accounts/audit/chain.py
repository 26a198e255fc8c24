"""How the events of the audit log hold together.

    digest(n) = SHA-256(digest(n - 1) | the fields of event n, as JSON)

One locked row holds the end of the chain, so events of parallel transactions stand in one order. Checkpoints
sign a digest with a key derived from the master key: once a day, and before anything is pruned. What somebody
changes, removes or inserts in the database is found by `verify`, and whoever has no master key cannot hide it
by writing the chain anew behind a checkpoint.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.clock import database_now
from accounts.models import AuditCheckpoint, AuditEvent, AuditHead

FIELDS = ("number", "at", "actor", "via", "verb", "kind", "object", "name", "before", "after", "address")
BATCH = 1_000  # rows that one transaction removes


@dataclass(frozen=True, slots=True)
class Flaw:
    """A place where the chain does not hold, in words."""

    number: int
    words: str


def append(**fields: Any) -> AuditEvent:
    """Writes the next event. Runs in the caller's transaction, and keeps others waiting to its end."""
    AuditHead.objects.bulk_create([AuditHead()], ignore_conflicts=True)
    head = AuditHead.objects.select_for_update().get()
    event = AuditEvent(number=head.number + 1, at=database_now(), **fields)
    event.digest = digest(head.digest, event)
    event.save(force_insert=True)
    head.number, head.digest = event.number, event.digest
    head.save(update_fields=["number", "digest"])
    return event


def digest(before: str, event: AuditEvent) -> str:
    """64 hexadecimal characters."""
    fields = {name: _text(getattr(event, name)) for name in FIELDS}
    body = json.dumps([before, fields], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode()).hexdigest()


def verify() -> Iterator[Flaw]:
    """Every place where the log is not what was written; nothing where it is whole."""
    head = AuditHead.objects.first() or AuditHead()
    checkpoints = {row.number: row for row in AuditCheckpoint.objects.all()}
    for row in checkpoints.values():
        if not _is_signed(row):
            yield Flaw(row.number, "The signature of this checkpoint is not by one of the given master keys.")
    before, number = "", head.pruned
    if head.pruned:
        start = checkpoints.get(head.pruned)
        if start is None:
            yield Flaw(head.pruned, "Events up to here were removed without a checkpoint.")
        before = start.digest if start else ""
    for event in AuditEvent.objects.order_by("number").iterator(chunk_size=2_000):
        number += 1
        if event.number != number:
            yield Flaw(number, f"{event.number - number} events are missing.")
            number = event.number
        elif digest(before, event) != event.digest:
            yield Flaw(number, "This event, or the one before it, is not as it was written.")
        checkpoint = checkpoints.get(number)
        if checkpoint is not None and checkpoint.digest != event.digest:
            yield Flaw(number, "The log up to here was written anew after its checkpoint.")
        before = event.digest
    if number != head.number or before != head.digest:
        yield Flaw(head.number, f"The log ends with event {number}, but {head.number} were written.")
    if late := [row.number for row in checkpoints.values() if row.number > head.number]:
        yield Flaw(max(late), "Events were removed from the end: a later one has a checkpoint.")


def checkpoint() -> AuditCheckpoint | None:
    """Signs the end of the chain; None where nothing was written since the last one."""
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().first()
        if head is None or not head.number or AuditCheckpoint.objects.filter(number=head.number).exists():
            return None
        return AuditCheckpoint.objects.create(
            number=head.number, digest=head.digest, signature=_signature(_key(0), head.number, head.digest)
        )


def prune(until: datetime) -> int:
    """Removes the events before this moment, but never the last one; returns how many.

    The last of them keeps its signed digest, so that what follows can still be verified.
    """
    removed = 0
    while True:
        with transaction.atomic():
            head = AuditHead.objects.select_for_update().first()
            if head is None:
                return removed
            old = AuditEvent.objects.filter(at__lt=until, number__lt=head.number).order_by("number")[:BATCH]
            batch = list(old.values_list("number", "digest"))
            if not batch:
                return removed
            number, last = batch[-1]
            AuditCheckpoint.objects.update_or_create(
                number=number, defaults={"digest": last, "signature": _signature(_key(0), number, last)}
            )
            AuditHead.objects.update(pruned=number)
            AuditEvent.objects.filter(number__lte=number).delete()
            AuditCheckpoint.objects.filter(number__lt=number).delete()
            removed += len(batch)


def sign_anew() -> int:
    """Signs every checkpoint with the first master key, for when another one is about to go; returns how
    many. One whose signature does not hold is left as it is.
    """
    with transaction.atomic():
        rows = [row for row in AuditCheckpoint.objects.select_for_update() if _is_signed(row)]
        for row in rows:
            row.signature = _signature(_key(0), row.number, row.digest)
        AuditCheckpoint.objects.bulk_update(rows, ["signature"])
    return len(rows)


def _is_signed(row: AuditCheckpoint) -> bool:
    places = range(len(settings.MASTER_KEYS))
    return any(
        hmac.compare_digest(_signature(_key(place), row.number, row.digest), row.signature)
        for place in places
    )


def _key(place: int) -> bytes:
    return hmac.new(settings.MASTER_KEYS[place], b"audit", hashlib.sha256).digest()


def _signature(key: bytes, number: int, digest: str) -> str:
    return hmac.new(key, f"{number}:{digest}".encode(), hashlib.sha256).hexdigest()


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value if isinstance(value, int | str) or value is None else str(value)
