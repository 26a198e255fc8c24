"""`manage.py serve`: the whole product in one process."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from functools import partial
from typing import Any, NoReturn

import uvloop
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection

from accounts import append_only
from accounts.audit import triggers as audit_triggers
from accounts.sealing import sealing
from accounts.sign_in import first_visit
from config import data_lock, faults
from config.hosts import is_loopback
from config.server import DrainingServer, configuration
from usage.ledger import triggers

SHARE_KEYS = (
    "All servers of one database need the same keys: give each the same PARLEY_SECRET_KEYS, or the same file."
)

ALONE = "Without REDIS_URL each server counts wrong passwords and codes by itself."


class Command(BaseCommand):
    help = "Serves Parley until it is told to stop: SIGTERM or Ctrl+C lets running answers end first."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="address to bind to (default: PARLEY_HOST)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port (default: PARLEY_PORT)")
        parser.add_argument("--no-migrate", action="store_true", help="leave the database as it is")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        if is_loopback(host) != is_loopback(settings.HOST):
            raise CommandError("Set PARLEY_HOST to bind elsewhere: other settings depend on it.")
        logging.captureWarnings(True)
        # Until the server listens for it: the first process of a container would ignore this signal.
        signal.signal(signal.SIGTERM, _leave)
        code = self._prepare(migrate=not options["no_migrate"])
        config = configuration(host, port)
        listening = config.bind_socket()
        server = DrainingServer(
            config,
            grace=settings.DRAIN_SECONDS,
            ready=partial(self._greet, host, listening.getsockname()[1], code),
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listening]))
        if not server.started:
            raise CommandError("The server did not start; the lines above say why.")

    def _prepare(self, *, migrate: bool) -> str | None:
        """The checks without which nothing may be served; returns the set-up code if one is needed.

        Raises CommandError.
        """
        embedded = connection.vendor == "sqlite"
        try:
            if embedded:
                data_lock.take(settings.DATA_DIR)
            if migrate:
                call_command("migrate", interactive=False, verbosity=0)
            sealing.check_keys(shared=not embedded)
            triggers.check()
            audit_triggers.check()
            return first_visit.code_to_print()
        except sealing.KeysMissing as error:
            raise CommandError(str(error) if embedded else f"{error} {SHARE_KEYS}") from None
        except (data_lock.FolderInUse, append_only.Unprotected) as error:
            raise CommandError(str(error)) from None
        except Error as error:
            if not faults.database_is_away(error):
                raise
            raise CommandError(f"The database does not answer. {faults.first_line(error)}") from None
        finally:
            connection.close()  # this thread needs it no more

    def _greet(self, host: str, port: int, code: str | None) -> None:
        shown = "localhost" if is_loopback(host) else host
        self.stdout.write(f"Parley is at {settings.PUBLIC_URL or f'http://{shown}:{port}/'}")
        if code is not None:
            self.stdout.write(f"Set-up code: {code}")
        if connection.vendor != "sqlite" and not settings.REDIS_URL:
            self.stdout.write(ALONE)
        self.stdout.flush()


def _leave(*_: object) -> NoReturn:
    sys.exit(0)
