"""Whether this installation has its first account yet, and the code that proves the right to make it.

Whoever reaches the server first becomes its owner. On loopback that is the person at the machine. Beyond
loopback the set-up page also asks for a code that only someone with the server's terminal or data folder can
read.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest

from accounts import client
from accounts.models import Organisation
from accounts.sign_in import limits

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without the characters that are mistaken for each other
GROUPS, GROUP_LENGTH = 4, 4  # 31 ** 16: 79 bits
TRIES_PER_ADDRESS, TRIES_IN_ALL, TRIES_SECONDS = 10, 100, 15 * 60

_set_up = False


def is_set_up() -> bool:
    """True once there is an organisation, which is made with the first account. Then remembered."""
    global _set_up
    if not _set_up:
        _set_up = Organisation.objects.exists()
    return _set_up


def forget() -> None:
    """Looks at the database again next time, for when it was replaced under a running process."""
    global _set_up
    _set_up = False


def code_required(request: HttpRequest) -> bool:
    """When the server listens beyond loopback, and for any visitor who is not on this machine."""
    return bool(settings.SETUP_CODE_REQUIRED) or not _from_this_machine(request)


def code_to_print() -> str | None:
    """The code for the server's terminal, or None when none is needed. The same at every start."""
    return _code() if settings.SETUP_CODE_REQUIRED and not is_set_up() else None


def may_try(request: HttpRequest) -> bool:
    """Counts one try of the code: few per address, and a limit for all addresses together."""
    address = client.seen_by_proxies(request)
    return limits.within(
        "setup-code", address, times=TRIES_PER_ADDRESS, seconds=TRIES_SECONDS
    ) and limits.within("setup-code", "everyone", times=TRIES_IN_ALL, seconds=TRIES_SECONDS)


def code_matches(given: str) -> bool:
    """Compared exactly and in constant time. Makes the code where the server has not printed one."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), _code().encode())


def retire_code() -> None:
    """The code works once: it goes when the owner exists."""
    _code_file().unlink(missing_ok=True)


def _from_this_machine(request: HttpRequest) -> bool:
    """A proxy on this machine connects from it too: then the client that it saw counts."""
    try:
        return ipaddress.ip_address(client.seen_by_proxies(request)).is_loopback
    except ValueError:
        return False


def _code_file() -> Path:
    return Path(settings.DATA_DIR) / "setup-code"


def _code() -> str:
    """Reads the code; writes a new one beside its final name first, so that nobody ever reads half of it."""
    path = _code_file()
    with suppress(FileNotFoundError):
        return path.read_text().strip()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write("-".join(_group() for _ in range(GROUPS)) + "\n")
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    return path.read_text().strip()


def _group() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH))
