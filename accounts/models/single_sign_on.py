"""Signing in at somebody else's door: providers, drafts of them, attempts, and whose account is connected."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone

from accounts.ids import uuid7
from accounts.names import NAME_LENGTH
from accounts.sealing.sealing import SealedField
from providers.access import Secret

from .organisation import Membership
from .user import User

DRAFT_LASTS = timedelta(days=1)
ATTEMPT_LASTS = timedelta(minutes=10)


class SignInVendor(models.TextChoices):
    OIDC = "oidc", "OpenID Connect"
    GOOGLE = "google", "Google"
    MICROSOFT = "microsoft", "Microsoft"
    GITHUB = "github", "GitHub"
    SAML = "saml", "SAML"


class SignInSettings(models.Model):
    """What an admin decides about one provider.

    `issuer` is the address of the provider: that of its discovery document, or GitHub's own. The secret goes
    only there, for this client id. `domains` are those of the e-mail addresses that it is trusted with; none:
    every address may sign in, and it is trusted with none. `groups` are rules: {"group", "team" (an id or
    None), "team_role", "role" ("" or "admin")}. `saml` is what only SAML has: {"sso", "certificates" (PEM),
    "subject", "email", "name" (attributes)}; it has no client ID and no secret.
    """

    vendor = models.CharField(max_length=10, choices=SignInVendor.choices)
    name = models.CharField(max_length=NAME_LENGTH)
    client_id = models.CharField(max_length=300, blank=True)
    secret = SealedField(null=True)
    secret_hint = models.CharField(max_length=8, blank=True)
    issuer = models.CharField(max_length=300, blank=True)
    domains = models.JSONField(default=list, blank=True)
    groups_claim = models.CharField(max_length=200, blank=True)
    groups = models.JSONField(default=list, blank=True)
    saml = models.JSONField(default=dict, blank=True)
    makes_accounts = models.BooleanField(default=False)
    vouches = models.BooleanField(default=False, help_text="Its addresses count as verified for accounts.")
    checks_second_factor = models.BooleanField(default=False)

    class Meta:
        abstract = True

    def sealed_to(self) -> str:
        return f"{self.vendor} {self.issuer} {self.client_id}"

    @property
    def has_secret(self) -> bool:
        """Whether one is stored, without opening it."""
        return self.__dict__.get("secret") is not None

    def accepts(self, email: str) -> bool:
        """Whether somebody with this address may come by this provider."""
        return not self.domains or self.is_trusted_with(email)

    def is_trusted_with(self, email: str) -> bool:
        """Whether the admin's list names the address's domain itself; those below it are others."""
        return bool(email) and email.rpartition("@")[2] in self.domains


class SignInProvider(SignInSettings):
    """A button of the sign-in page while `is_on`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    is_on = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    tested_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"sign-in provider {self.name}"


class SignInDraftQuerySet(models.QuerySet["SignInDraft"]):
    def for_user(self, person: User) -> Self:
        """The drafts that this person typed and that are not too old; nobody else's."""
        if not person.is_admin:
            return self.none()
        return self.filter(person=person, expires_at__gt=timezone.now())


class SignInDraft(SignInSettings):
    """What an admin is typing, before it is tested and saved. `provider` None: it will be a new one, under
    this draft's id.

    `tested` is what came of the last test of exactly these settings, {} where there was none.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    provider = models.ForeignKey(SignInProvider, on_delete=models.CASCADE, null=True, related_name="+")
    tested = models.JSONField(default=dict, blank=True)
    tested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()

    objects = SignInDraftQuerySet.as_manager()

    def __str__(self) -> str:
        return f"draft of a sign-in provider {self.id}"

    @property
    def address_id(self) -> UUID:
        """What stands in the address to which the provider sends people back."""
        return self.provider_id or self.id


class SignInAttemptQuerySet(models.QuerySet["SignInAttempt"]):
    def waiting(self) -> Self:
        return self.filter(taken_at=None, expires_at__gt=timezone.now())

    def take(self, *, state: str, browser: str) -> SignInAttempt | None:
        """The attempt that this browser began with this state; nobody takes it again."""
        digests = {"state": SignInAttempt.digest(state), "browser": SignInAttempt.digest(browser)}
        if self.waiting().filter(**digests).update(taken_at=timezone.now()) != 1:
            return None
        return self.select_related("provider", "draft", "person").get(**digests)

    def answer(self, attempt: SignInAttempt, *, state: str, told: Secret, until: datetime) -> bool:
        """Puts what came of it into an attempt, under a new state; False where it was answered already."""
        with transaction.atomic():
            digest = SignInAttempt.digest(state)
            if self.waiting().filter(pk=attempt.pk, state=attempt.state).update(state=digest) != 1:
                return False
            attempt.state, attempt.secret, attempt.expires_at = digest, told, until
            attempt.found = {**attempt.found, "answered": True}
            attempt.save(update_fields=["secret", "found", "expires_at"])
        return True

    def sweep(self) -> None:
        self.filter(expires_at__lt=timezone.now()).delete()


class SignInAttempt(models.Model):
    """One way to the provider and back. It belongs to one browser, is used once, and has ten minutes.

    `secret` holds the nonce and PKCE's verifier; `found` the provider's addresses as they were when it began.
    With SAML the state is the request's ID, until the answer has come: then `secret` holds who came, under a
    state that only the browser knows which brought the answer.
    `person` is who tests, connects or confirms; None who signs in.
    """

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in"
        TEST = "test"
        CONNECT = "connect"
        CONFIRM = "confirm"  # somebody who is signed in shows that it is still them

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    provider = models.ForeignKey(SignInProvider, on_delete=models.CASCADE, null=True, related_name="+")
    draft = models.ForeignKey(SignInDraft, on_delete=models.CASCADE, null=True, related_name="+")
    person = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    browser = models.CharField(max_length=64)
    state = models.CharField(max_length=64, unique=True)
    secret = SealedField(null=True)
    found = models.JSONField(default=dict)
    next = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)

    objects = SignInAttemptQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.purpose} by single sign-on"

    def sealed_to(self) -> str:
        return f"{self.state} {self.browser}"

    @staticmethod
    def digest(text: str) -> str:
        """What is stored of a state, and of what names the browser."""
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class SignInConnection(models.Model):
    """A person as one provider knows them. The subject says who it is; the e-mail is only shown.

    `gave_admin`: the role of admin comes from the provider's groups, and goes with them.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_connections")
    provider = models.ForeignKey(SignInProvider, on_delete=models.CASCADE, related_name="connections")
    subject = models.CharField(max_length=255)
    email = models.CharField(max_length=254, blank=True)
    gave_admin = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "subject"], name="sign_in_subject_once"),
            models.UniqueConstraint(fields=["provider", "person"], name="sign_in_person_once"),
        ]

    def __str__(self) -> str:
        return f"{self.person} at {self.provider}"


class GivenMembership(models.Model):
    """A membership that the groups of a connection gave, and take back. One given by hand has no such row."""

    connection = models.ForeignKey(SignInConnection, on_delete=models.CASCADE, related_name="given")
    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="given_by")

    def __str__(self) -> str:
        return f"{self.membership}, by groups"
