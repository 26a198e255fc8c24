"""`manage.py simulate`: serves the simulator alone, for trying things out, tests and benches
(docs/simulator.md).
"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from providers.simulator import command


class Command(BaseCommand):
    help = "Serve the provider simulator: the demo, and with options scripted answers and recorded streams."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        command.add_arguments(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        status = command.run(options)
        if status:
            sys.exit(status)
