"""The forms of Manage, Settings: one for each section of the page."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.sign_in.forms import NameField, dressed
from usage.offers.offers import Offer

from .retention import FEWEST_DAYS, MOST_DAYS


class NameForm(forms.Form):
    name = NameField(
        label="Name of the organisation",
        widget=dressed(forms.TextInput(), autocomplete="organization"),
        help_text="Everybody reads it beside their own name, and in invitations.",
    )


class RetentionForm(forms.Form):
    """`days` is None where conversations are kept always. `agreed` repeats the days that somebody was warned
    of.
    """

    days = forms.IntegerField(
        label="Days after their last change",
        required=False,
        min_value=FEWEST_DAYS,
        max_value=MOST_DAYS,
        widget=dressed(forms.NumberInput(), placeholder="Always"),
        help_text="Empty: conversations are kept always.",
    )
    agreed = forms.IntegerField(required=False, widget=forms.HiddenInput)

    @property
    def is_agreed(self) -> bool:
        return bool(self.cleaned_data["agreed"] == self.cleaned_data["days"])


class DefaultModelForm(forms.Form):
    """`offers` are what may be chosen; `chosen` stays on the list though it is not offered now."""

    model = forms.ChoiceField(
        label="New conversations begin with",
        required=False,
        widget=forms.Select(attrs={"class": "input"}),
    )

    def __init__(self, data: Any = None, *, offers: list[Offer], chosen: str, **more: Any) -> None:
        super().__init__(data, initial={"model": chosen}, **more)
        by_provider: dict[str, list[tuple[str, str]]] = {}
        for offer in offers:
            if not offer.spec.demo:
                by_provider.setdefault(offer.provider, []).append((offer.ref, offer.spec.name))
        choices: list[Any] = [("", "What the catalogue proposes"), *by_provider.items()]
        if chosen and chosen not in {offer.ref for offer in offers}:
            choices.append((chosen, chosen))
        self.fields["model"].choices = choices  # type: ignore[attr-defined]
