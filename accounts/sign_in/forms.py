"""The forms of the door: set-up, signing in, passwords. Each names its fields; more is ignored."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth_forms
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator

from accounts.models import User
from accounts.names import NAME_LENGTH, clean_email, one_line
from providers.access import Secret

PASSWORD_LENGTH = 1000  # hashing a megabyte is work that a stranger should not be able to order
KEY_LENGTH = 500
CHOOSING_HINT = "At least 10 characters. A few words that only you would put together work well."


def dressed(widget: forms.Widget, **attributes: str) -> forms.Widget:
    """The control as our pages show it."""
    widget.attrs = {"class": "input", **attributes}
    return widget


def dress(form: forms.BaseForm, labels: dict[str, str]) -> None:
    """Our labels and controls on a form of allauth, and a bound on every password."""
    for name, label in labels.items():
        field = form.fields[name]
        field.label, field.help_text = label, ""
        field.widget.attrs["class"] = "input"
        field.widget.attrs.pop("placeholder", None)
        if isinstance(field.widget, forms.PasswordInput):
            field.validators.append(MaxLengthValidator(PASSWORD_LENGTH, "This password is too long."))
    if "password1" in form.fields:
        form.fields["password1"].help_text = CHOOSING_HINT


class NameField(forms.CharField):
    """One line, as it will be stored; one that is too long is refused, not cut."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=NAME_LENGTH, **kwargs)

    def to_python(self, value: Any) -> str:
        return one_line(super().to_python(value) or "")


class SetupForm(forms.Form):
    """The first visit. The code is a field only where it is asked for."""

    organisation = NameField(
        label="Organisation", widget=dressed(forms.TextInput(), autocomplete="organization", autofocus="")
    )
    display_name = NameField(label="Your name", widget=dressed(forms.TextInput(), autocomplete="name"))
    email = forms.EmailField(
        label="E-mail", max_length=254, widget=dressed(forms.EmailInput(), autocomplete="username")
    )
    password = forms.CharField(
        label="Password",
        strip=False,
        max_length=PASSWORD_LENGTH,
        help_text=CHOOSING_HINT,
        widget=dressed(forms.PasswordInput(), autocomplete="new-password"),
    )
    code = forms.CharField(
        label="Set-up code",
        strip=False,
        max_length=100,
        help_text="The server printed it at its start. It is also in its data folder: the file setup-code.",
        widget=dressed(
            forms.TextInput(), autocomplete="off", autocapitalize="characters", spellcheck="false"
        ),
    )

    def __init__(self, *args: Any, asks_for_code: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_for_code:
            del self.fields["code"]

    def clean_email(self) -> str:
        return clean_email(self.cleaned_data["email"])

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if "password" in values:
            person = User(email=values.get("email", ""), display_name=values.get("display_name", ""))
            try:
                validate_password(values["password"], person)
            except ValidationError as error:
                self.add_error("password", error)
        return values


class KeyForm(forms.Form):
    """A provider's API key. The value is a Secret from here on and never goes back into a page."""

    key = forms.CharField(
        label="Anthropic API key",
        max_length=KEY_LENGTH,
        help_text="Stored encrypted. After this only its last four characters are shown.",
        widget=dressed(
            forms.PasswordInput(render_value=False), autocomplete="off", spellcheck="false", autofocus=""
        ),
    )

    def clean_key(self) -> Secret:
        key = self.cleaned_data["key"]
        if not key.isascii() or not key.isprintable() or " " in key or len(key) < 8:
            raise ValidationError("This does not look like a key. Copy it again, whole and without spaces.")
        return Secret(key)


class LoginForm(allauth_forms.LoginForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, {"login": "E-mail", "password": "Password"})
        self.fields["login"].widget.attrs["autocomplete"] = "username"


class ChangePasswordForm(allauth_forms.ChangePasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(
            self,
            {
                "oldpassword": "Current password",
                "password1": "New password",
                "password2": "New password, again",
            },
        )


class SetPasswordForm(allauth_forms.SetPasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, {"password1": "Password", "password2": "Password, again"})


class ResetPasswordForm(allauth_forms.ResetPasswordForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, {"email": "E-mail"})


class ResetPasswordKeyForm(allauth_forms.ResetPasswordKeyForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, {"password1": "New password", "password2": "New password, again"})
