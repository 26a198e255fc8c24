"""The form of a model that nobody lists: a deployment of one's own, a name that the vendor gave it."""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec
from django import forms
from django.core.exceptions import ValidationError

from providers import registry
from providers.catalogue import ModelSpec
from usage.catalogue import overrides
from usage.catalogue.forms import MOST_TOKENS, text_input

ID = re.compile(r"[\w.:/@+-]{1,200}", re.ASCII)
# What a model takes over from the one that it is like.
TAKEN_OVER = (
    "api",
    "capabilities",
    "context",
    "default_effort",
    "efforts",
    "max_input",
    "max_output",
    "min_cache_tokens",
    "sampling",
    "thinking",
)


class NewModelForm(forms.Form):
    """A provider, the vendor's id of the model, and what is known of it: as another model, or two numbers."""

    provider = forms.ChoiceField(label="Provider")
    model = forms.CharField(
        label="Id at the provider",
        max_length=200,
        widget=text_input(spellcheck="false"),
        help_text="At Azure the name of the deployment, at Salesforce the model's API name.",
    )
    like = forms.CharField(
        label="Like the model",
        max_length=265,
        required=False,
        widget=text_input(list="known-models", spellcheck="false"),
        help_text="Its facts and its price are taken over, such as openai/gpt-6-sol.",
    )
    context = forms.IntegerField(
        label="Context in tokens", min_value=1, max_value=MOST_TOKENS, required=False, widget=text_input()
    )
    max_output = forms.IntegerField(
        label="Longest answer in tokens",
        min_value=1,
        max_value=MOST_TOKENS,
        required=False,
        widget=text_input(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = [(slug, row.label) for slug, row in registry.providers().items() if slug != "demo"]
        provider = cast(forms.ChoiceField, self.fields["provider"])
        provider.choices = rows
        provider.widget.attrs["class"] = "input"

    def clean_model(self) -> str:
        name: str = self.cleaned_data["model"]
        if not ID.fullmatch(name):
            raise ValidationError("Use letters, digits and the signs . : / @ + - _ only.")
        return name

    def clean_like(self) -> ModelSpec | None:
        ref = self.cleaned_data["like"].strip()
        if not ref:
            return None
        known = overrides.spec(ref)
        if known is None or known.demo:
            raise ValidationError("No such model is known. Choose one of the list, or leave this empty.")
        return known

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        provider, model = values.get("provider"), values.get("model")
        if provider and model and overrides.spec(f"{provider}/{model}") is not None:
            self.add_error("model", "This model is known already. Look for it in the list.")
        if not values.get("like") and not (values.get("context") and values.get("max_output")):
            if "like" not in self.errors:
                self.add_error("like", "Name a model that it is like, or give both numbers of tokens.")
        return values

    @property
    def ref(self) -> str:
        return f"{self.cleaned_data['provider']}/{self.cleaned_data['model']}"

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the model, as usage.catalogue.corrections takes it."""
        like = self.cleaned_data["like"]
        taken = msgspec.to_builtins(like) if like is not None else {}
        facts = {name: taken[name] for name in TAKEN_OVER if taken.get(name) is not None}
        own = {name: self.cleaned_data[name] for name in ("context", "max_output")}
        return facts | {name: value for name, value in own.items() if value}
