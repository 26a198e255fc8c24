"""The forms of what is decided about keys: for one of them, and for whose keys are used."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.keys import actions, credentials
from accounts.keys.forms import rotation_field
from accounts.keys.policy import KeyPolicy
from accounts.models import Credential
from accounts.sign_in.forms import NameField, dressed
from providers import registry

WHO = [
    (
        "everybody",
        "Everybody",
        "For every provider. Such a key serves the person who brought it, and nobody else.",
    ),
    ("some", "Everybody, for these providers", "Keys for others are kept and not used."),
    ("nobody", "Nobody", "Keys that people have brought are kept and not used. Teams keep theirs."),
]
ORDERS = [
    ("person", "The narrowest first", "A person’s own key, then the team’s, then the organisation’s."),
    (
        "organisation",
        "The organisation’s first",
        "Where the organisation has a key it serves everyone; others only where it has none.",
    ),
]


class SettingsForm(forms.Form):
    """What may be changed of a stored credential without entering it again."""

    label = NameField(label="Name", required=False, widget=dressed(forms.TextInput(), autocomplete="off"))
    rank = forms.TypedChoiceField(
        label="When it is used", coerce=int, choices=Credential.Rank.choices, widget=dressed(forms.Select())
    )
    paused = forms.BooleanField(label="Paused", required=False)

    def __init__(self, data: Any = None, *, credential: Credential) -> None:
        names = ("label", "rank", "rotate_by", "paused")
        super().__init__(data, initial={name: getattr(credential, name) for name in names})
        # A day that has passed stays until somebody changes it.
        was = credential.rotate_by.isoformat() if credential.rotate_by is not None else None
        unchanged = data is not None and data.get("rotate_by") == was
        self.fields["rotate_by"] = rotation_field(only_ahead=not unchanged)

    def settings(self) -> actions.Settings:
        values = self.cleaned_data
        return actions.Settings(
            label=values["label"],
            rank=values["rank"],
            rotate_by=values["rotate_by"],
            paused=values["paused"],
        )


class PolicyForm(forms.Form):
    """Who may bring keys, and whose are used first."""

    who = forms.ChoiceField(choices=[(name, label) for name, label, _ in WHO], widget=forms.RadioSelect)
    providers = forms.MultipleChoiceField(required=False)
    order = forms.ChoiceField(choices=[(name, label) for name, label, _ in ORDERS], widget=forms.RadioSelect)

    def __init__(self, data: Any = None, *, policy: KeyPolicy) -> None:
        super().__init__(
            data, initial={"who": policy.who, "providers": sorted(policy.providers), "order": policy.order}
        )
        self.fields["providers"] = forms.MultipleChoiceField(
            required=False,
            choices=[
                (slug, row.label)
                for slug, row in registry.providers().items()
                if not credentials.needs_no_secret(slug)
            ],
        )

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("who") == "some" and not values.get("providers") and not self.errors:
            raise ValidationError("Choose the providers for which people may bring keys.")
        return values

    def policy(self) -> KeyPolicy:
        values = self.cleaned_data
        providers = values["providers"] if values["who"] == "some" else []
        return KeyPolicy(values["who"], frozenset(providers), values["order"])

    @property
    def checked(self) -> set[str]:
        """The providers whose boxes are checked."""
        return set(self["providers"].value() or ())
