"""`manage.py replay --provider openai-chat FILE…`: what our adapters and fold make of recorded streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers.replay import READERS, replay_file


class Command(BaseCommand):
    help = (
        "Prints one JSON line for each recorded stream (.sse): the folded message in Anthropic's "
        'shape, {"file", "message"}, or {"file", "error", "partial"} where it breaks off.'
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", required=True, choices=sorted(READERS))
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        for path in options["files"]:
            try:
                result = replay_file(options["provider"], path)
            except OSError as error:
                raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
            self.stdout.write(json.dumps(result, ensure_ascii=False))
