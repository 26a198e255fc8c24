"""The mail server that an admin has entered, where the environment names none."""

from __future__ import annotations

import json

from django.db import models
from django.utils import timezone

from accounts.sealing.sealing import SealedField


class MailServer(models.Model):
    """At most one row. The password opens only for the server, the encryption and the user with which it was
    entered: whoever changes one of these in the database does not learn it.
    """

    class Security(models.TextChoices):
        TLS = "tls", "TLS from the start"
        STARTTLS = "starttls", "STARTTLS"
        NONE = "none", "None"

    only = models.BooleanField(primary_key=True, default=True, editable=False)
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    security = models.CharField(max_length=8, choices=Security)
    username = models.CharField(max_length=254, blank=True)
    password = SealedField(null=True, blank=True)
    sender = models.EmailField(max_length=254)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="mail_server_only_one")]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def sealed_to(self) -> str:
        return json.dumps(["mail", self.host, self.port, self.security, self.username])
