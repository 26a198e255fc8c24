"""A process of its own that rotates keys: prints "ready", waits for a line, rotates.

python -m tests.accounts.rotating DATABASE --master|--data
"""

import sys

import django
from django.conf import settings


def main(database: str, what: str) -> None:
    settings.DATABASES["default"]["NAME"] = database
    django.setup()

    from django.core.management import call_command  # after the settings are in place

    print("ready", flush=True)
    sys.stdin.readline()
    call_command("rotate_keys", what)
    print("rotated", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
