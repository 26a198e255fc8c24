"""What differs from allauth's own rules of second factors."""

from __future__ import annotations

from typing import Any, NoReturn

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser

from accounts.sign_in.devices import device_name


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages: dict[str, Any] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is not right, or it was used already. Wait for the next and try again.",
        "incorrect_passkey": "This passkey is not accepted here. Try again, or go another way.",
    }

    def encrypt(self, text: str) -> NoReturn:
        """allauth does not say whose secret it is, so nothing that it stores by itself could be bound to its
        owner: accounts.sign_in.second_factors stores secrets instead.
        """
        raise NotImplementedError("Secrets of second factors are stored by accounts.sign_in.second_factors.")

    def decrypt(self, encrypted_text: str) -> NoReturn:
        raise NotImplementedError("Secrets of second factors are read by accounts.sign_in.second_factors.")

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:
        """A passkey is first called after the browser that makes it."""
        return device_name(context.request.META.get("HTTP_USER_AGENT", ""))

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return {**entity, "name": "Parley"}
