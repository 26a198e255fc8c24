"""What an admin says for the comparison: the admin key, and which of the vendor's keys count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.keys.admin_keys import SECRET_LENGTH
from accounts.sign_in.forms import dressed
from providers.access import Secret
from providers.registry import Reports
from usage.models import VendorKey


class AdminKeyForm(forms.Form):
    """The key, which never goes back into a page."""

    secret = forms.CharField(
        label="Admin key",
        max_length=SECRET_LENGTH,
        widget=dressed(
            forms.PasswordInput(render_value=False), autocomplete="off", spellcheck="false", autofocus=""
        ),
    )

    def __init__(self, *args: Any, reports: Reports, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reports = reports
        self.fields["secret"].help_text = (
            f"It begins with {reports.key_begins}. Stored encrypted; after this only its last four characters"
            " are shown."
        )

    def clean_secret(self) -> Secret:
        text: str = self.cleaned_data["secret"]
        if not text.startswith(self.reports.key_begins):
            raise ValidationError(
                f"This is no admin key: those begin with {self.reports.key_begins}. Keys for calls to models"
                " belong under Keys."
            )
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValidationError("This does not look like a key. Copy it again, whole and without spaces.")
        return Secret(text)


class CountedForm(forms.Form):
    """Which keys count: at least one."""

    counted = forms.ModelMultipleChoiceField(
        queryset=VendorKey.objects.none(),
        error_messages={"required": "At least one key must count, or there is nothing to compare with."},
    )

    def __init__(self, *args: Any, keys: Iterable[VendorKey], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = VendorKey.objects.filter(pk__in=[key.pk for key in keys])
        self.fields["counted"] = forms.ModelMultipleChoiceField(
            queryset=own, error_messages=self.fields["counted"].error_messages
        )
