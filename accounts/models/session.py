"""Where a person is signed in."""

from __future__ import annotations

from typing import Self

from django.contrib.sessions.models import Session
from django.db import models
from django.utils import timezone

from accounts.ids import uuid7
from accounts.names import NAME_LENGTH

from .user import User


class DeviceSessionQuerySet(models.QuerySet["DeviceSession"]):
    def for_user(self, person: User) -> Self:
        """A person's own, and nobody else's."""
        return self.filter(user=person)

    def alive(self) -> Self:
        """Those whose session has not ended."""
        return self.filter(
            session_key__in=Session.objects.filter(expire_date__gt=timezone.now()).values("pk")
        )


class DeviceSession(models.Model):
    """One session of a person, by the name of its browser and device, so that they can know it and end it.

    No address and no place is kept. `last_seen_at` is true to some minutes
    (accounts.sign_in.sessions.SEEN_EVERY).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="device_sessions")
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    device = models.CharField(max_length=NAME_LENGTH)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now)

    objects = DeviceSessionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user} on {self.device}"
