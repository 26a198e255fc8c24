"""Reads environment variables, one name at a time; a bad value stops the start and says which name it was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
# No wait for PostgreSQL is for ever: to connect, for an answer from a machine that is gone, for a statement,
# for a lock, and for a transaction whose process has stopped in the middle. Each can be set in the address.
POSTGRESQL = {
    "connect_timeout": "3",  # seconds for each address of the host
    "tcp_user_timeout": "10000",  # milliseconds
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    # Compiling a statement (jit) takes longer than any of ours takes without it. Reports sort and group some
    # ten thousand rows, which 4 MB, the usual, do not hold.
    "options": "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s "
    "-c jit=off -c work_mem=16MB",
    "application_name": "parley",
}


class Environment:
    """Typed reads from a mapping of names to text. Empty text counts as not set.

    Every method raises ImproperlyConfigured, naming the variable and never its value, when the value does not
    fit.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, "").strip() or default

    def path(self, name: str, default: Path) -> Path:
        return Path(self.text(name, str(default))).expanduser().resolve()

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} must be one of 1, 0, true, false, yes, no, on, off.")
        return value in TRUE

    def integer(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self.text(name)
        if not value:
            return default
        if not value.isdecimal() or not least <= int(value) <= most:
            raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}.")
        return int(value)

    def choice(self, name: str, default: str, choices: list[str]) -> str:
        """One of the choices, however its letters are written."""
        value = self.text(name, default)
        for each in choices:
            if each.lower() == value.lower():
                return each
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}.")

    def words(self, name: str) -> list[str]:
        return [word for word in self.text(name).replace(",", " ").split() if word]

    def origin(self, name: str) -> str:
        """An address without path, such as https://chat.example.org, or empty text."""
        value = self.text(name).rstrip("/")
        if not value:
            return ""
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} is not an address: {error}.") from None
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.path
            or parts.query
            or "*" in value
        ):
            raise ImproperlyConfigured(
                f"{name} must look like https://chat.example.org, with no path and no '*'."
            )
        return f"{parts.scheme}://{parts.netloc.lower()}"

    def base_url(self, name: str, default: str) -> str:
        """An http(s) address, with or without a path, without credentials in it."""
        value = self.text(name, default).rstrip("/")
        try:
            parts = urlsplit(value)
            _ = parts.port
            fits = parts.scheme in {"http", "https"} and parts.hostname
        except ValueError:
            raise ImproperlyConfigured(f"{name} is not an address.") from None
        surplus = parts.username or parts.password or parts.query or parts.fragment
        if not fits or surplus or not value.isascii() or not value.isprintable() or " " in value:
            raise ImproperlyConfigured(
                f"{name} must be an http or https address without user, password or query."
            )
        return value

    def dollars_per_million(self, name: str) -> tuple[int, int] | None:
        """'input/output' in dollars per million tokens, as (input, output) in pico-dollars per token."""
        value = self.text(name)
        if not value:
            return None
        try:
            asked, answered = (int(Decimal(part) * 1_000_000) for part in value.split("/"))
        except (ValueError, InvalidOperation, OverflowError):
            asked = answered = 0
        if not 0 < asked <= 10**12 or not 0 < answered <= 10**12:
            raise ImproperlyConfigured(f"{name} must look like 15/75: dollars per million tokens in and out.")
        return asked, answered

    def database(self, name: str, sqlite: Path) -> dict[str, Any]:
        """Django's database settings from postgresql://user:password@host:port/name, or for the SQLite
        file.
        """
        value = self.text(name)
        if not value:
            return {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": sqlite,
                "CONN_MAX_AGE": None,
                "OPTIONS": {
                    "timeout": 5,  # seconds for which a statement waits for another process to finish writing
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
                },
            }
        parts = urlsplit(value)
        if parts.scheme not in {"postgres", "postgresql"} or len(parts.path) < 2:
            raise ImproperlyConfigured(
                f"{name} must look like postgresql://user:password@host:5432/database."
            )
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path[1:]),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 600,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {**POSTGRESQL, **dict(parse_qsl(parts.query))},
        }

    def redis(self, name: str) -> str:
        value = self.text(name)
        if value and urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
            raise ImproperlyConfigured(f"{name} must look like redis://host:6379/0.")
        return value

    def email(self, name: str) -> dict[str, Any]:
        """Django's EMAIL_* settings from smtp://user:password@host:587?from=parley@example.org (smtps: TLS
        at once). Not set: the server that an admin enters.
        """
        value = self.text(name)
        if not value:
            return {"EMAIL_BACKEND": "accounts.mail.backend.EmailBackend"}
        parts = urlsplit(value)
        if parts.scheme not in {"smtp", "smtps", "console"}:
            raise ImproperlyConfigured(f"{name} must look like smtp://user:password@host:587 or smtps://…")
        if parts.scheme == "console":
            return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
        query = dict(parse_qsl(parts.query))
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": parts.hostname or "localhost",
            "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_SSL": parts.scheme == "smtps",
            "EMAIL_USE_TLS": parts.scheme == "smtp" and parts.hostname not in {"localhost", "127.0.0.1"},
            "EMAIL_TIMEOUT": 10,
            "DEFAULT_FROM_EMAIL": query.get("from", f"parley@{parts.hostname}"),
        }
