"""The organisation that this installation serves, and the teams in it."""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.ids import uuid7
from accounts.names import NAME_LENGTH, clean_name

from .user import User


class Organisation(models.Model):
    """There is exactly one row once the installation is set up; a second one is refused by the database.

    Making it in the same transaction as the first owner is what lets only one of many first visitors win.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    only = models.BooleanField(default=True, unique=True, editable=False)
    name = models.CharField(max_length=NAME_LENGTH)
    policy = models.JSONField(default=dict, blank=True)
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: conversations are kept."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="organisation_only_one")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name = clean_name(self.name)
        super().save(*args, **kwargs)

    @classmethod
    def current(cls) -> Organisation | None:
        """The organisation, or None before the first visit."""
        return cls.objects.first()


class TeamQuerySet(models.QuerySet["Team"]):
    def for_user(self, person: User) -> Self:
        """The teams that this person is in; owners and admins see all."""
        if person.is_admin:
            return self
        return self.filter(memberships__user=person) if person.is_active else self.none()

    def managed_by(self, person: User) -> Self:
        """The teams whose people and keys this person may change."""
        if person.is_admin:
            return self
        mine = Membership.objects.filter(user=person, user__is_active=True, role=Membership.Role.MANAGER)
        return self.filter(pk__in=mine.values("team"))


class Team(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=NAME_LENGTH)
    members = models.ManyToManyField(User, through="Membership", related_name="teams")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TeamQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("name"), name="team_name_once_in_any_case")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name = clean_name(self.name)
        super().save(*args, **kwargs)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def for_user(self, person: User) -> Self:
        """Who belongs to the teams that this person may see."""
        return self.filter(team__in=Team.objects.for_user(person).values("pk"))


class Membership(models.Model):
    """A person in a team. A manager may change the team's people and keys."""

    class Role(models.TextChoices):
        MANAGER = "manager"
        MEMBER = "member"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "team"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=["manager", "member"]), name="membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"
