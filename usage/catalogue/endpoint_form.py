"""The form of an endpoint. It checks shape; whether anybody answers there, the page asks before it stores."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from accounts.names import NAME_LENGTH
from providers import registry
from providers.access import Secret
from usage.catalogue.forms import text_input
from usage.models import Endpoint


class EndpointForm(forms.Form):
    """An address that speaks one of the known wires. A secret that was typed is never shown again."""

    label = forms.CharField(label="Name", max_length=NAME_LENGTH, widget=text_input())
    slug = forms.CharField(
        label="Short name",
        max_length=40,
        validators=Endpoint._meta.get_field("slug").validators,
        widget=text_input(autocapitalize="none", spellcheck="false"),
        help_text="It stands before the model’s name, as in “workshop/llama-4”.",
    )
    wire = forms.ChoiceField(label="Speaks", choices=Endpoint.Wire.choices)
    base_url = forms.CharField(
        label="Address",
        max_length=300,
        widget=text_input(inputmode="url", spellcheck="false"),
        help_text="Such as https://models.example.com/v1, up to what the wire itself adds.",
    )
    api_version = forms.CharField(
        label="API version",
        max_length=40,
        required=False,
        widget=text_input(),
        help_text="For Azure only, and only for its older API.",
    )
    needs_key = forms.BooleanField(label="It asks for a key", required=False, initial=True)
    secret = forms.CharField(
        label="Key",
        max_length=4000,
        required=False,
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    enabled = forms.BooleanField(label="In use", required=False, initial=True)

    def __init__(
        self, *args: Any, stored: Endpoint | None = None, has_key: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.stored = stored
        self._has_key = has_key
        self.fields["wire"].widget.attrs["class"] = "input"
        if stored is not None:
            del self.fields["slug"]
        if has_key:
            self.fields["secret"].help_text = "Empty: the stored one stays."

    def clean_base_url(self) -> str:
        value: str = self.cleaned_data["base_url"].strip().rstrip("/")
        try:
            parts = urlsplit(value)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fits = False
            parts = urlsplit("")
        if (
            not fits
            or parts.username
            or parts.password
            or parts.query
            or parts.fragment
            or not value.isascii()
        ):
            raise ValidationError("Enter an address that begins with https, without user, password or query.")
        if not value.isprintable() or " " in value:
            raise ValidationError("An address holds no spaces.")
        return value

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug in registry.PROVIDERS:
            raise ValidationError("This is the name of a vendor. Choose another one.")
        return slug

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        secret = values.get("secret", "").strip()
        if values.get("needs_key") and not secret and not self.key_stays:
            self.add_error("secret", "Enter the key for this address.")
        if secret and (not secret.isascii() or not secret.isprintable() or " " in secret):
            self.add_error("secret", "The key holds characters that no key has.")
        values["secret"] = secret
        return values

    @property
    def key_stays(self) -> bool:
        """Whether the stored key goes on: only to the address for which it was entered."""
        same = self.stored is not None and self.stored.base_url == self.cleaned_data.get("base_url")
        return self._has_key and same

    def entered(self) -> Secret | None:
        secret = self.cleaned_data["secret"]
        return Secret(secret) if secret and self.cleaned_data["needs_key"] else None

    def endpoint(self) -> Endpoint:
        """The endpoint as the form says, not stored."""
        values = self.cleaned_data
        endpoint = self.stored or Endpoint(slug=values["slug"])
        endpoint.label = values["label"].strip()
        endpoint.wire = values["wire"]
        endpoint.base_url = values["base_url"]
        endpoint.needs_key = values["needs_key"]
        endpoint.enabled = values["enabled"]
        version = values["api_version"].strip()
        endpoint.options = {"api_version": version} if version else {}
        return endpoint
