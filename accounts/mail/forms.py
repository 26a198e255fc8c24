"""The form of a mail server. What it holds can be tried before it is stored."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from accounts.mail.server import Server
from accounts.models import MailServer
from accounts.names import clean_email
from providers.access import Secret
from providers.addresses import is_literal

LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{LABEL}\.)*{LABEL}")
NO_HOST = "Enter a name such as smtp.example.org, or an IP address, and nothing around it."
ENTER_PASSWORD = "Enter the password: it is kept for one server, port, encryption and user alone."  # noqa: S105
IN_CLEAR = "Without encryption no password is sent. Choose STARTTLS or TLS, or leave user and password out."


def _input(**attributes: str) -> forms.TextInput:
    return forms.TextInput(
        attrs={"class": "input", "autocomplete": "off", "spellcheck": "false", **attributes}
    )


class MailForm(forms.Form):
    """`stored` is what is in force: its password goes on where none is typed and nothing else of the login
    changes. `server` is what was typed, once the form is valid.
    """

    host = forms.CharField(label="Server", max_length=253, widget=_input(placeholder="smtp.example.org"))
    port = forms.IntegerField(
        label="Port",
        min_value=1,
        max_value=65535,
        initial=587,
        widget=forms.NumberInput(attrs={"class": "input figure", "inputmode": "numeric"}),
    )
    security = forms.ChoiceField(
        label="Encryption",
        choices=MailServer.Security.choices,
        initial=MailServer.Security.STARTTLS,
        widget=forms.Select(attrs={"class": "input"}),
    )
    sender = forms.EmailField(
        label="Sender",
        max_length=254,
        widget=forms.EmailInput(attrs={"class": "input", "placeholder": "parley@example.org"}),
        help_text="The address that every letter is from.",
    )
    username = forms.CharField(label="User", max_length=254, required=False, widget=_input())
    password = forms.CharField(
        label="Password",
        max_length=1000,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "new-password"}),
    )

    server: Server

    def __init__(self, data: Any = None, *, stored: Server | None = None, **more: Any) -> None:
        super().__init__(data, **more)
        self._stored = stored
        if stored is not None and not self.is_bound:
            self.initial = {
                "host": stored.host,
                "port": stored.port,
                "security": stored.security,
                "sender": stored.sender,
                "username": stored.username,
            }
        kept = stored is not None and stored.password is not None
        self.fields["password"].help_text = (
            "One is stored. Empty: it stays, unless server, port, encryption or user change."
            if kept
            else "Empty, with the user, for a server that asks for none."
        )

    def clean_host(self) -> str:
        text = self.cleaned_data["host"].strip().rstrip(".").lower()
        try:
            plain = text if is_literal(text) else text.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValidationError(NO_HOST) from None
        is_address = is_literal(plain) and not set(plain) & set("[]%")
        if not is_address and not HOST.fullmatch(plain):
            raise ValidationError(NO_HOST)
        return str(plain)

    def clean_sender(self) -> str:
        return clean_email(self.cleaned_data["sender"])

    def clean_username(self) -> str:
        text: str = self.cleaned_data["username"]
        if not text.isprintable():
            raise ValidationError("This holds characters that cannot be seen.")
        return text

    def clean_password(self) -> str:
        text: str = self.cleaned_data["password"]
        if not text.isprintable():
            raise ValidationError("This holds characters that cannot be seen.")
        return text

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return values
        typed = values.pop("password")
        plain = {name: values[name] for name in ("host", "port", "security", "sender", "username")}
        bare = Server(**plain)
        if typed and not bare.username:
            self.add_error("username", "Enter the user of this password.")
        elif bare.username and bare.security == MailServer.Security.NONE:
            self.add_error("security", IN_CLEAR)
        elif bare.username and not typed and not self._goes_on(bare):
            self.add_error("password", ENTER_PASSWORD)
        else:
            kept = self._stored.password if self._stored is not None and bare.username else None
            self.server = Server(**plain, password=Secret(typed) if typed else kept)
        return values

    def _goes_on(self, bare: Server) -> bool:
        """Whether the stored password may be sent with what was typed."""
        stored = self._stored
        return stored is not None and stored.password is not None and stored.same_login(bare)
