"""The forms of a second step and of a person's own Security page. Each names its fields; more is ignored."""

from __future__ import annotations

import struct
import time
from typing import Any

from allauth.account import forms as account_forms
from allauth.account.adapter import get_adapter
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.webauthn import forms as webauthn_forms
from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.sign_in import audit, limits, policy, second_factors, totp
from accounts.sign_in.forms import NameField, dress, dressed
from providers.access import Secret

CODE_LENGTH = 40
CREDENTIAL_LENGTH = 20_000
TRIES, SECONDS = 10, 30 * 60  # wrong codes of one person
WRONG, WRONG_PASSKEY = "incorrect_code", "incorrect_passkey"
# What a hostile or broken browser can make allauth and fido2 stumble over, besides their own refusals.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, struct.error)


class CredentialField(forms.JSONField):
    """A passkey's answer as the browser's script wrote it down."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > CREDENTIAL_LENGTH:
            raise get_mfa_adapter().validation_error(WRONG_PASSKEY)
        try:
            found = super().to_python(value)
        except RecursionError:
            found = None
        if not isinstance(found, dict):
            raise get_mfa_adapter().validation_error(WRONG_PASSKEY)
        return found


def _about_passkeys(refusal: ValidationError) -> ValidationError:
    """allauth says of a passkey, too, that it is a wrong code."""
    if getattr(refusal, "code", None) != WRONG:
        return refusal
    said: ValidationError = get_mfa_adapter().validation_error(WRONG_PASSKEY)
    return said


def code_field(label: str) -> forms.CharField:
    """For codes of apps, of mails and for recovery; spaces and dashes in them do not matter."""
    attributes = {
        "class": "input door-code",
        "autocomplete": "one-time-code",
        "autocapitalize": "none",
        "spellcheck": "false",
        "autofocus": "",
    }
    return forms.CharField(
        label=label, max_length=CODE_LENGTH, widget=dressed(forms.TextInput(), **attributes)
    )


class _OneCode:
    """A code of an app, or a recovery code: counted, used up, and noted where it was wrong."""

    user: User
    cleaned_data: dict[str, Any]

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        who = str(self.user.pk)
        if not limits.within("second-step", who, times=TRIES, seconds=SECONDS):
            raise get_adapter().validation_error("too_many_login_attempts")
        factor = second_factors.use_code(person=self.user, code=code)
        if factor is None:
            audit.failed(self.user, via="second step")
            raise get_mfa_adapter().validation_error(WRONG)
        limits.forgive("second-step", who)
        self.authenticator = factor
        return code


class SecondStepForm(_OneCode, mfa_forms.AuthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = code_field("Code")


class ConfirmByCodeForm(_OneCode, mfa_forms.ReauthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = code_field("Code")


class ConfirmByPasswordForm(account_forms.ReauthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, {"password": "Password"})
        self.fields["password"].widget.attrs["autofocus"] = ""


class _Credential:
    """What a browser says for a passkey; nonsense is a refusal, not a fault."""

    fields: dict[str, forms.Field]
    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = CredentialField()

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except MALFORMED:
            raise get_mfa_adapter().validation_error(WRONG_PASSKEY) from None
        except ValidationError as refusal:
            raise _about_passkeys(refusal) from None


class PasskeySignInForm(_Credential, webauthn_forms.LoginWebAuthnForm):  # type: ignore[misc]
    """Without a password the passkey must have asked for its owner's finger, face or PIN."""

    def clean_credential(self) -> Any:
        state = webauthn.get_state()
        if not state or state.get("user_verification") != "required":
            raise get_mfa_adapter().validation_error(WRONG_PASSKEY)
        return super().clean_credential()


class SecondStepPasskeyForm(_Credential, webauthn_forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class ConfirmByPasskeyForm(_Credential, webauthn_forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class AddPasskeyForm(webauthn_forms.AddWebAuthnForm):  # type: ignore[misc]
    """A passkey, or a security key that can be only a second step: the browser offers what there is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("passwordless", None)
        self.fields["name"] = NameField(label="Name", required=False, widget=dressed(forms.TextInput()))
        self.fields["credential"] = CredentialField()

    def clean(self) -> dict[str, Any]:
        try:
            values: dict[str, Any] = super().clean()
        except MALFORMED:
            raise get_mfa_adapter().validation_error(WRONG_PASSKEY) from None
        except ValidationError as refusal:
            raise _about_passkeys(refusal) from None
        return values


class PasskeyNameForm(forms.Form):
    name = NameField(label="Name", widget=dressed(forms.TextInput(), autofocus=""))


class AddTotpForm(forms.Form):
    """The first code of an app. `step` is that of the code once the form is valid."""

    code = code_field("Code from the app")

    def __init__(self, *args: Any, person: User, secret: Secret, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person, self._secret = person, secret
        self.step = 0

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not limits.within("totp-added", str(self._person.pk), times=TRIES, seconds=SECONDS):
            raise get_adapter().validation_error("too_many_login_attempts")
        step = totp.fitting_step(self._secret, code, now=time.time())
        if step is None:
            raise get_mfa_adapter().validation_error(WRONG)
        self.step = step
        return code


class ChangeEmailForm(account_forms.AddEmailForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, {"email": "New e-mail"})
        self.fields["email"].widget.attrs["autocomplete"] = "email"


class CodeRequestForm(account_forms.RequestLoginCodeForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self, {"email": "E-mail"})
        self.fields["email"].widget.attrs["autocomplete"] = "username"


class MailedCodeForm(account_forms.ConfirmLoginCodeForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = code_field("Code")


class EmailCodeForm(account_forms.ConfirmEmailVerificationCodeForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = code_field("Code")


class SignInPolicyForm(forms.Form):
    roles = forms.MultipleChoiceField(
        required=False,
        choices=[("owner", "Owners"), ("admin", "Admins"), ("member", "Members")],
        widget=forms.CheckboxSelectMultiple(),
    )
    grace_days = forms.IntegerField(
        label="Days to add one",
        min_value=0,
        max_value=policy.LONGEST_GRACE,
        widget=dressed(forms.NumberInput(), inputmode="numeric"),
    )
