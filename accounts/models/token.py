"""The tokens with which people's own programs use the front door."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.utils import timezone

from accounts.ids import uuid7
from accounts.names import NAME_LENGTH

from .organisation import Membership, Organisation, Team
from .user import User

CLIENT_LENGTH = 120  # characters of what a program says of itself
LONGEST_TEXT = 200  # characters of a token that are looked at; ours are shorter


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def for_user(self, person: User) -> Self:
        """A person's own tokens, and nobody else's."""
        return self.filter(user=person)

    def live(self) -> Self:
        """Not revoked; expired ones too."""
        return self.filter(revoked_at=None)

    def with_standing(self) -> Self:
        """With all that decides whether they may be used now (accounts.tokens.standing), in one query."""
        members = Membership.objects.filter(user=models.OuterRef("user"), team=models.OuterRef("paying_team"))
        return self.select_related("user", "paying_team").annotate(
            in_paying_team=models.Exists(members),
            policy=models.Subquery(Organisation.objects.values("policy")[:1]),
        )

    def usable(self, now: datetime | None = None) -> Self:
        """Not revoked, not expired, and of a person who may still use Parley."""
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=now or timezone.now())
        return self.live().filter(unexpired, user__in=User.objects.admitted().values("pk"))


class AccessToken(models.Model):
    """Only the SHA-256 of the token is stored; its text is shown once, when it is made.

    `scopes` and `allowed_models` are lists of text; an empty list of models means all that the person may
    use. Models are full references, "provider/model". Where and with what it was last used is written at most
    once a minute (accounts.tokens.uses).
    """

    class Scope(models.TextChoices):
        MESSAGES = "messages", "Messages"
        COUNT_TOKENS = "count_tokens", "Count tokens"
        MODELS = "models", "List models"

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
    expiry_told_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.CharField(max_length=45, blank=True, default="", help_text="An address.")
    last_client = models.CharField(max_length=CLIENT_LENGTH, blank=True, default="")
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

    @property
    def may(self) -> list[str]:
        """What it may be used for, in words."""
        return [label for name, label in self.Scope.choices if name in self.scopes]

    @staticmethod
    def digest(token: str) -> str:
        """What is stored and looked up instead of a token's text: 64 hexadecimal characters.

        Takes any text, in the same time however long it is.
        """
        return hashlib.sha256(token[:LONGEST_TEXT].encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def known_scopes(cls, names: Iterable[Any]) -> list[str]:
        """Those of the names that are scopes, in their order."""
        given = list(names)
        return [name for name in cls.Scope.values if name in given]
