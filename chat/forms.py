"""What a person may send. Fields that are not named here do not exist."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from .wishes import EFFORTS

LONGEST_TEXT = 1_000_000  # characters of one message
LONGEST_SYSTEM = 100_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """The text without NUL and lone surrogates (no database stores them), its line ends as \\n."""
    return _UNSTORABLE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


class Text(forms.CharField):
    """Free text, cleaned before it is validated and never stripped."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def to_python(self, value: Any) -> str:
        return clean_text(super().to_python(value) or "")


class SettingsForm(forms.Form):
    """The conversation's settings: an empty field means the model's own way.

    What the chosen model does not have is kept all the same: the model may change (`wishes.grant`).
    """

    system = Text(required=False, max_length=LONGEST_SYSTEM)
    max_tokens = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)
    thinking = forms.ChoiceField(
        required=False, choices=[("", "as the model does"), ("on", "on"), ("off", "off")]
    )
    effort = forms.ChoiceField(
        required=False, choices=[("", "as the model does"), *((effort, effort) for effort in EFFORTS)]
    )
    code_execution = forms.BooleanField(required=False)

    def chosen(self) -> dict[str, Any]:
        """Only what was set."""
        return {
            name: self.cleaned_data[name]
            for name in ("system", "max_tokens", "thinking", "effort", "code_execution")
            if self.cleaned_data[name]
        }


class EditForm(forms.Form):
    """A person's turn, and who is to answer it."""

    text = Text(max_length=LONGEST_TEXT)
    model = forms.CharField(max_length=200)
    client_id = forms.UUIDField(required=False)

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if not text.strip():
            raise forms.ValidationError("Write something first.")
        return text


class SendForm(EditForm):
    parent = forms.UUIDField(required=False)
    web_search = forms.BooleanField(required=False)


class EstimateForm(forms.Form):
    """What would be asked, as far as it matters for its cost before the text is known."""

    model = forms.CharField(max_length=200)
    web_search = forms.BooleanField(required=False)


class RetryForm(forms.Form):
    """Without a model, the one that has answered before."""

    model = forms.CharField(max_length=200, required=False)
    client_id = forms.UUIDField(required=False)


class OnceForm(forms.Form):
    """What can be asked for again without being done again."""

    client_id = forms.UUIDField(required=False)


class HeadForm(forms.Form):
    message = forms.UUIDField()


class RestoreForm(forms.Form):
    """`head` is the end of the branch that was shown before."""

    head = forms.UUIDField(required=False)


def first_error(*checked: forms.Form) -> str:
    """One sentence for the person."""
    for form in checked:
        for name, errors in form.errors.items():
            return (
                str(errors[0])
                if name in {"text", "__all__"}
                else f"{name.replace('_', ' ').capitalize()}: {errors[0]}"
            )
    return "That could not be read."
