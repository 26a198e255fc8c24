"""What a scripted simulator tells about itself, under /_simulator/.

GET /_simulator/stats: counters and the last requests. With `?wait=NAME:COUNT` (repeatable) it answers only
when the counters have reached those numbers, with 504 after `&timeout=SECONDS` (default 10). DELETE
/_simulator/stats: forget them, and directives that are used up. POST /_simulator/gates/NAME: open a gate.
"""

import asyncio
from typing import Final
from urllib.parse import parse_qs

from providers.simulator.counters import Counters
from providers.simulator.replies import Refusal, Reply, json_reply

PREFIX: Final = "/_simulator/"
GATES: Final = PREFIX + "gates/"
LONGEST_WAIT: Final = 60.0


async def answer(counters: Counters, method: str, path: str, query: bytes) -> Reply:
    """The answer to one request for this part of the simulator, resetting aside. Raises Refusal."""
    if path.startswith(GATES) and len(path) > len(GATES):
        if method != "POST":
            raise Refusal(405, "Method Not Allowed", headers={"allow": "POST"})
        counters.gate(path.removeprefix(GATES)).open()
        return json_reply({"open": True})
    if path != PREFIX + "stats":
        raise Refusal(404, "Not found")
    if method != "GET":
        raise Refusal(405, "Method Not Allowed", headers={"allow": "GET, DELETE"})
    fields = parse_qs(query.decode("latin-1"))
    if fields.get("wait"):
        try:
            async with asyncio.timeout(_timeout(fields.get("timeout", ["10"])[-1])):
                for wanted in fields["wait"]:
                    name, _, count = wanted.rpartition(":")
                    if not name or not count.isdigit():
                        raise Refusal(400, "wait: expected NAME:COUNT")
                    await counters.reached(name, int(count))
        except TimeoutError as error:
            raise Refusal(504, f"not reached in time; the counters are {dict(counters.counts)}") from error
    return json_reply(counters.to_json())


def _timeout(text: str) -> float:
    try:
        return min(max(float(text), 0.0), LONGEST_WAIT)
    except ValueError as error:
        raise Refusal(400, "timeout: expected seconds") from error
