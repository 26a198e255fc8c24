"""`manage.py serve`: the whole product in one process."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import uvloop
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from accounts import first_visit, sealing
from config import data_lock
from config.hosts import is_loopback
from config.server import DrainingServer, configuration
from usage import triggers


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
        try:
            if connection.vendor == "sqlite":
                data_lock.take(settings.DATA_DIR)
            if not options["no_migrate"]:
                call_command("migrate", interactive=False, verbosity=0)
            sealing.check_keys()
            triggers.check_triggers()
        except (data_lock.FolderInUse, sealing.KeysMissing, triggers.TriggersMissing) as error:
            raise CommandError(str(error)) from None
        config = configuration(host, port)
        listening = config.bind_socket()
        server = DrainingServer(
            config,
            grace=settings.DRAIN_SECONDS,
            ready=partial(self._greet, host, listening.getsockname()[1]),
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listening]))
        if not server.started:
            raise CommandError("The server did not start; the lines above say why.")

    def _greet(self, host: str, port: int) -> None:
        shown = "localhost" if is_loopback(host) else host
        self.stdout.write(f"Parley is at {settings.PUBLIC_URL or f'http://{shown}:{port}/'}")
        if (code := first_visit.code_to_print()) is not None:
            self.stdout.write(f"Set-up code: {code}")
        self.stdout.flush()
