"""Forms about models and prices. They check shape; what makes sense is decided by usage.catalogue.actions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, get_args

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from providers.catalogue import Api, Capability, LongContext, ModelSpec, Price, Rates
from usage.models import Price as OwnPrice

PICO = 1_000_000  # pico-dollars per token, for a dollar per million tokens
NANO_PER_THOUSAND = 1_000_000_000  # nano-dollars for a thousand searches, for a dollar
MOST_DOLLARS = 100_000
MOST_TOKENS = 100_000_000
SWITCH = [("", "As it comes"), ("on", "On"), ("off", "Off")]
_SWITCHED = {"": None, "on": True, "off": False}
_LETTERS = {None: "", True: "on", False: "off"}


class Dollars(forms.DecimalField):
    """Dollars with six decimal places at most, so that they are whole pico-dollars per token."""

    def __init__(self, **more: Any) -> None:
        widget = forms.TextInput(attrs={"class": "input figure", "inputmode": "decimal"})
        limits: dict[str, Any] = {"min_value": 0, "max_value": MOST_DOLLARS, "decimal_places": 6}
        super().__init__(**{"max_digits": 12, "widget": widget, **limits, **more})


def text_input(**attributes: str) -> forms.TextInput:
    return forms.TextInput(attrs={"class": "input", **attributes})


class ModelForm(forms.Form):
    """An admin's word on one model. An empty field leaves what the catalogue or the vendor says."""

    enabled = forms.ChoiceField(label="For people here", choices=SWITCH, required=False)
    display_name = forms.CharField(label="Name", max_length=80, required=False, widget=text_input())
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
    api = forms.ChoiceField(label="API", required=False)
    correct_abilities = forms.BooleanField(label="Correct what it can do", required=False)
    capabilities = forms.MultipleChoiceField(
        label="What it can do",
        choices=[(flag, flag.replace("_", " ")) for flag in get_args(Capability)],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["api"].choices = [("", "As it comes"), *((api, api) for api in get_args(Api))]  # type: ignore[attr-defined]
        for name in ("enabled", "api"):
            self.fields[name].widget.attrs["class"] = "input"

    @staticmethod
    def values_of(
        enabled: bool | None, display_name: str, facts: dict[str, Any], spec: ModelSpec
    ) -> dict[str, Any]:
        """What the form shows at first."""
        return {
            "enabled": _LETTERS[enabled],
            "display_name": display_name,
            "context": facts.get("context"),
            "max_output": facts.get("max_output"),
            "api": facts.get("api", ""),
            "correct_abilities": "capabilities" in facts,
            "capabilities": sorted(facts.get("capabilities", spec.capabilities)),
        }

    def clean_display_name(self) -> str:
        name: str = self.cleaned_data["display_name"].strip()
        if name and not name.isprintable():
            raise ValidationError("Use letters, digits and signs only.")
        return name

    @property
    def switch(self) -> bool | None:
        return _SWITCHED[self.cleaned_data["enabled"]]

    def facts(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The admin's facts; those that this form does not show stay as they are stored."""
        shown = {name: self.cleaned_data[name] or None for name in ("context", "max_output", "api")}
        able = sorted(self.cleaned_data["capabilities"])
        shown["capabilities"] = able if self.cleaned_data["correct_abilities"] else None
        return {name: value for name, value in {**stored, **shown}.items() if value is not None}


class PriceForm(forms.Form):
    """A price in dollars per million tokens. What is left empty costs what is usual, at the dear end."""

    input = Dollars(label="Input")
    output = Dollars(label="Output")
    cache_read = Dollars(label="Read from cache", required=False, help_text="Empty: as input")
    cache_write = Dollars(label="Write to cache", required=False, help_text="Empty: 1.25 × input")
    cache_write_hour = Dollars(label="Write for an hour", required=False, help_text="Empty: 2 × input")
    long_above = forms.IntegerField(
        label="Another price above so many tokens",
        min_value=1,
        max_value=MOST_TOKENS,
        required=False,
        widget=text_input(inputmode="numeric"),
        help_text="The size of a prompt. Empty: one price for all",
    )
    long_input = Dollars(label="Input above it", required=False)
    long_output = Dollars(label="Output above it", required=False)
    search = Dollars(label="A thousand web searches", required=False)
    valid_from = forms.DateField(
        label="From (UTC)",
        required=False,
        widget=forms.DateInput(attrs={"class": "input", "type": "date"}, format="%Y-%m-%d"),
        help_text="Empty: from now on",
    )
    valid_until = forms.DateField(
        label="Up to, without this day (UTC)",
        required=False,
        widget=forms.DateInput(attrs={"class": "input", "type": "date"}, format="%Y-%m-%d"),
        help_text="Empty: until you change it",
    )

    @staticmethod
    def values_of(price: Price | OwnPrice | None) -> dict[str, Any]:
        """The price in force, to begin with."""
        if price is None:
            return {}
        values: dict[str, Any] = {
            "input": _shown(price.input),
            "output": _shown(price.output),
            "cache_read": _shown(price.cache_read),
            "cache_write": _shown(price.cache_write_5m),
            "cache_write_hour": _shown(price.cache_write_1h),
        }
        tier = price.long_context
        if isinstance(price, OwnPrice) and isinstance(tier, dict):
            values["long_above"] = price.long_context_above
            values["long_input"], values["long_output"] = _shown(tier["input"]), _shown(tier["output"])
        elif isinstance(tier, LongContext):
            values["long_above"] = tier.threshold
            values["long_input"], values["long_output"] = _shown(tier.input), _shown(tier.output)
        if price.web_search_per_1000_nano is not None:
            values["search"] = _plain(Decimal(price.web_search_per_1000_nano) / NANO_PER_THOUSAND)
        return values

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name in ("input", "output"):
            if values.get(name) == 0:
                self.add_error(name, "Nothing is free: a price of zero would let everybody spend unseen.")
        tier = [values.get(name) for name in ("long_above", "long_input", "long_output")]
        if any(value is not None for value in tier) and not all(tier):
            self.add_error("long_above", "Give the size and both prices above it, or none of the three.")
        return values

    def rates(self) -> Rates:
        values = self.cleaned_data
        asked, answered = _pico(values["input"]), _pico(values["output"])
        return Rates(
            input=asked,
            output=answered,
            cache_read=_pico(values["cache_read"]) if values["cache_read"] is not None else asked,
            cache_write_5m=_given(values["cache_write"], -(-asked * 5 // 4)),
            cache_write_1h=_given(values["cache_write_hour"], 2 * asked),
        )

    def long_context(self) -> LongContext | None:
        """The tier; its cache rates stand to its input as those below it do."""
        values = self.cleaned_data
        if not values.get("long_above"):
            return None
        return scaled(
            self.rates(), values["long_above"], _pico(values["long_input"]), _pico(values["long_output"])
        )

    def search_nano(self) -> int | None:
        value = self.cleaned_data["search"]
        return None if value is None else int(value * NANO_PER_THOUSAND)

    def begins(self) -> datetime:
        day = self.cleaned_data["valid_from"]
        return timezone.now() if day is None else datetime.combine(day, time(), UTC)

    def ends(self) -> datetime | None:
        day = self.cleaned_data["valid_until"]
        return None if day is None else datetime.combine(day, time(), UTC)


class ChainForm(forms.Form):
    """The models that take over, one ref a line."""

    refs = forms.CharField(
        label="Ask these in turn when the model cannot answer",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"class": "input", "rows": 4, "spellcheck": "false"}),
        help_text="One a line, such as anthropic/claude-sonnet-5-5. Nobody is asked after the first word.",
    )

    def clean_refs(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["refs"].splitlines() if line.strip()]


def scaled(below: Rates, threshold: int, asked: int, answered: int) -> LongContext:
    """A tier's rates, rounded up, from those below it and its own input and output."""

    def above(rate: int) -> int:
        return -(-rate * asked // below.input)

    return LongContext(
        threshold=threshold,
        input=asked,
        output=answered,
        cache_read=above(below.cache_read),
        cache_write_5m=above(below.cache_write_5m),
        cache_write_1h=above(below.cache_write_1h),
    )


def chain_text(refs: Iterable[str]) -> str:
    return "\n".join(refs)


def _pico(dollars: Decimal) -> int:
    return int(dollars * PICO)


def _given(dollars: Decimal | None, usual: int) -> int:
    return usual if dollars is None else _pico(dollars)


def _shown(pico: int) -> str:
    return _plain(Decimal(pico) / PICO)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
