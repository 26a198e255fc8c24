"""Addresses beside the vendors' own: a company's gateway, a model server in the house."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from accounts.ids import uuid7

SLUG = r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$"


class Endpoint(models.Model):
    """An address that an admin has entered. It is a provider like the others, by its slug, while enabled.

    `options` is what the wire needs beside the address and a key (providers.registry.Option), no secrets.
    Where `needs_key`, calls are made with Credentials for the provider `slug`, as with any vendor.
    """

    class Wire(models.TextChoices):
        OPENAI_CHAT = "openai-chat", "OpenAI Chat Completions"
        OPENAI_RESPONSES = "openai-responses", "OpenAI Responses"
        ANTHROPIC = "anthropic", "Anthropic Messages"
        AZURE = "azure", "Azure OpenAI"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(
                SLUG, "Use 3 to 40 small letters, digits and hyphens, a letter first.", code="slug"
            )
        ],
    )
    label = models.CharField(max_length=80)
    wire = models.CharField(max_length=20, choices=Wire)
    base_url = models.CharField(max_length=300)
    options = models.JSONField(default=dict)
    needs_key = models.BooleanField(default=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.UUIDField(null=True)

    class Meta:
        ordering: ClassVar = ["label", "slug"]

    def __str__(self) -> str:
        return f"{self.slug} ({self.wire}) at {self.base_url}"
