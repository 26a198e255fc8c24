"""The mail server that is in force: the environment's, else the one that an admin has entered.

Every process follows a change: who sends a letter reads the row, and whether letters are sent at all is
remembered for REMEMBERED seconds at most.
"""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.mail.server import Server
from accounts.models import MailServer, User
from accounts.sealing.sealing import SealBroken

REMEMBERED = 3  # seconds
KEY = "mail-is-set-up"


def is_set_up() -> bool:
    """Whether letters are sent. Everything that needs mail asks this, each time."""
    if by_environment():
        return True
    known = cache.get(KEY)
    if known is None:
        known = MailServer.objects.exists()
        cache.set(KEY, known, REMEMBERED)
    return cast(bool, known)


def by_environment() -> bool:
    """EMAIL_URL is set: what an admin has entered rests."""
    return bool(settings.EMAIL_CONFIGURED)


def entered() -> MailServer | None:
    return MailServer.objects.first()


def opened(row: MailServer) -> Server:
    """Raises SealBroken."""
    return Server(
        host=row.host,
        port=row.port,
        security=row.security,
        sender=row.sender,
        username=row.username,
        password=row.password,
    )


def known() -> Server | None:
    """What an admin has entered; without the password where it does not open any more."""
    row = entered()
    if row is None:
        return None
    try:
        return opened(row)
    except SealBroken:
        return Server(
            host=row.host, port=row.port, security=row.security, sender=row.sender, username=row.username
        )


def keep(*, by: User, server: Server) -> bool:
    """In force from now on, for everybody; says whether anything changed."""
    with transaction.atomic():
        row = MailServer.objects.select_for_update().first()
        before = _opened(row)
        if before == server:
            return False
        old_facts, made = _facts(row), row or MailServer()
        made.host, made.port, made.security = server.host, server.port, server.security
        made.username, made.password, made.sender = server.username, server.password, server.sender
        made.changed_at = timezone.now()
        made.save()
        old, new = audit.changed(old_facts, _facts(made))
        if before is None or before.password != server.password:
            new["login_entered"] = True
        audit.record(Verb.MAIL_CHANGED, actor=by, kind="mail", name=server.host, before=old, after=new)
    forget()
    return True


def remove(*, by: User) -> bool:
    """No letters are sent any more, unless the environment names a server."""
    with transaction.atomic():
        row = MailServer.objects.select_for_update().first()
        if row is None:
            return False
        facts = _facts(row)
        row.delete()
        audit.record(Verb.MAIL_REMOVED, actor=by, kind="mail", name=str(facts["host"]), before=facts)
    forget()
    return True


def forget() -> None:
    """What is remembered of is_set_up, in this process; with Redis in all."""
    cache.delete(KEY)


def _opened(row: MailServer | None) -> Server | None:
    try:
        return opened(row) if row is not None else None
    except SealBroken:
        return None


def _facts(row: MailServer | None) -> dict[str, object]:
    """A user's name may be as secret as a password: some vendors of mail use one token as both."""
    if row is None:
        return {}
    return {
        "host": row.host,
        "port": row.port,
        "encryption": row.security,
        "signs_in": bool(row.username),
        "sender": row.sender,
    }
