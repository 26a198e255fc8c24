"""The open pages of this process: who they belong to, what they are told, whether they may still listen."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.http import parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import User

from .events import Changed
from .host import host
from .live import Window
from .notes import Change
from .reading import read

log = logging.getLogger(__name__)

LOOK_EVERY = 4.0  # seconds between looks at people's rights: a right that ended is gone within five
REMEMBER = 60.0  # seconds for which a version that was told is not told again

RESTARTING = 1012  # or the page was too slow: it comes back and says what it has
SIGNED_OUT = 4401
NO_RIGHT = 4403


@dataclass(frozen=True, slots=True)
class Pass:
    """What a socket's right to listen rests on. `password` is the stored hash: a new one ends the session."""

    user: UUID
    session: str
    password: str


class Socket(Protocol):
    granted: Pass

    def tell(self, frame: Changed) -> None: ...

    def follow_run(self, window: Window) -> None: ...

    def is_stuck(self) -> bool: ...

    async def dismiss(self, code: int) -> None: ...


_open: dict[UUID, set[Socket]] = defaultdict(set)  # by person
_looking: dict[UUID, set[Socket]] = defaultdict(set)  # by conversation
_heard: dict[UUID, tuple[int, float]] = {}  # by conversation: the version that was told, and when (monotonic)


def pass_for(headers: dict[bytes, bytes]) -> Pass | None:
    """The right to listen that a handshake's session cookie gives, or None.

    Sessions signed under an older secret key are good as well, and nothing is written: a new session key
    would be lost on the way to the browser.
    """
    cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    session = SessionStore(key)
    user = (
        User.objects.admitted().filter(id=session.get(SESSION_KEY)).first()
        if session.get(SESSION_KEY)
        else None
    )
    if user is None or session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    stored = session.get(HASH_SESSION_KEY, "")
    expected = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(stored, one) for one in expected):
        return None
    return Pass(user.id, key, user.password)


def enter(socket: Socket) -> None:
    _open[socket.granted.user].add(socket)


def leave(socket: Socket) -> None:
    _discard(_open, socket.granted.user, socket)


def look(socket: Socket, conversation: UUID) -> None:
    """From now on this page is shown the live runs of the conversation."""
    _looking[conversation].add(socket)


def look_away(socket: Socket, conversation: UUID) -> None:
    _discard(_looking, conversation, socket)


def _discard(pages: dict[UUID, set[Socket]], key: UUID, socket: Socket) -> None:
    if key in pages:
        pages[key].discard(socket)
        if not pages[key]:
            del pages[key]


def count() -> int:
    """How many pages are open here."""
    return sum(len(mine) for mine in _open.values())


def people() -> set[UUID]:
    """Those who have a page open here."""
    return set(_open)


def looked_at(conversations: Iterable[UUID]) -> list[UUID]:
    """Those of the conversations that a page here shows."""
    return [conversation for conversation in conversations if conversation in _looking]


def show(window: Window) -> None:
    """A run has begun: the pages that look at its conversation follow it at once."""
    for socket in _looking.get(window.conversation, ()):
        socket.follow_run(window)


def announce(change: Change) -> None:
    """Tells the owner's pages here of a change that the bell rang for. Notes may overtake each other."""
    version, _heard_at = _heard.get(change.conversation, (0, 0.0))
    _heard[change.conversation] = max(version, change.version), time.monotonic()
    frame = Changed(conversation=change.conversation, version=change.version, what=change.what)
    for socket in list(_open.get(change.owner, ())):
        socket.tell(frame)


def unheard(change: Change) -> bool:
    """Whether no bell has rung here for this version, or for a later one, of late."""
    version, _heard_at = _heard.get(change.conversation, (0, 0.0))
    return change.version > version


def _forget_heard() -> None:
    before = time.monotonic() - REMEMBER
    for conversation in [one for one, (_version, at) in _heard.items() if at < before]:
        del _heard[conversation]


async def watch() -> None:
    """Looks after the sockets: who may still listen, who still reads."""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        _forget_heard()
        _cut_slow_readers()
        await look_at_rights()


def _cut_slow_readers() -> None:
    for page in [page for mine in _open.values() for page in mine]:
        if page.is_stuck():
            host.spawn(page.dismiss(RESTARTING))


async def look_at_rights() -> None:
    """Closes the sockets of people who signed out, were deactivated, or changed their password."""
    pages = [page for mine in _open.values() for page in mine]
    if not pages:
        return
    try:
        verdicts = await read(partial(verdicts_on, {page.granted for page in pages}))
    except DatabaseError as error:
        log.warning("Rights of %d sockets could not be read: %s", len(pages), type(error).__name__)
        return
    for page in pages:
        if (code := verdicts.get(page.granted)) is not None:
            await page.dismiss(code)


def verdicts_on(passes: set[Pass]) -> dict[Pass, int]:
    """The close code of each pass that is no longer good, in two queries."""
    people = dict(
        User.objects.admitted().filter(id__in={one.user for one in passes}).values_list("id", "password")
    )
    sessions = set(
        Session.objects.filter(
            session_key__in={one.session for one in passes}, expire_date__gt=timezone.now()
        ).values_list("session_key", flat=True)
    )
    verdicts: dict[Pass, int] = {}
    for one in passes:
        if one.user not in people:
            verdicts[one] = NO_RIGHT
        elif one.session not in sessions or people[one.user] != one.password:
            verdicts[one] = SIGNED_OUT
    return verdicts
