"""What a scripted simulator tells about itself and is told, under /_simulator/.

GET /_simulator/stats: counters and the last requests. With `?wait=NAME:COUNT` (repeatable) it answers only
when the counters have reached those numbers, with 504 after `&timeout=SECONDS` (default 10). DELETE
/_simulator/stats: forget them, and directives that are used up. POST /_simulator/gates/NAME: open a gate.
POST /_simulator/device/DECISION: what the person does who is asked to sign in (`grants.Devices`). POST
/_simulator/next: how a path is answered next (`rehearsed`). POST /_simulator/reports: what the reports of
usage and cost tell from now on (`reports_door`). DELETE /_simulator/tokens: those that were given out are no
longer good.
"""

import asyncio
from typing import Final
from urllib.parse import parse_qs

from providers.simulator.call import Call
from providers.simulator.counters import Counters
from providers.simulator.grants import Grants
from providers.simulator.rehearsed import Rehearsed
from providers.simulator.replies import Refusal, Reply, json_reply
from providers.simulator.reports_door import Reports

PREFIX: Final = "/_simulator/"
GATES: Final = PREFIX + "gates/"
DEVICE: Final = PREFIX + "device/"
LONGEST_WAIT: Final = 60.0


async def answer(
    call: Call, counters: Counters, grants: Grants, rehearsed: Rehearsed, reports: Reports
) -> Reply:
    """The answer to one request for this part of the simulator, resetting aside. Raises Refusal."""
    path = call.path
    if path.startswith(GATES) and len(path) > len(GATES):
        call.wants("POST")
        counters.gate(path.removeprefix(GATES)).open()
        return json_reply({"open": True})
    if path.startswith(DEVICE):
        call.wants("POST")
        return json_reply(
            {"decided": grants.devices.decide(path.removeprefix(DEVICE), call.asked("user_code"))}
        )
    if path == PREFIX + "next":
        call.wants("POST")
        rehearsed.add(call.json())
        return json_reply({"rehearsed": True})
    if path == PREFIX + "reports":
        call.wants("POST")
        reports.tell(call.json())
        return json_reply({"told": True})
    if path == PREFIX + "tokens":
        call.wants("DELETE")
        grants.tokens.expire()
        return json_reply({"expired": True})
    if path != PREFIX + "stats":
        raise Refusal(404, "Not found")
    if call.method != "GET":
        raise Refusal(405, "Method Not Allowed", headers={"allow": "GET, DELETE"})
    fields = parse_qs(call.query)
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
