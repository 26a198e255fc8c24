"""A process of its own that asks for many calls at once: prints "ready", waits for a line, asks, prints how
many were let through, holds them with their streams begun until another line comes, leaves, prints "left".

python -m tests.usage.admitting DATABASE VENDOR_URL PERSON CALLS
"""

import asyncio
import sys
from uuid import UUID

import django
from django.conf import settings


def main(database: str, vendor: str, person: str, calls: str) -> None:
    settings.DATABASES["default"]["NAME"] = database
    django.setup()

    from providers.access import Secret  # after the settings are in place

    from .many import Many

    settings.PROVIDER_ENVIRONMENT = {
        "anthropic": {"api_key": Secret("sk-ant-test"), "base_url": vendor},
    }

    async def ask() -> None:
        line = asyncio.get_running_loop().run_in_executor
        print("ready", flush=True)
        await line(None, sys.stdin.readline)
        many = Many(UUID(person), int(calls))
        print(await many.decided(), flush=True)
        await line(None, sys.stdin.readline)
        await many.leave()
        print("left", flush=True)

    asyncio.run(ask())


if __name__ == "__main__":
    main(*sys.argv[1:])
