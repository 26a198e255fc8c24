"""How long conversations are kept: so many days after their last change, or always.

What is over is hidden at once, for its owner as for everybody, and removed from the database an hour later
at the soonest: nothing that began before can still be under way then. A conversation in which an answer is
being written, or waits, stays until that has ended. The ledger, and every figure made of it, is not touched.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, Min, OuterRef, QuerySet

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.clock import database_now
from accounts.models import Organisation
from usage.writer import write_turn

from . import bell
from .models import Conversation, Run
from .removal import remove

FEWEST_DAYS, MOST_DAYS = 1, 3650
HIDDEN_FOR = timedelta(hours=1)
AT_ONCE = 50  # conversations hidden in one transaction
LONGEST = 240.0  # seconds; the duty goes on the next time

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would go at once; `oldest` is the last change of the one that lies longest."""

    conversations: int
    people: int
    oldest: datetime | None


def outlook(days: int) -> Outlook:
    """Of keeping conversations for so many days. One query."""
    found = _over(days).aggregate(
        conversations=Count("pk"), people=Count("owner", distinct=True), oldest=Min("changed_at")
    )
    return Outlook(**found)


def enforce(*, seconds: float = LONGEST) -> None:
    """Hides what is over, and removes what has been hidden long enough. May be stopped anywhere."""
    until = time.monotonic() + seconds
    organisation = Organisation.current()
    if organisation is not None and organisation.retention_days is not None:
        for batch in _batches(organisation.retention_days):
            _hide(batch, organisation.retention_days)
            if time.monotonic() > until:
                return
    hidden = Conversation.objects.filter(version=0, changed_at__lt=database_now() - HIDDEN_FOR)
    for conversation in list(hidden.order_by("changed_at").values_list("id", flat=True)):
        remove(conversation)
        if time.monotonic() > until:
            return


def _over(days: int) -> QuerySet[Conversation]:
    live = Exists(Run.objects.filter(conversation=OuterRef("pk"), status__in=Run.LIVE))
    before = database_now() - timedelta(days=days)
    return Conversation.objects.filter(~live, version__gt=0, changed_at__lt=before)


def _batches(days: int) -> Iterator[list[UUID]]:
    ids = list(_over(days).order_by("changed_at").values_list("id", flat=True))
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]


def _hide(ids: list[UUID], days: int) -> None:
    """Those of them that are still over. From now on nobody finds them; their owners' lists grow shorter."""
    now, batch = database_now(), Conversation.objects.filter(pk__in=ids)
    versions = dict(batch.values_list("id", "version"))
    over = _over(days).filter(pk__in=ids)
    with write_turn(), transaction.atomic():
        # Whoever has gone on since has changed it: then it is not over.
        hidden = over.update(version=0, changed_at=now)
        if hidden:
            for id, owner in batch.filter(version=0, changed_at=now).values_list("id", "owner_id"):
                bell.gone(id, owner, versions[id])
            audit.record(
                Verb.CONVERSATIONS_REMOVED,
                actor=None,
                kind="conversations",
                after={"conversations": hidden, "kept_days": days},
            )
    log.info("%d conversations are over, after %d days without a change", hidden, days)
