"""Logging in at a vendor, from the first click to the grant."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.db import models
from django.utils import timezone

from accounts.ids import uuid7
from accounts.names import NAME_LENGTH
from accounts.sealing.sealing import SealedField

from .organisation import Team
from .user import User

KEPT = timedelta(days=1)


class LoginAttemptQuerySet(models.QuerySet["LoginAttempt"]):
    def for_session(self, person: User, session_key: str | None) -> Self:
        """The attempts of this person in this session; of another session of theirs, none."""
        return self.filter(person=person, session=LoginAttempt.digest(session_key or ""))

    def under_way(self, now: datetime | None = None) -> Self:
        return self.filter(state=LoginAttempt.State.PENDING, expires_at__gt=now or timezone.now())

    def sweep(self) -> None:
        """Removes what ended long ago."""
        self.filter(expires_at__lt=timezone.now() - KEPT).delete()

    def take(self, attempt_id: UUID) -> bool:
        """Makes the caller the one that uses the attempt's secret, which nobody can use again."""
        return self.under_way().filter(pk=attempt_id).update(state=LoginAttempt.State.TAKEN) == 1

    def take_turn(self, attempt: LoginAttempt, seconds: float) -> bool:
        """Makes the caller the one that asks the vendor now; nobody else does for so many seconds."""
        now = timezone.now()
        due = self.under_way(now).filter(pk=attempt.pk, next_poll_at__lte=now)
        return due.update(next_poll_at=now + timedelta(seconds=seconds)) == 1


class LoginAttempt(models.Model):
    """One attempt belongs to one session of one person, is used once, and has little time.

    `secret` is what only this server may know (the verifier and state, or the device code); it goes with the
    attempt's end. With a device code the person types `user_code` at `verification_uri`, and this server asks
    the vendor at most every `interval` seconds whether they have. The grant is to belong to the person, to
    `team`, or to the organisation, as `scope` says.
    """

    class Flow(models.TextChoices):
        CODE = "code"
        DEVICE = "device"

    class State(models.TextChoices):
        PENDING = "pending"
        TAKEN = "taken"  # its secret is being used
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="login_attempts")
    session = models.CharField(max_length=64)
    scope = models.CharField(max_length=12, default="organisation")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    provider = models.CharField(max_length=40)
    base_url = models.CharField(max_length=300)
    options = models.JSONField(default=dict, blank=True)
    label = models.CharField(max_length=NAME_LENGTH, blank=True)
    replaces = models.UUIDField(null=True, blank=True)
    flow = models.CharField(max_length=10, choices=Flow.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    secret = SealedField(null=True)
    user_code = models.CharField(max_length=64, blank=True)
    verification_uri = models.CharField(max_length=500, blank=True)
    interval = models.PositiveSmallIntegerField(default=5)
    next_poll_at = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()

    objects = LoginAttemptQuerySet.as_manager()

    def __str__(self) -> str:
        return f"login at {self.provider}, {self.state}"

    def sealed_to(self) -> str:
        """What the secret is bound to beside its row."""
        return f"{self.person_id} {self.session} {self.provider} {self.scope}:{self.team_id}"

    @property
    def is_under_way(self) -> bool:
        return self.state == self.State.PENDING and self.expires_at > timezone.now()

    def end(self, state: str, error: str = "") -> None:
        """Notes how it ended; the secret is gone. The first end stays."""
        open_ones = LoginAttempt.objects.filter(pk=self.pk, state__in=[self.State.PENDING, self.State.TAKEN])
        open_ones.update(state=state, error=error[:500], secret=None)
        self.refresh_from_db(fields=["state", "error", "secret"])

    @staticmethod
    def digest(session_key: str) -> str:
        """What is stored of a session's key, which opens the session to whoever reads it."""
        return hashlib.sha256(session_key.encode()).hexdigest()
