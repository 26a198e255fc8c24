"""The question why somebody may use a model, or may not."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models.functions import Lower

from accounts.models import Team, User
from accounts.policies.features import ABOUT, OFFERED, Feature
from accounts.sign_in.forms import dressed
from usage.policies import explaining


class PersonField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.display} · {obj.email}"


class ExplainForm(forms.Form):
    """All of it may stand in an address."""

    person = PersonField(
        label="Person",
        queryset=User.objects.order_by(Lower("email")),
        empty_label=None,
        widget=dressed(forms.Select()),
    )
    model = forms.ChoiceField(label="Model", widget=dressed(forms.Select()))
    feature = forms.MultipleChoiceField(
        label="With", required=False, choices=[(feature.value, ABOUT[feature].label) for feature in OFFERED]
    )
    team = forms.ModelChoiceField(
        label="Paid by",
        queryset=Team.objects.order_by(Lower("name")),
        required=False,
        empty_label="the person, not a team",
        widget=dressed(forms.Select()),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.fields["model"] = forms.ChoiceField(
            label="Model", choices=explaining.models(), widget=dressed(forms.Select())
        )

    def clean_feature(self) -> list[Feature]:
        return [Feature(name) for name in self.cleaned_data["feature"]]

    @property
    def boxes(self) -> list[tuple[str, str, bool]]:
        checked = set(self["feature"].value() or ())
        return [(feature.value, ABOUT[feature].label, feature.value in checked) for feature in OFFERED]
