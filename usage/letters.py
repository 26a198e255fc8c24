"""Letters to people about money, where this server can send mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.core import mail
from django.db.models import QuerySet

from accounts.models import User


def admins() -> QuerySet[User]:
    """Whom letters about the organisation are for."""
    found: QuerySet[User] = User.objects.active().filter(role__in=(User.Role.OWNER, User.Role.ADMIN))
    return found


def address(path: str, otherwise: str) -> str:
    """Where a page is, for a letter; without a public address `otherwise` says how to find it."""
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else f"in Parley, {otherwise}."


def send(subject: str, lines: Sequence[str], to: Iterable[str]) -> None:
    """One letter to each address, a paragraph for each line. Raises what the mail server brings about."""
    letters = [mail.EmailMessage(subject=subject, body="\n\n".join(lines), to=[address]) for address in to]
    mail.get_connection().send_messages(letters)
