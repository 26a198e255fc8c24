"""What an admin types of a SAML provider."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import SignInDraft
from accounts.sign_in.forms import dressed
from accounts.single_sign_on import saml_setup, saml_xml
from accounts.single_sign_on.forms import VOUCHES_FOR, ProviderForm
from accounts.single_sign_on.vendors import issuer_of

ANOTHER = "This metadata is another provider’s: its entity ID differs."
OR_METADATA = "Enter it, or paste the metadata."


def _line(label: str, help_text: str = "", *, required: bool = False, length: int = 300) -> forms.CharField:
    widget = dressed(forms.TextInput(), autocomplete="off", spellcheck="false")
    return forms.CharField(
        label=label, required=required, max_length=length, help_text=help_text, widget=widget
    )


def _lines(label: str, help_text: str) -> forms.CharField:
    widget = dressed(forms.Textarea(attrs={"rows": 4}), autocomplete="off", spellcheck="false", rows="4")
    return forms.CharField(
        label=label, required=False, max_length=saml_xml.MOST_BYTES, help_text=help_text, widget=widget
    )


class SamlForm(ProviderForm):
    """`values` are those to type in: `saml` holds what only this kind has."""

    metadata = _lines(
        "Metadata of the provider",
        "Its XML, if you have it: entity ID, sign-in address and certificates are read from it. Nothing is "
        "fetched.",
    )
    sso = _line(
        "Sign-in address", "Where browsers are led to (HTTP-Redirect); it begins with https.", length=1000
    )
    certificates = _lines(
        "Signing certificates", "PEM. Two while the provider changes from one to the other."
    )
    email_attribute = _line("Attribute with the e-mail address", required=True)
    name_attribute = _line("Attribute with the name")
    subject_attribute = _line(
        "Attribute that says who it is",
        "One that never changes and is given to nobody else. Empty: the NameID, which must be persistent.",
    )

    def __init__(self, data: Any = None, *, draft: SignInDraft) -> None:
        super().__init__(data, draft=draft)
        del self.fields["client_id"], self.fields["client_secret"]
        stored = draft.saml
        self.initial = {
            **self.initial,
            "sso": stored.get("sso", ""),
            "certificates": "\n".join(stored.get("certificates", [])),
            "email_attribute": stored.get("email", "email"),
            "name_attribute": stored.get("name", "displayName"),
            "subject_attribute": stored.get("subject", ""),
        }
        if "issuer" in self.fields:
            self.fields["issuer"].required = False
        claim = self.fields["groups_claim"]
        claim.label, claim.help_text = "Attribute with the groups", "Such as groups."

    def clean_issuer(self) -> str:
        typed = self.cleaned_data["issuer"]
        return issuer_of(self._draft.vendor, typed) if typed.strip() else ""

    def clean_certificates(self) -> list[str]:
        typed = self.cleaned_data["certificates"]
        return saml_setup.certificates_in(typed) if typed.strip() else []

    def clean_sso(self) -> str:
        typed = self.cleaned_data["sso"]
        return saml_setup.sso_address(typed) if typed.strip() else ""

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("vouches") and not values.get("domains"):
            self.add_error("domains", VOUCHES_FOR)
        if (values.get("metadata") or "").strip():
            try:
                self._read(values)
            except ValidationError as fault:
                self.add_error("metadata", fault)
        for name in ("issuer", "sso", "certificates"):
            if name in self.fields and not values.get(name) and not self.errors:
                self.add_error(name, OR_METADATA)
        return values

    def _read(self, values: dict[str, Any]) -> None:
        told = saml_setup.metadata_in(values["metadata"])
        entity = issuer_of(self._draft.vendor, told.entity)
        if "issuer" not in self.fields and entity != self._draft.issuer:
            raise ValidationError(ANOTHER)
        for name in ("sso", "certificates", "issuer"):
            self.errors.pop(name, None)  # what was typed there gives way
        values["sso"], values["certificates"] = told.sso, told.certificates
        if "issuer" in self.fields:
            values["issuer"] = entity

    @property
    def values(self) -> dict[str, Any]:
        found = dict(self.cleaned_data)
        del found["metadata"]
        stored: dict[str, Any] = {name: found.pop(name) for name in ("sso", "certificates")}
        stored |= {name: found.pop(f"{name}_attribute").strip() for name in ("email", "name", "subject")}
        return {**found, "saml": stored}
