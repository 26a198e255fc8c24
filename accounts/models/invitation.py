"""An invitation to Parley: one link for one person."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.ids import uuid7
from accounts.names import clean_email

from .organisation import Membership, Team
from .user import User


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def for_user(self, person: User) -> Self:
        """The invitations that this person may see and change: for managers those to their teams."""
        if person.is_admin:
            return self
        return self.filter(team__in=Team.objects.managed_by(person).values("pk"))

    def open(self, now: datetime | None = None) -> Self:
        """Those whose link still works."""
        return self.filter(state=Invitation.State.OPEN, expires_at__gt=now or timezone.now())

    def by_token(self, token: str) -> Self:
        return self.filter(sha256=Invitation.digest(token))


class Invitation(models.Model):
    """Whoever opens its link, while it is open, makes the account of `email` with `role`, in `team` where one
    is named. It works once.

    Only the SHA-256 of the link's token is stored; sending it again makes a new token, and the old link is
    dead. `grant` is what goes along and only others understand: usage makes a budget of it
    (accounts.people.invitations.when_accepted).
    """

    class State(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=User.Role.choices, default=User.Role.MEMBER)
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="invitations"
    )
    team_role = models.CharField(
        max_length=10, choices=Membership.Role.choices, default=Membership.Role.MEMBER
    )
    grant = models.JSONField(default=dict, blank=True)
    sha256 = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.UUIDField(null=True)
    sent_at = models.DateTimeField(null=True, help_text="Empty: the link was only shown.")
    expires_at = models.DateTimeField()
    accepted_by = models.UUIDField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"), condition=models.Q(state="open"), name="invitation_open_once"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "admin", "member"]), name="invitation_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"invitation {self.id}, {self.state}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = clean_email(self.email)
        super().save(*args, **kwargs)

    @property
    def has_expired(self) -> bool:
        return self.state == self.State.OPEN and self.expires_at <= timezone.now()

    @staticmethod
    def digest(token: str) -> str:
        """What is stored and looked up instead of the token: 64 hexadecimal characters."""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
