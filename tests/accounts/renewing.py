"""A process of its own that renews a grant: prints "ready", waits for a line, prints the token it got.

python -m tests.accounts.renewing DATABASE CREDENTIAL TOKEN_URL CLIENT_ID
"""

import asyncio
import sys

import django
from django.conf import settings


def main(database: str, credential_id: str, token_url: str, client_id: str) -> None:
    settings.DATABASES["default"]["NAME"] = database
    django.setup()

    from accounts.keys import credentials
    from accounts.logins import grants  # after the settings are in place
    from accounts.models import Credential
    from providers.oauth import OAuthClient

    settings.OAUTH = {"anthropic": OAuthClient(client_id=client_id, token_url=token_url)}
    choice = credentials.opened(Credential.objects.get(pk=credential_id))
    print("ready", flush=True)
    sys.stdin.readline()
    renewed = asyncio.run(grants.fresh(choice))
    assert renewed.access.secret is not None
    print(renewed.access.secret.reveal(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
