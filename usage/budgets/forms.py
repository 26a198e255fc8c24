"""The forms of budgets. They check shape; what makes sense is decided by usage.budgets.actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from accounts.models import AccessToken, Team, User
from accounts.names import NAME_LENGTH, one_line
from usage.budgets import words
from usage.catalogue.forms import text_input
from usage.models import Budget

LONGEST_WORDS = 500  # characters of a reason, and of what is answered to it
# Which field names whom a budget is for.
WHO = {"team": "team", "member": "team", "person": "person", "project": "scope_id", "token": "scope_id"}
MODES = [
    ("block", "Block", "No new answer begins until the next period, or until you raise the limit"),
    ("warn", "Warn", "Answers go on, and the page says that the limit is reached"),
    ("cheaper", "Cheaper model", "Answers go on with the model that you choose"),
]
ADMISSIONS = [
    ("strict", "Strict", "Each call is held at the most that it can cost. The limit is never passed."),
    (
        "estimated",
        "Estimated",
        "Each call is held at what such calls usually come to. More of them fit, and the limit can be passed "
        "by what calls that run at once cost beyond that.",
    ),
]


class LimitField(forms.CharField):
    """An amount as people type it; what it is of is said by the form's measure."""

    def __init__(self, **more: Any) -> None:
        widget = forms.TextInput(
            attrs={"class": "input figure", "inputmode": "decimal", "autocomplete": "off"}
        )
        super().__init__(**{"max_length": 30, "widget": widget, **more})


class Words(forms.CharField):
    """A sentence of a person, on one line."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"max_length": LONGEST_WORDS, "required": False, "widget": text_input(), **more})

    def to_python(self, value: Any) -> str:
        return one_line(super().to_python(value) or "")


class _Named(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.display} · {obj.email}" if isinstance(obj, User) else str(obj)


class BudgetForm(forms.Form):
    """A new budget, or another word on one that is there: what that one counts stays as it is.

    `budget` is the one to change; `models` are the refs and names of the models on offer.
    """

    scope = forms.ChoiceField(label="For", choices=list(words.SCOPES.items()))
    team = _Named(label="Team", queryset=Team.objects.none(), required=False, empty_label="Choose a team")
    person = _Named(
        label="Person", queryset=User.objects.none(), required=False, empty_label="Choose a person"
    )
    scope_id = forms.UUIDField(
        label="Id of the project or token",
        required=False,
        widget=text_input(spellcheck="false"),
        error_messages={"invalid": "This is no id. Copy it again, whole."},
    )
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=NAME_LENGTH,
        widget=text_input(),
        help_text="As people read it. Empty: whom it is for.",
    )
    measure = forms.ChoiceField(
        label="Counts", choices=list(words.MEASURES.items()), widget=forms.RadioSelect
    )
    period = forms.ChoiceField(label="Period", choices=list(words.PERIODS.items()), widget=forms.RadioSelect)
    timezone = forms.ChoiceField(label="Time zone, in which days begin")
    limit = LimitField(label="Limit")
    mode = forms.ChoiceField(
        label="When it is reached",
        choices=[(name, label) for name, label, _ in MODES],
        widget=forms.RadioSelect,
    )
    cheaper_model = forms.ChoiceField(label="Cheaper model", required=False)
    admission = forms.ChoiceField(
        label="What is held for a call that begins",
        choices=[(name, label) for name, label, _ in ADMISSIONS],
        widget=forms.RadioSelect,
    )

    def __init__(
        self,
        data: Any = None,
        *,
        budget: Budget | None = None,
        models: Sequence[tuple[str, str]] = (),
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            data, initial=_first(budget) if budget is not None else {**_usual(), **(initial or {})}
        )
        self.budget = budget
        cast(Any, self.fields["team"]).queryset = Team.objects.order_by("name")
        cast(Any, self.fields["person"]).queryset = User.objects.active().order_by("display_name", "email")
        cast(Any, self.fields["timezone"]).choices = [(zone, zone) for zone in sorted(available_timezones())]
        known = list(models)
        stored = budget.cheaper_model if budget is not None else ""
        if stored and stored not in {ref for ref, _ in known}:
            known.append((stored, f"{stored} (not on offer now)"))
        cast(Any, self.fields["cheaper_model"]).choices = [("", "Choose a model"), *known]
        for name in ("scope", "team", "person", "timezone", "cheaper_model"):
            self.fields[name].widget.attrs["class"] = "input"
        if budget is not None:
            for name in ("scope", "team", "person", "scope_id", "measure", "period", "timezone"):
                del self.fields[name]

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        measure = self.budget.measure if self.budget is not None else values.get("measure", "")
        if measure and "limit" in values:
            try:
                values["amount"] = words.parsed(measure, values["limit"])
            except words.NotAnAmount as error:
                self.add_error("limit", str(error))
        if values.get("mode") == "cheaper" and not values.get("cheaper_model") and "cheaper_model" in values:
            self.add_error("cheaper_model", "Choose the model that answers from then on.")
        if values.get("mode") != "cheaper":
            values["cheaper_model"] = ""
        if self.budget is None and "scope" in values:
            self._find_whom(values)
        return values

    def _find_whom(self, values: dict[str, Any]) -> None:
        """Sets `whom` to the id of the scope, and a name where none was typed."""
        field = WHO.get(values["scope"])
        values["whom"] = None
        found: Any = None
        if field is not None:
            if field not in values:
                return  # it has its error already
            found = values[field]
            if found is None:
                self.add_error(
                    field, "Choose whom the budget is for." if field != "scope_id" else "Enter the id."
                )
                return
            values["whom"] = found if isinstance(found, UUID) else found.pk
        if values["scope"] == "token":
            found = AccessToken.objects.filter(pk=values["whom"]).first()
            if found is None:
                self.add_error("scope_id", "There is no access token with this id.")
                return
            found = found.name
        if not values.get("name"):
            values["name"] = _name(values["scope"], found)


class DecisionForm(forms.Form):
    """What an admin decides about a request: the new limit, and a sentence to the person."""

    limit = LimitField(label="New limit", required=False)
    answer = Words(label="Answer")
    verdict = forms.ChoiceField(choices=[("approve", "Approve"), ("refuse", "Refuse")])

    def __init__(self, data: Any = None, *, measure: str, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self.measure = measure

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("verdict") == "refuse" and not values.get("answer") and "answer" in values:
            self.add_error("answer", "Say in a sentence why, or what to do instead.")
        if values.get("verdict") == "approve" and "limit" in values:
            try:
                values["amount"] = words.parsed(self.measure, values["limit"])
            except words.NotAnAmount as error:
                self.add_error("limit", str(error))
        return values


class AskForm(forms.Form):
    """A person asks for more: in one click, or with a reason and the limit that would do."""

    budget = forms.UUIDField()
    reason = Words(label="What for")
    wanted = LimitField(label="Limit that would do", required=False)


def wanted(form: AskForm, measure: str) -> int | None:
    """The limit that was wished for; None: none was named. Raises ValidationError."""
    text: str = form.cleaned_data["wanted"]
    try:
        return words.parsed(measure, text) if text else None
    except words.NotAnAmount as error:
        raise ValidationError(str(error)) from None


def _usual() -> dict[str, Any]:
    return {
        "scope": "organisation",
        "measure": "money",
        "period": "month",
        "timezone": settings.TIME_ZONE,
        "mode": "block",
        "admission": "strict",
    }


def _first(budget: Budget) -> dict[str, Any]:
    return {
        "name": budget.name,
        "limit": words.typed(budget.measure, budget.limit),
        "mode": budget.mode,
        "cheaper_model": budget.cheaper_model,
        "admission": budget.admission,
    }


def _name(scope: str, found: Any) -> str:
    """What a budget is called of which nobody said a name."""
    if scope == "organisation":
        return "Everyone"
    if scope == "project":
        return "Project"
    named = found.display if isinstance(found, User) else str(found)
    return f"Each member of {named}"[:NAME_LENGTH] if scope == "member" else named
