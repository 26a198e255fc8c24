"""Connects an account at a vendor from the server's terminal, by a code that is typed on another device."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.keys import credentials
from accounts.keys.owners import Owner
from accounts.logins import connecting
from accounts.logins import vendors as vendor_logins
from accounts.models import Credential, Organisation
from accounts.names import clean_name
from providers import oauth_device, registry
from providers.errors import ProviderError
from providers.oauth import Grant, OAuthClient


class Command(BaseCommand):
    help = "Connects an account for everyone here: shows a code, and waits until it was typed at the vendor."

    def __init__(
        self, *args: Any, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._sleep = sleep

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", help="such as copilot")
        parser.add_argument("--label", default="", help="a name, to tell it from others on the page of keys")

    def handle(self, *args: Any, **options: Any) -> None:
        provider = options["provider"]
        client, organisation = vendor_logins.client(provider), Organisation.current()
        if client is None or not client.device_url or registry.provider(provider) is None:
            raise CommandError(f"Logging in at {provider} by a code is not switched on (docs/oauth.md).")
        if organisation is None:
            raise CommandError("There is no organisation yet. Make the first account: manage.py createuser.")
        try:
            grant: Grant = async_to_sync(self._log_in)(client)
            stored = connecting.keep(
                owner=Owner(organisation=organisation),
                provider=provider,
                kind=Credential.Kind.DEVICE,
                base_url=credentials.base_url(provider),
                options={},
                label=clean_name(options["label"]),
                client=client,
                grant=grant,
                replaces=None,
                by=None,
                via="command",
            )
        except ProviderError as error:
            raise CommandError(connecting.words(error, provider)) from None
        self.stdout.write(f"Connected: {stored}.")

    async def _log_in(self, client: OAuthClient) -> Grant:
        started = await oauth_device.start(client)
        self.stdout.write(f"Open {started.verification_uri} and type {started.user_code}")
        return await oauth_device.wait(client, started, sleep=self._sleep)
