"""A person with an account."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils.timezone import now

from accounts.ids import uuid7
from accounts.names import NAME_LENGTH, clean_email, clean_name

HAS_AN_ACCOUNT = "There is an account with this e-mail."


def known_timezone(name: str) -> None:
    """Raises ValidationError unless the name is in the IANA time zone database, such as Europe/Lisbon."""
    if name not in available_timezones():
        raise ValidationError(
            "This time zone is not known. Use a name such as Europe/Lisbon.", code="timezone"
        )


class UserQuerySet(models.QuerySet["User"]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def admitted(self) -> Self:
        """Those who may use Parley: active, and not held back until they add a second factor."""
        in_time = models.Q(second_factor_due=None) | models.Q(second_factor_due__gt=now())
        return self.active().filter(in_time)

    def for_user(self, person: User) -> Self:
        """The people that this person may see: themselves and their teams; owners and admins see everyone."""
        if person.is_admin:
            return self
        together = models.Q(memberships__team__memberships__user=person)
        return self.filter(models.Q(pk=person.pk) | together).distinct()


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Stores a person; without a password nobody can sign in. People are made by actions.create_user."""
        user: User = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db, force_insert=True)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        person: User = self.get(email=clean_email(username or ""))
        return person


class User(AbstractBaseUser):
    """Signs in by e-mail. The role counts in the whole organisation; rights in a team are a Membership's."""

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True, error_messages={"unique": HAS_AN_ACCOUNT})
    display_name = models.CharField(max_length=NAME_LENGTH, blank=True)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    timezone = models.CharField(max_length=64, default="UTC", validators=[known_timezone])
    language = models.CharField(max_length=16, blank=True, help_text="Empty: as the browser asks.")
    is_active = models.BooleanField(default=True)
    second_factor_due = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="From here on this person, whose role needs a second factor, may only add one.",
    )
    created_at = models.DateTimeField(default=now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"), name="user_email_once_in_any_case", violation_error_message=HAS_AN_ACCOUNT
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "admin", "member"]), name="user_role_known"
            ),
        ]

    def __str__(self) -> str:
        return self.display

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = clean_email(self.email)
        self.display_name = clean_name(self.display_name)
        super().save(*args, **kwargs)

    @property
    def display(self) -> str:
        """What others read as this person's name."""
        return self.display_name or self.email.partition("@")[0]

    @property
    def initial(self) -> str:
        """The one letter in this person's face."""
        return next((char for char in self.display if char.isalnum()), "?").upper()[:1]

    @property
    def is_held_back(self) -> bool:
        """Whether this person can only add a second factor, and sign out."""
        return self.second_factor_due is not None and self.second_factor_due <= now()

    @property
    def is_admin(self) -> bool:
        """May manage the installation: owners and admins."""
        return self.is_active and self.role in {self.Role.OWNER, self.Role.ADMIN}
