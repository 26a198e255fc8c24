"""The forms of alerts. They check shape."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.names import NAME_LENGTH, clean_name
from providers import outbound
from providers.errors import ConnectionFailed
from usage.alerts.settings import HIGHEST, MAILED, MOST_THRESHOLDS
from usage.catalogue.forms import text_input
from usage.models import Alert
from usage.models.alert import URL_LENGTH

KINDS = [(kind, str(Alert.Kind(kind).label)) for kind in MAILED]
_PERCENTS = re.compile(r"[0-9]{1,4}(?:[\s,;%]+[0-9]{1,4})*[\s%]*")


class SettingsForm(forms.Form):
    """At what a budget is told, which kinds go by mail, and whether they go to this admin."""

    thresholds = forms.CharField(
        label="Thresholds of budgets, in percent",
        max_length=80,
        required=False,
        widget=text_input(inputmode="numeric", autocomplete="off"),
        help_text="Such as 80, 100. Each is told once in a period. Empty: none.",
    )
    mail_kinds = forms.MultipleChoiceField(
        label="By mail", choices=KINDS, required=False, widget=forms.CheckboxSelectMultiple
    )
    mail_me = forms.BooleanField(label="Send them to me", required=False)

    def clean_thresholds(self) -> list[int]:
        text: str = self.cleaned_data["thresholds"].strip()
        if not text:
            return []
        if _PERCENTS.fullmatch(text) is None:
            raise ValidationError("Enter whole percents with commas between, such as 80, 100.")
        found = sorted({int(number) for number in re.findall(r"[0-9]+", text)})
        if found[0] < 1 or found[-1] > HIGHEST:
            raise ValidationError(f"A threshold is from 1 to {HIGHEST} percent.")
        if len(found) > MOST_THRESHOLDS:
            raise ValidationError(f"{MOST_THRESHOLDS} thresholds at most.")
        return found


class WebhookForm(forms.Form):
    """A new webhook. `id` is chosen when the form is shown, so that sending it twice makes one."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        label="Name",
        max_length=NAME_LENGTH,
        widget=text_input(),
        help_text="As the list of deliveries says it.",
    )
    url = forms.CharField(
        label="Address",
        max_length=URL_LENGTH,
        widget=text_input(inputmode="url", spellcheck="false", autocomplete="off"),
        help_text="It must be public and begin with https, or stand in PARLEY_PRIVATE_HOSTS.",
    )
    kinds = forms.MultipleChoiceField(label="Hears of", choices=KINDS, widget=forms.CheckboxSelectMultiple)

    def clean_name(self) -> str:
        if not (name := clean_name(self.cleaned_data["name"])):
            raise ValidationError("Enter a name.")
        return name

    def clean_url(self) -> str:
        value: str = self.cleaned_data["url"].strip()
        if not value.isascii() or not value.isprintable() or " " in value or "#" in value:
            raise ValidationError("An address holds no spaces, no # and no letters beyond plain ones.")
        try:
            outbound.must_be_callable(value)
        except ConnectionFailed as error:
            raise ValidationError(error.safe_message) from None
        return value

    def clean(self) -> dict[str, Any]:
        """All kinds are meant to stay all, also when more are added."""
        values = super().clean() or {}
        if set(values.get("kinds", ())) == {kind for kind, _ in KINDS}:
            values["kinds"] = []
        return values
