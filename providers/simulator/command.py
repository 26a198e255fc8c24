"""The command line of the simulator, for `python -m providers.simulator` and for `manage.py simulate`."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from providers.simulator.app import Simulator
from providers.simulator.doors import BASE_URLS
from providers.simulator.server import Server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--scripted", action="store_true", help="obey [[simulate {…}]] directives in prompts")
    parser.add_argument(
        "--replay", type=Path, metavar="DIR", help="serve the *.sse files of this folder as models"
    )
    parser.add_argument("--rate", type=float, help="events per second of replayed files (default: no pauses)")
    parser.add_argument(
        "--random-cuts", type=int, metavar="SEED", help="send replayed files in writes of random size"
    )
    parser.add_argument("--demo-rate", type=float, help="deltas per second of the demo; 0: no pauses")
    parser.add_argument(
        "--model", action="append", default=[], metavar="ID", help="accept and list this model, too"
    )
    parser.add_argument(
        "--key", action="append", metavar="KEY=ORGANISATION", help="accept only such API keys"
    )


def run(options: dict[str, Any]) -> int:
    """Serve until SIGINT or SIGTERM. The exit status: 0, or 2 with a message when it could not start."""
    try:
        app = _simulator(options)
        uvloop.run(_serve(app, options["host"], options["port"]))
    except (OSError, ValueError) as error:
        print(f"The simulator cannot start: {error}", file=sys.stderr)
        return 2
    return 0


def _simulator(options: dict[str, Any]) -> Simulator:
    demo = {} if options["demo_rate"] is None else {"demo_rate": options["demo_rate"]}
    keys = None
    if options["key"]:
        pairs = [entry.partition("=") for entry in options["key"]]
        if not all(key and organization for key, _, organization in pairs):
            raise ValueError("--key: expected KEY=ORGANISATION")
        keys = {key: organization for key, _, organization in pairs}
    return Simulator(
        scripted=options["scripted"],
        replay=options["replay"],
        rate=options["rate"],
        random_cuts=options["random_cuts"],
        models=options["model"],
        keys=keys,
        **demo,
    )


async def _serve(app: Simulator, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = Server(app)
    base_url = await server.start(host, port)
    print(f"Simulator: {base_url}")
    for vendor, path in BASE_URLS:
        print(f"  {vendor}: {base_url}{path}")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()
