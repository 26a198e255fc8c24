"""The tokens with which people's own programs use the front door."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone

from accounts.ids import uuid7
from accounts.names import NAME_LENGTH

from .organisation import Team
from .user import User


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def for_user(self, person: User) -> Self:
        """A person's own tokens, and nobody else's."""
        return self.filter(user=person)

    def usable(self, now: datetime | None = None) -> Self:
        """Not revoked, not expired, and of a person who may still use Parley."""
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=now or timezone.now())
        return self.filter(unexpired, revoked_at=None, user__in=User.objects.admitted().values("pk"))


class AccessToken(models.Model):
    """Only the SHA-256 of the token is stored; its text is shown once, when it is made.

    `scopes` and `allowed_models` are lists of text; an empty list of models means all that the person may
    use.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=NAME_LENGTH)
    prefix = models.CharField(max_length=16, help_text="The first characters, by which its owner knows it.")
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    allowed_models = models.JSONField(default=list, blank=True)
    paying_team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="access_tokens",
        help_text="Empty: the person pays.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sha256__regex=r"^[0-9a-f]{64}$"), name="access_token_is_hashed"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @staticmethod
    def digest(token: str) -> str:
        """What is stored and looked up instead of a token's text: 64 hexadecimal characters."""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
