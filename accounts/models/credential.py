"""A key or grant with which calls to a model provider are made."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Literal, Self
from uuid import UUID

from django.db import connection, models
from django.utils import timezone

from accounts.clock import database_now
from accounts.ids import uuid7
from accounts.names import NAME_LENGTH
from accounts.sealing.sealing import SealedField, seal
from providers.access import Secret

from .organisation import Membership, Organisation, Team
from .user import User

Scope = Literal["person", "team", "organisation"]


class CredentialQuerySet(models.QuerySet["Credential"]):
    def for_calls(self) -> Self:
        """Those that open models: all but admin keys."""
        return self.exclude(kind=Credential.Kind.ADMIN_KEY)

    def for_user(self, person: User) -> Self:
        """What this person may change: their own and their managed teams'; for admins all shared ones."""
        if not person.is_active:
            return self.none()
        mine = models.Q(person=person) | models.Q(team__in=Team.objects.managed_by(person).values("pk"))
        if person.is_admin:
            mine |= models.Q(organisation__isnull=False)
        return self.filter(mine)

    def serving(self, user_id: UUID, team_id: UUID | None) -> Self:
        """Every credential for calls, in any state but revoked, of an owner who may serve this person.

        A team's credentials serve only its members, a deactivated person is served by none. Which of them are
        used is decided by accounts.keys.credentials; each row has the organisation's `policy` for that.
        """
        team = models.Q(team=team_id, team__memberships__user=user_id) if team_id else models.Q(pk__in=[])
        owners = models.Q(person=user_id) | team | models.Q(organisation__isnull=False)
        may_call = models.Exists(User.objects.active().filter(pk=user_id))
        found = self.for_calls().filter(owners, may_call).exclude(state=Credential.State.REVOKED)
        return found.annotate(policy=models.Subquery(Organisation.objects.values("policy")[:1]))

    def serving_at(self, user_id: UUID, team_id: UUID | None, provider: str) -> list[Credential]:
        """`serving`, of one provider, by a statement that is built once: it runs before every call."""
        table, people, members, organisations = (
            connection.ops.quote_name(model._meta.db_table)
            for model in (self.model, User, Membership, Organisation)
        )
        user, team = (User._meta.pk.get_db_prep_value(key, connection) for key in (user_id, team_id))
        query = f"""
            SELECT c.*, (SELECT o.policy FROM {organisations} o) AS policy FROM {table} c
            WHERE c.provider = %s AND c.state <> %s AND c.kind <> %s
            AND (c.person_id = %s OR c.organisation_id IS NOT NULL OR (c.team_id = %s
                AND EXISTS (SELECT 1 FROM {members} m WHERE m.team_id = c.team_id AND m.user_id = %s)))
            AND EXISTS (SELECT 1 FROM {people} p WHERE p.id = %s AND p.is_active)"""  # noqa: S608
        values = [
            provider,
            Credential.State.REVOKED,
            Credential.Kind.ADMIN_KEY,
            user,
            team,
            user,
            user,
        ]
        return list(self.model.objects.using(self.db).raw(query, values))

    def lease_renewal(self, credential_id: UUID, holder: UUID, seconds: float) -> bool:
        """Makes the holder the only one of all processes that may renew this grant, for so long.

        False while another one holds it, and for a credential that is no longer active. Who holds it already
        gets it for longer.
        """
        now = database_now()
        free = models.Q(renewing_until=None) | models.Q(renewing_until__lte=now) | models.Q(renewer=holder)
        mine = self.filter(free, pk=credential_id, state=Credential.State.ACTIVE)
        return mine.update(renewer=holder, renewing_until=now + timedelta(seconds=seconds)) == 1

    def end_lease(self, credential_id: UUID, holder: UUID) -> None:
        self.filter(pk=credential_id, renewer=holder).update(renewer=None, renewing_until=None)


class Credential(models.Model):
    """Belongs to exactly one person, team or the organisation. The secret is sealed, and wiped when revoked.

    Of several of one owner for one provider those of the lowest `rank` serve first; calls are spread over
    those of one rank. A paused one serves nothing until it is resumed. `rotate_by` is the day by which its
    owner wants it replaced.

    `base_url` is the address for which the secret was entered. It is never sent anywhere else: it is part of
    what the secret is sealed to, and `accounts.keys.credentials` passes over a row whose address is no longer
    the configured one. `options` is what else its provider needs (Access.options); no secrets.

    A grant (kind oauth or device) holds its tokens in `secret` (accounts.keys.stored_grants). Its access
    token is good until `fresh_until`, empty when it does not end; `expires_at` is the end of the grant
    itself. Who renews it holds the lease of `renewer` and `renewing_until`.

    An admin key is the organisation's, one for each provider. It reads what the vendor says was used
    (accounts.keys.admin_keys), and no call is ever made with it.
    """

    class Kind(models.TextChoices):
        API_KEY = "api_key"
        OAUTH = "oauth"
        DEVICE = "device"
        CLIENT = "client"
        ADMIN_KEY = "admin_key"

    class State(models.TextChoices):
        ACTIVE = "active"
        INVALID = "invalid"  # the provider refused it, or it can no longer be opened
        REVOKED = "revoked"

    class Rank(models.IntegerChoices):
        FIRST = 0, "Before the others"
        USUAL = 1, "In turn with the others"
        LAST = 2, "When no other one can"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="credentials"
    )
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="credentials"
    )
    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, null=True, blank=True, related_name="credentials"
    )
    provider = models.CharField(max_length=40)
    base_url = models.CharField(max_length=300)
    vendor_account = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.API_KEY)
    secret = SealedField(null=True)
    hint = models.CharField(max_length=4, blank=True, help_text="The last four characters.")
    options = models.JSONField(default=dict, blank=True)
    label = models.CharField(max_length=NAME_LENGTH, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    paused = models.BooleanField(default=False)
    rank = models.PositiveSmallIntegerField(choices=Rank.choices, default=Rank.USUAL)
    rotate_by = models.DateField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    fresh_until = models.DateTimeField(null=True, blank=True)
    renewer = models.UUIDField(null=True, blank=True, editable=False)
    renewing_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(person__isnull=False, team__isnull=True, organisation__isnull=True)
                | models.Q(person__isnull=True, team__isnull=False, organisation__isnull=True)
                | models.Q(person__isnull=True, team__isnull=True, organisation__isnull=False),
                name="credential_one_owner",
            ),
            models.CheckConstraint(
                condition=models.Q(state="revoked", secret__isnull=True)
                | models.Q(state="active", secret__isnull=False)
                | models.Q(state="invalid"),
                name="credential_secret_while_active",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind="admin_key") | models.Q(organisation__isnull=False),
                name="admin_key_of_the_organisation",
            ),
            models.UniqueConstraint(
                fields=["provider"],
                condition=models.Q(kind="admin_key") & ~models.Q(state="revoked"),
                name="admin_key_once",
            ),
        ]
        indexes = [models.Index(fields=["provider", "state"], name="credential_by_provider")]

    def __str__(self) -> str:
        return f"{self.provider} key …{self.hint} of the {self.scope}"

    @property
    def scope(self) -> Scope:
        """Whose credential it is."""
        if self.person_id:
            return "person"
        return "team" if self.team_id else "organisation"

    @property
    def name(self) -> str:
        """How people tell it from others: what they called it, and its hint."""
        return f"{self.label or self.provider} …{self.hint}"

    @property
    def is_grant(self) -> bool:
        """Whether it was made by logging in at the vendor, so that the person connects again."""
        return self.kind in {self.Kind.OAUTH, self.Kind.DEVICE}

    @property
    def has_secret(self) -> bool:
        """Whether there is one; it is not opened."""
        return self.__dict__.get("secret") is not None

    def sealed_to(self) -> str:
        """What the secret is bound to beside its row: the owner, the address it may be sent to, and the
        options, some of which are addresses too.
        """
        owner = self.person_id or self.team_id or self.organisation_id
        place = f"{self.scope}:{owner} {self.provider} {self.base_url}"
        return f"{place} {json.dumps(self.options, sort_keys=True)}" if self.options else place

    def sealed(self, secret: Secret) -> bytes:
        """The secret as the column holds it, for a conditional update."""
        return seal(secret.reveal(), SECRET.context(self))

    def has_expired(self, now: datetime | None = None) -> bool:
        return self.expires_at is not None and self.expires_at <= (now or timezone.now())


SECRET = Credential._meta.get_field("secret")
