"""Where people are signed in: beginning, being seen, and ending of their sessions.

A session ends in every process at once, because its row in the database is gone; open sockets of it are
closed within five seconds (chat.sockets).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import DeviceSession, User
from accounts.sign_in.devices import device_name

SEEN_EVERY = 5 * 60.0  # seconds between two writes of when a session was last seen, by one process
REMEMBERED = 10_000  # sessions whose last write a process knows
FORGET_BATCH = 500  # rows that one statement removes

log = logging.getLogger(__name__)
_seen: dict[str, float] = {}  # by session key: time.monotonic() of the last write


@dataclass(frozen=True, slots=True)
class Device:
    """A session as its owner sees it."""

    id: UUID
    name: str
    began: datetime
    seen: datetime
    is_here: bool


def begin(request: HttpRequest, person: User) -> None:
    """Notes a session that has just begun; after signing in, in its transaction."""
    key = request.session.session_key
    if key is None:
        return
    _remember(key)
    name = _device(request)
    DeviceSession.objects.update_or_create(session_key=key, defaults={"user": person, "device": name})


def seen(request: HttpRequest, person: User, *, was: str | None) -> None:
    """Notes that the session is in use, rarely. `was` is the key that it came with: a changed password gives
    a session another one.

    Never in the way of the answer: what cannot be written now is written later.
    """
    key = request.session.session_key
    if key is None or time.monotonic() - _seen.get(key, -SEEN_EVERY) < SEEN_EVERY:
        return
    _remember(key)
    fields = {"last_seen_at": timezone.now(), "device": _device(request), "session_key": key}
    try:
        if DeviceSession.objects.filter(user=person, session_key=was or key).update(**fields):
            return
        with transaction.atomic():
            DeviceSession.objects.get_or_create(session_key=key, defaults={**fields, "user": person})
    except DatabaseError as error:
        log.warning("When a session was last seen could not be written: %s", type(error).__name__)


def devices(person: User, here: str | None) -> list[Device]:
    """Where this person is signed in: this session first, then the one seen last. `here` is a session key."""
    rows = DeviceSession.objects.for_user(person).alive().order_by("-last_seen_at")
    found = [
        Device(row.pk, row.device, row.created_at, row.last_seen_at, row.session_key == here) for row in rows
    ]
    return sorted(found, key=lambda device: not device.is_here)


def end(*, person: User, id: UUID) -> bool:
    """Signs the person out there; False where they have no such session."""
    with transaction.atomic():
        row = DeviceSession.objects.for_user(person).filter(pk=id).first()
        if row is None:
            return False
        _end([row])
        audit.record(
            Verb.SESSION_REVOKED, actor=person, kind="session", id=row.pk, after={"device": row.device}
        )
    return True


def end_all(*, person: User, by: User | None, but: str | None = None, via: str = "") -> int:
    """Signs the person out everywhere, but for the session of this key; returns of how many."""
    with transaction.atomic():
        ended = cut(person, but=but)
        if ended:
            audit.record(
                Verb.SESSION_REVOKED,
                actor=by,
                via=via,
                kind="person",
                id=person.pk,
                after={"sessions": ended, "everywhere": but is None},
            )
    return ended


def cut(person: User, *, but: str | None = None) -> int:
    """The same for what is said in the log by another name, such as a new password."""
    return _end(list(DeviceSession.objects.for_user(person).exclude(session_key=but or "")))


def ended(request: HttpRequest) -> None:
    """Forgets the session of a request that signs out."""
    key = request.session.session_key
    if key is not None:
        DeviceSession.objects.filter(session_key=key).delete()
        _seen.pop(key, None)


def forget_expired() -> None:
    """Removes what is left of sessions that have run out, in small batches."""
    old = Session.objects.filter(expire_date__lte=timezone.now())
    while keys := list(old.values_list("pk", flat=True)[:FORGET_BATCH]):
        Session.objects.filter(pk__in=keys).delete()
    # One that has just begun may not have stored its session yet.
    settled = DeviceSession.objects.filter(created_at__lt=timezone.now() - timedelta(hours=1))
    dead = settled.exclude(session_key__in=Session.objects.values("pk"))
    while rows := list(dead.values_list("pk", flat=True)[:FORGET_BATCH]):
        DeviceSession.objects.filter(pk__in=rows).delete()


def _end(rows: list[DeviceSession]) -> int:
    """Removes them; returns how many of them were still alive."""
    keys = [row.session_key for row in rows]
    ended, _ = Session.objects.filter(pk__in=keys, expire_date__gt=timezone.now()).delete()
    Session.objects.filter(pk__in=keys).delete()
    DeviceSession.objects.filter(pk__in=[row.pk for row in rows]).delete()
    for key in keys:
        _seen.pop(key, None)
    return ended


def _device(request: HttpRequest) -> str:
    return device_name(request.META.get("HTTP_USER_AGENT", ""))


def _remember(key: str) -> None:
    if len(_seen) >= REMEMBERED:
        _seen.clear()
    _seen[key] = time.monotonic()
