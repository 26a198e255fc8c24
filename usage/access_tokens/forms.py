"""The forms of access tokens. They check shape; what is allowed is decided by accounts.tokens.actions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.utils import timezone

from accounts.ids import uuid7
from accounts.models import AccessToken, Team, User
from accounts.sign_in.forms import NameField, dressed
from accounts.tokens.policy import MOST_DAYS, TokenPolicy
from usage.budgets import words as budget_words
from usage.models import Budget
from usage.offers.offers import Offer

DAYS = (30, 90, 365)
USUAL = "90"
SCOPES = [
    (AccessToken.Scope.MESSAGES, "Messages", "Send messages to models, and read the answers"),
    (AccessToken.Scope.COUNT_TOKENS, "Count tokens", "Ask how long a prompt is; it costs nothing"),
    (AccessToken.Scope.MODELS, "List models", "Ask which models there are; coding agents do at their start"),
]
WHO = [
    ("everybody", "Everybody", "For what each may do here anyway, and no more."),
    ("admins", "Admins", "Tokens of others are refused from now on, and taken again if they become admins."),
    ("nobody", "Nobody", "Every token is refused from now on. They are kept, and can be let in again."),
]


class LimitField(forms.CharField):
    """Dollars as people type them; the value is nano-dollars, None where nothing was typed."""

    def __init__(self, **more: Any) -> None:
        widget = forms.TextInput(
            attrs={"class": "input figure", "inputmode": "decimal", "autocomplete": "off"}
        )
        super().__init__(**{"max_length": 30, "required": False, "widget": widget, **more})

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        if not typed:
            return None
        try:
            return budget_words.parsed(Budget.Measure.MONEY, typed)
        except budget_words.NotAnAmount as error:
            raise ValidationError(str(error)) from None


def day_field(label: str, **more: Any) -> forms.DateField:
    widget = dressed(forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    return forms.DateField(label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget, **more)


class NewTokenForm(forms.Form):
    """A new token. `slip` is its id, drawn by the server for this person's form: sent twice it makes one."""

    slip = forms.CharField(max_length=200, widget=forms.HiddenInput)
    name = NameField(
        label="Name",
        widget=dressed(forms.TextInput(), autocomplete="off"),
        help_text="Where it will be: the program or the machine.",
    )
    scopes = forms.MultipleChoiceField(label="It may", choices=AccessToken.Scope.choices)
    which = forms.ChoiceField(
        label="Models",
        choices=[("all", "All that I may use"), ("some", "Only these")],
        widget=forms.RadioSelect,
    )
    models = forms.MultipleChoiceField(required=False)
    team = forms.ModelChoiceField(
        Team.objects.none(), label="Paid by", required=False, empty_label="You: your own budgets"
    )
    lifetime = forms.ChoiceField(label="Ends", widget=dressed(forms.Select()))
    until = day_field("Last day")
    limit = LimitField(
        label="Budget each month", help_text="In dollars. Empty: as much as your other budgets leave."
    )

    def __init__(
        self, data: Any = None, *, person: User, policy: TokenPolicy, offers: Sequence[Offer]
    ) -> None:
        self.person, self.policy = person, policy
        self._signer = Signer(salt=f"access token of {person.pk}")
        first = {
            "slip": self._signer.sign(str(uuid7())),
            "scopes": list(AccessToken.Scope.values),
            "which": "all",
            "lifetime": USUAL,
        }
        super().__init__(data, initial=first)
        fields = cast(Any, self.fields)
        fields["models"].choices = [(offer.ref, offer.spec.name) for offer in offers]
        fields["team"].queryset = Team.objects.filter(memberships__user=person).order_by("name")
        fields["team"].widget.attrs["class"] = "input"
        fields["lifetime"].choices = self._lifetimes()
        self.groups = _by_provider(offers)

    def clean_slip(self) -> UUID:
        try:
            return UUID(self._signer.unsign(self.cleaned_data["slip"]))
        except (BadSignature, ValueError):
            raise ValidationError("This form is not yours. Open it again.") from None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("which") == "all":
            values["models"] = []
        elif "models" in values and not values["models"]:
            self.add_error("models", "Choose one model at least.")
        values["expires_at"] = None
        match values.get("lifetime"):
            case "date" if values.get("until") is None:
                if "until" not in self.errors:
                    self.add_error("until", "Choose the last day.")
            case "date":
                values["expires_at"] = end_of(values["until"], self.person)
                if values["expires_at"] <= timezone.now():
                    self.add_error("until", "This day has passed. Choose one ahead.")
            case str(days) if days.isdecimal():
                values["expires_at"] = timezone.now() + timedelta(days=int(days))
        return values

    @property
    def checked_models(self) -> set[str]:
        return set(self["models"].value() or ())

    @property
    def checked_scopes(self) -> set[str]:
        return set(self["scopes"].value() or ())

    def _lifetimes(self) -> list[tuple[str, str]]:
        longest = self.policy.longest_days
        days = [count for count in DAYS if longest is None or count <= longest]
        if longest is not None and longest not in days:
            days.append(longest)
        found = [(str(count), f"in {count} day{'s' if count != 1 else ''}") for count in days]
        found.append(("date", "On a day that I choose"))
        if longest is None:
            found.append(("never", "Never"))
        elif USUAL not in dict(found):
            self.initial["lifetime"] = str(longest)
        return [(name, label[:1].upper() + label[1:]) for name, label in found]


class TokenForm(forms.Form):
    """What may be changed of a token that is there."""

    name = NameField(label="Name", widget=dressed(forms.TextInput(), autocomplete="off"))
    until = day_field("Last day")
    limit = LimitField(label="Budget each month")

    def __init__(self, data: Any = None, *, token: AccessToken, budget: Budget | None) -> None:
        self.token = token
        limit = budget_words.typed(budget.measure, budget.limit) if budget is not None else ""
        super().__init__(data, initial={"name": token.name, "until": last_day(token), "limit": limit})

    def clean(self) -> dict[str, Any]:
        """Sets `expires_at`: the end that the token has, where the day is the one on which it ends anyway."""
        values = super().clean() or {}
        day = values.get("until")
        if day is None or day == last_day(self.token):
            values["expires_at"] = None if day is None else self.token.expires_at
        else:
            values["expires_at"] = end_of(day, self.token.user)
        return values


class TokenPolicyForm(forms.Form):
    """Who may have tokens, and for how long."""

    who = forms.ChoiceField(choices=[(name, label) for name, label, _ in WHO], widget=forms.RadioSelect)
    longest_days = forms.IntegerField(
        label="Longest life of a new token, in days",
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        widget=dressed(forms.NumberInput(), inputmode="numeric"),
        help_text="Empty: as long as people wish, for ever too. Tokens that are there keep their end.",
    )

    def __init__(self, data: Any = None, *, policy: TokenPolicy) -> None:
        super().__init__(data, initial={"who": policy.who, "longest_days": policy.longest_days})

    def policy(self) -> TokenPolicy:
        return TokenPolicy(self.cleaned_data["who"], self.cleaned_data["longest_days"])


def end_of(day: Any, person: User) -> datetime:
    """The last second of this day, where the person is."""
    return datetime.combine(day, time(23, 59, 59), ZoneInfo(person.timezone))


def last_day(token: AccessToken) -> Any:
    """The day on which the token ends, where its owner is; None: it does not end."""
    if token.expires_at is None:
        return None
    return token.expires_at.astimezone(ZoneInfo(token.user.timezone)).date()


def _by_provider(offers: Sequence[Offer]) -> list[tuple[str, list[tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for offer in offers:
        groups.setdefault(offer.provider, []).append((offer.ref, offer.spec.name))
    return list(groups.items())
