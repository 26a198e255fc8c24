"""Tells people a week before one of their access tokens ends."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts import letters
from accounts.mail import stored as mail
from accounts.models import AccessToken

AHEAD = timedelta(days=7)


def tell() -> int:
    """A letter for each token that ends within a week and of which nobody was told, where this server sends
    mail; returns how many. One that was made for a week or less is not worth a letter.
    """
    if not mail.is_set_up():
        return 0
    now, told = timezone.now(), 0
    ending = AccessToken.objects.usable(now).filter(expires_at__lte=now + AHEAD, expiry_told_at=None)
    for token in ending.select_related("user").order_by("pk"):
        if token.expires_at is None or token.expires_at - token.created_at <= AHEAD:
            continue
        with transaction.atomic():
            mine = AccessToken.objects.filter(pk=token.pk, expiry_told_at=None)
            if not mine.update(expiry_told_at=now):
                continue
            letters.tell(
                "accounts/email/token_expiry",
                token.user.email,
                name=token.name,
                prefix=token.prefix,
                until=token.expires_at,
                path="/settings/tokens/",
            )
        told += 1
    return told
