"""The form of one rule: which models, by provider or one by one, and which features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from accounts.policies.features import ABOUT, OFFERED, Feature
from accounts.policies.rules import NOTHING_DECIDED, Rule, Which, whole
from accounts.policies.store import Scope
from providers import registry
from usage.catalogue import known_models, overrides
from usage.policies import words

INHERITS = "inherit"
ALL = [
    ("all", "All models", "Also those that appear later."),
    (
        "except",
        "All but these",
        "Models that appear later are allowed, but for those of a provider checked whole.",
    ),
    (
        "only",
        "Only these",
        "Models that appear later are not allowed, but for those of a provider checked whole.",
    ),
]
NO_RULE = {
    Scope.OTHERS: (INHERITS, "No rule", "What the organisation’s rule allows."),
    Scope.TEAM: (INHERITS, "No rule of its own", "What goes for everyone else goes for this team."),
}


@dataclass(frozen=True, slots=True)
class Choice:
    ref: str
    name: str
    checked: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The models of one provider; `whole` is all of them, also those to come."""

    label: str
    whole: Choice
    models: list[Choice]
    has_key: bool

    @property
    def checked(self) -> int:
        return sum(one.checked for one in self.models)


class RuleForm(forms.Form):
    """`usable` are the providers that can be used now: they come first. `sure` says that what the rule takes
    away was shown.
    """

    which = forms.ChoiceField(widget=forms.RadioSelect)
    models = forms.MultipleChoiceField(required=False)
    features = forms.MultipleChoiceField(
        required=False, choices=[(feature.value, ABOUT[feature].label) for feature in OFFERED]
    )
    sure = forms.CharField(required=False, max_length=64)

    def __init__(self, data: Any = None, *, scope: Scope, rule: Rule | None, usable: Iterable[str]) -> None:
        self._rule = rule or NOTHING_DECIDED
        self._usable = set(usable)
        self.ways = [NO_RULE[scope], *ALL] if scope in NO_RULE else ALL
        which = self._rule.which if rule is not None or scope not in NO_RULE else INHERITS
        super().__init__(
            data,
            initial={
                "which": which,
                "models": sorted(self._rule.models),
                "features": [feature.value for feature in OFFERED if feature not in self._rule.refused],
            },
        )
        self.fields["which"] = forms.ChoiceField(
            choices=[(name, label) for name, label, _ in self.ways],
            widget=forms.RadioSelect,
            error_messages={"required": "Say which models."},
        )
        refs = {*self._rule.models, *(ref for group in _known() for ref in (whole(group[0]), *group[1]))}
        self.fields["models"] = forms.MultipleChoiceField(
            required=False, choices=[(ref, ref) for ref in refs]
        )

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("which") == "except" and not values.get("models") and not self.errors:
            raise ValidationError("Check the models or providers that are not allowed, or allow all models.")
        return values

    def rule(self) -> Rule | None:
        """What was chosen. Features that the form does not show stay as they were."""
        values = self.cleaned_data
        if values["which"] == INHERITS:
            return None
        shown = frozenset(OFFERED)
        return Rule(
            cast(Which, values["which"]),
            frozenset(values["models"]) if values["which"] != "all" else frozenset(),
            (self._rule.refused - shown) | (shown - {Feature(name) for name in values["features"]}),
            self._rule.granted,
        )

    @property
    def groups(self) -> list[Group]:
        """Providers with a key first."""
        checked = set(self["models"].value() or ())
        found = [
            Group(
                _label(provider),
                Choice(whole(provider), f"All of {_label(provider)}", whole(provider) in checked),
                [Choice(ref, words.model_name(ref), ref in checked) for ref in refs],
                provider in self._usable,
            )
            for provider, refs in [*_known(), *_unknown(checked)]
        ]
        return sorted(found, key=lambda group: not group.has_key)

    @property
    def boxes(self) -> list[tuple[str, str, str, bool]]:
        """Name, label, meaning and state of every offered feature."""
        checked = set(self["features"].value() or ())
        return [
            (feature.value, ABOUT[feature].label, ABOUT[feature].means, feature.value in checked)
            for feature in OFFERED
        ]


def _known() -> list[tuple[str, list[str]]]:
    """Every provider with the refs of its models that are not retired."""
    return [
        (
            provider,
            [spec.ref for spec in overrides.specs(provider) if not spec.is_retired(known_models.today())],
        )
        for provider in registry.providers()
    ]


def _unknown(checked: set[str]) -> list[tuple[str, list[str]]]:
    """What a rule names and nobody knows any more, by provider."""
    known = {ref for provider, refs in _known() for ref in (whole(provider), *refs)}
    gone: dict[str, list[str]] = {}
    for ref in sorted(checked - known):
        gone.setdefault(ref.partition("/")[0], []).append(ref)
    return list(gone.items())


def _label(provider: str) -> str:
    row = registry.provider(provider)
    return row.label if row is not None else provider
