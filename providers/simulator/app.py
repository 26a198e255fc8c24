"""The simulator: an ASGI application that answers like the APIs of several vendors.

Each vendor's part is a door (`doors`), found by the path and the credential of a request; when scripted also
/_simulator/ (see `control`). Every refusal has the shape of the vendor who was asked.
"""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from providers.simulator import control, demo, recordings, rules, script
from providers.simulator.anthropic_replies import error_reply
from providers.simulator.call import Call
from providers.simulator.counters import Counters
from providers.simulator.doors import doors
from providers.simulator.grants import Grants
from providers.simulator.keys import NOBODY, Keys
from providers.simulator.messages import Messages, Streamed
from providers.simulator.models import Models
from providers.simulator.pacing import Timetable, Wheel
from providers.simulator.rehearsed import Rehearsed
from providers.simulator.replies import Headers, Refusal, Reply, json_reply, new_id
from providers.simulator.reports_door import Reports
from providers.simulator.stream import Receive, Send, Stream, pause

Scope = MutableMapping[str, Any]


class Simulator:
    """One simulator: make it, then serve it. All of its state belongs to the event loop that serves it.

    scripted: obey directives, answer /_simulator/, and accept any model id that begins with `claude-` or
    `sim`. replay: folder of recordings, each a model; rate: their events per second (0 or None: as fast as
    possible); random_cuts: a seed; recordings are then sent in writes of random size. demo_rate: deltas per
    second of the demo, 0 for as fast as possible and without its first delay. models: more ids that are
    accepted and listed. keys: API key -> organisation id; when given, other keys are refused with 401. Raises
    NotADirectoryError when the folder does not exist.
    """

    def __init__(
        self,
        *,
        scripted: bool = False,
        replay: Path | str | None = None,
        rate: float | None = None,
        random_cuts: int | None = None,
        demo_rate: float = demo.RATE,
        models: Sequence[str] = (),
        keys: Mapping[str, str] | None = None,
    ) -> None:
        recorded = recordings.load(Path(replay)) if replay is not None else None
        self.scripted = scripted
        self.counters = Counters()
        self._scripts = script.Scripts()
        self._grants = Grants()
        self._rehearsed = Rehearsed()
        self.reports = Reports()
        messages = Messages(
            scripts=self._scripts if scripted else None,
            recordings=recorded,
            rate=rate or 0.0,
            random_cuts=random_cuts,
            demo_rate=demo_rate,
        )
        self._doors = doors(
            Keys(keys, scripted=scripted),
            Models(scripted=scripted, recordings=recorded, more=models),
            messages,
            self._grants,
            self.reports,
        )
        self._wheel = Wheel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if body is None:
            return
        call = _call(scope, body)
        if call.path.startswith(control.PREFIX) and self.scripted:
            call = replace(call, request_id=new_id("req"))
            await _send_whole(
                send, await self._control(call, receive), [(b"request-id", call.request_id.encode())]
            )
            return
        door = next(door for door in self._doors if door.opens(call))
        call = replace(call, request_id=new_id(door.request_ids))
        organization = NOBODY
        answer: Reply | Streamed
        try:
            self._note(call, scope)
            rehearsed = self._rehearsed.next(call.path)
            if rehearsed is None:
                organization = door.organization(call)
            answer = rehearsed or door.answer(call, organization)
        except Refusal as refusal:
            answer = replace(door.refused(refusal, call), delay=refusal.delay)
        if answer.delay and not await pause(receive, answer.delay):
            self.counters.add("left_early")
            return
        usual = door.headers(call, organization)
        if isinstance(answer, Reply):
            await _send_whole(send, answer, usual)
            return
        usual += [(b"content-type", answer.content_type.encode()), (b"cache-control", b"no-cache")]
        stream = Stream(
            receive,
            send,
            wheel=self._wheel,
            counters=self.counters,
            timetable=Timetable(answer.rate, jitter=answer.jitter, seed=answer.seed),
            ping=answer.ping,
            ping_every=answer.ping_every,
            connection=(scope.get("extensions") or {}).get("simulator.connection"),
        )
        await stream.run(200, usual + _encoded(answer.headers), answer.steps)

    def reset(self) -> None:
        """Forget counters, requests, gates, used-up directives, rehearsed answers, what the reports tell, and
        what people decided about sign-ins. Tokens stay good.
        """
        self.counters.reset()
        self._scripts.reset()
        self._grants.devices.reset()
        self._rehearsed.reset()
        self.reports.reset()

    async def _control(self, call: Call, receive: Receive) -> Reply:
        if call.method == "DELETE" and call.path == control.PREFIX + "stats":
            self.reset()
            return json_reply({"reset": True})
        answer = asyncio.ensure_future(
            control.answer(call, self.counters, self._grants, self._rehearsed, self.reports)
        )
        left = asyncio.ensure_future(receive())
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        if not answer.done():
            answer.cancel()
            return Reply(499, b"The caller left while it waited.", "text/plain")
        try:
            return answer.result()
        except Refusal as refusal:
            return error_reply(refusal, call.request_id)

    def _note(self, call: Call, scope: Scope) -> None:
        self.counters.add("requests")
        if self.scripted:
            self.counters.remember(call.method, call.path, call.query, scope["headers"], call.body)


def _call(scope: Scope, body: bytes) -> Call:
    return Call(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=_by_name(scope["headers"]),
        body=body,
        request_id="",
        scheme=scope.get("scheme", "http"),
    )


async def _send_whole(send: Send, answer: Reply, usual: Headers) -> None:
    own = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", b"%d" % len(answer.body)),
    ]
    headers = usual + own + _encoded(answer.headers)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _read(receive: Receive) -> bytes | None:
    """The whole body, cut just above the limit that is enforced; None when the caller left before its end."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece = message.get("body", b"")
        if size <= rules.BODY_LIMIT:
            pieces.append(piece)
            size += len(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _by_name(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
