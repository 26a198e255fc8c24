"""What people enter to give Parley a key or to begin a login: the fields that the vendor's row names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.keys import credentials
from accounts.keys.owners import Owner
from accounts.logins import vendors as vendor_logins
from accounts.models import Credential
from accounts.sign_in.forms import NameField, dressed
from providers import registry
from providers.access import AccessKind, Secret
from providers.oauth import is_safe
from providers.registry import Option, Provider

SECRET_LENGTH = 4000
ADDRESS_LENGTH = 300  # that of the column
OPTION_LENGTH = 200
OPTION = "option_"

SECRETS: dict[str, tuple[str, str]] = {  # by kind: what it is called on the page
    "api_key": ("API key", "key"),
    "client": ("Client secret", "secret"),
    "device": ("GitHub token", "token"),
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to give Parley access to a provider: something to enter, or a login at the vendor."""

    provider: str
    label: str
    kind: AccessKind
    by_login: bool

    @property
    def words(self) -> str:
        """What stands on its button."""
        if self.by_login:
            return "Log in at GitHub" if self.kind == "device" else "Log in at the vendor"
        return f"Enter {_article(SECRETS[self.kind][0])}"


def ways() -> list[Way]:
    """Every way that is open now, provider by provider."""
    found = []
    for slug, row in registry.providers().items():
        found += [Way(slug, row.label, kind, False) for kind in row.auth_kinds if kind in SECRETS]
        if (kind := login_kind(slug)) is not None:
            found.append(Way(slug, row.label, kind, True))
    return found


def login_kind(provider: str) -> AccessKind | None:
    """The kind of credential that a login at this vendor makes; None where none is switched on."""
    client, row = vendor_logins.client(provider), registry.provider(provider)
    if client is None or row is None:
        return None
    kind: AccessKind = "device" if client.device_url else "oauth"
    return kind if kind in row.auth_kinds else None


class AccessForm(forms.Form):
    """Whose it is to be, address, options, label, and the secret where one is entered, which never goes back
    into a page. `owners` are those to choose from, by their values; of one there is nothing to choose.

    `cleaned_data` has `owner` (an Owner), `base_url`, `options` (those that were given), `label`, `rotate_by`
    and `secret`.
    """

    label = NameField(
        label="Name",
        required=False,
        help_text="To tell it from others on this page.",
        widget=dressed(forms.TextInput(), autocomplete="off"),
    )

    def __init__(
        self,
        *args: Any,
        provider: str,
        kind: AccessKind,
        owners: Mapping[str, Owner],
        by_login: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.provider, self.kind, self.owners = provider, kind, owners
        self.row = cast(Provider, registry.provider(provider))
        self.own_options = [option for option in self.row.options if _is_asked_for(option, kind)]
        label = self.fields.pop("label")
        if len(owners) > 1:
            self.fields["owner"] = _owner_field(owners)
        if not by_login:
            self.fields["secret"] = _secret_field(kind)
        if credentials.has_own_address(provider):
            self.fields["base_url"] = _address_field(self.row.address_label)
        for option in self.own_options:
            self.fields[OPTION + option.name] = _option_field(option)
        self.fields["label"] = label
        if not by_login:
            self.fields["rotate_by"] = rotation_field(only_ahead=True)

    def clean_owner(self) -> Owner:
        return self.owners[self.cleaned_data["owner"]]

    def clean_secret(self) -> Secret:
        text = self.cleaned_data["secret"]
        if not text.isascii() or not text.isprintable() or " " in text or len(text) < 8:
            thing = SECRETS[self.kind][1]
            raise ValidationError(
                f"This does not look like a {thing}. Copy it again, whole and without spaces."
            )
        return Secret(text)

    def clean_base_url(self) -> str:
        address: str = self.cleaned_data["base_url"].rstrip("/")
        if not is_safe(address) or "?" in address:
            raise ValidationError("This is not an https address, such as https://acme.example.com.")
        return address

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        options = {}
        for option in self.own_options:
            value = values.pop(OPTION + option.name, "")
            if value and not _fits(option, value):
                self.add_error(OPTION + option.name, "This does not fit. Copy it again.")
            elif value:
                options[option.name] = value
        values["options"] = options
        if len(self.owners) == 1:
            values["owner"] = next(iter(self.owners.values()))
        if not credentials.has_own_address(self.provider):
            values["base_url"] = credentials.base_url(self.provider)
        return values


def initial_of(credential: Credential) -> dict[str, str]:
    """What is known of a credential that is about to be replaced: everything but its secret."""
    options = {OPTION + name: value for name, value in credential.options.items()}
    return {"label": credential.label, "base_url": credential.base_url, **options}


def rotation_field(*, only_ahead: bool) -> forms.Field:
    """The day by which a credential is to be replaced."""

    def is_ahead(day: date) -> None:
        if only_ahead and day <= timezone.localdate():
            raise ValidationError("This day has passed. Choose one ahead.")

    return forms.DateField(
        label="Replace by",
        required=False,
        input_formats=["%Y-%m-%d"],
        validators=[is_ahead],
        help_text="The page of keys counts the days to it. Nothing stops by itself.",
        widget=dressed(forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")),
    )


def _is_asked_for(option: Option, kind: AccessKind) -> bool:
    return not option.shared and (not option.kinds or kind in option.kinds)


def _fits(option: Option, value: str) -> bool:
    match option.form:
        case "flag":
            return value == "1"
        case "url":
            return is_safe(value)
        case "text":
            return re.fullmatch(option.pattern, value) is not None


def _secret_field(kind: AccessKind) -> forms.Field:
    return forms.CharField(
        label=SECRETS[kind][0],
        max_length=SECRET_LENGTH,
        help_text="Stored encrypted. After this only its last four characters are shown.",
        widget=dressed(
            forms.PasswordInput(render_value=False), autocomplete="off", spellcheck="false", autofocus=""
        ),
    )


def _owner_field(owners: Mapping[str, Owner]) -> forms.Field:
    choices = [
        (value, owner.name if owner.team is None else f"Team {owner.name}") for value, owner in owners.items()
    ]
    return forms.ChoiceField(label="Serves", choices=choices, widget=dressed(forms.Select()))


def _address_field(label: str) -> forms.Field:
    return forms.CharField(
        label=label or "Address",
        max_length=ADDRESS_LENGTH,
        widget=dressed(forms.URLInput(), autocomplete="off", placeholder="https://"),
    )


def _option_field(option: Option) -> forms.Field:
    return forms.CharField(
        label=option.label,
        help_text=option.help,
        required=option.required,
        max_length=OPTION_LENGTH,
        widget=dressed(forms.TextInput(), autocomplete="off", spellcheck="false"),
    )


def _article(noun: str) -> str:
    written = noun if noun.isupper() or noun.startswith(("API", "GitHub")) else noun.lower()
    return f"{'an' if written[0] in 'AEIOUaeiou' else 'a'} {written}"
