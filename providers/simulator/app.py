"""The simulator: an ASGI application that answers like Anthropic's Messages API.

Routes: POST /v1/messages (streamed or whole), POST /v1/messages/count_tokens, GET /v1/models and
/v1/models/{id}; when scripted also /_simulator/ (see `control`). Every refusal has the vendor's error shape.
"""

import asyncio
import uuid
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

from providers.simulator import control, demo, recordings, rules, script
from providers.simulator.counters import Counters
from providers.simulator.messages import Messages, Streamed
from providers.simulator.models import Models
from providers.simulator.pacing import Timetable, Wheel
from providers.simulator.replies import Refusal, Reply, UsualHeaders, error_reply, json_reply, new_id
from providers.simulator.stream import Receive, Send, Stream, pause

Scope = MutableMapping[str, Any]

NO_KEY_ORGANIZATION: Final = "00000000-0000-4000-8000-000000000000"
STATUS_KEY: Final = "sk-sim-"
"""When scripted, a key `sk-sim-401` gets status 401 from every route."""
ROUTES: Final[Mapping[str, str]] = {
    "/v1/messages": "POST",
    "/v1/messages/count_tokens": "POST",
    "/v1/models": "GET",
}


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
        self._keys = keys
        self._scripts = script.Scripts()
        self._models = Models(scripted=scripted, recordings=recorded, more=models)
        self._messages = Messages(
            scripts=self._scripts if scripted else None,
            recordings=recorded,
            rate=rate or 0.0,
            random_cuts=random_cuts,
            demo_rate=demo_rate,
        )
        self._usual = UsualHeaders()
        self._wheel = Wheel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if body is None:
            return
        request_id = new_id("req")
        headers = _by_name(scope["headers"])
        organization = NO_KEY_ORGANIZATION
        answer: Reply | Streamed
        try:
            if scope["path"].startswith(control.PREFIX) and self.scripted:
                answer = await self._control(scope, receive)
            else:
                self._note(scope, body)
                organization = self._organization(headers)
                answer = self._route(scope, headers, body, request_id)
        except Refusal as refusal:
            answer = error_reply(refusal, request_id)
        if answer.delay and not await pause(receive, answer.delay):
            self.counters.add("left_early")
            return
        usual = self._usual.make(request_id, organization)
        if isinstance(answer, Reply):
            usual += [
                (b"content-type", answer.content_type.encode()),
                (b"content-length", b"%d" % len(answer.body)),
            ]
            usual += _encoded(answer.headers)
            await send({"type": "http.response.start", "status": answer.status, "headers": usual})
            await send({"type": "http.response.body", "body": answer.body})
            return
        usual += [(b"content-type", answer.content_type.encode()), (b"cache-control", b"no-cache")]
        stream = Stream(
            receive,
            send,
            wheel=self._wheel,
            counters=self.counters,
            timetable=Timetable(answer.rate, jitter=answer.jitter, seed=answer.seed),
            ping_every=answer.ping_every,
            connection=(scope.get("extensions") or {}).get("simulator.connection"),
        )
        await stream.run(200, usual + _encoded(answer.headers), answer.steps)

    def reset(self) -> None:
        """Forget counters, requests, gates and used-up directives."""
        self.counters.reset()
        self._scripts.reset()

    async def _control(self, scope: Scope, receive: Receive) -> Reply:
        if scope["method"] == "DELETE" and scope["path"] == control.PREFIX + "stats":
            self.reset()
            return json_reply({"reset": True})
        method, path, query = scope["method"], scope["path"], scope["query_string"]
        answer = asyncio.ensure_future(control.answer(self.counters, method, path, query))
        left = asyncio.ensure_future(receive())
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        if not answer.done():
            answer.cancel()
            raise Refusal(499, "The caller left while it waited.")
        return answer.result()

    def _note(self, scope: Scope, body: bytes) -> None:
        self.counters.add("requests")
        if self.scripted:
            query = scope["query_string"].decode("latin-1")
            self.counters.remember(scope["method"], scope["path"], query, scope["headers"], body)

    def _organization(self, headers: Mapping[str, str]) -> str:
        """The organisation of the caller's key. Raises Refusal for two keys, or one that is not accepted."""
        given, bearer = headers.get("x-api-key"), headers.get("authorization")
        if given is not None and bearer is not None:
            raise Refusal(401, "Only one of x-api-key and Authorization may be sent")
        key = given if given is not None else (bearer or "").removeprefix("Bearer ").strip()
        if self._keys is not None:
            if key not in self._keys:
                raise Refusal(401, "invalid x-api-key" if key else "x-api-key header is required")
            return self._keys[key]
        status = key.removeprefix(STATUS_KEY)
        if self.scripted and status != key and status.isdigit() and 400 <= int(status) < 600:
            raise Refusal(int(status), f"This key always gets status {status}.")
        return str(uuid.uuid5(uuid.NAMESPACE_URL, key)) if key else NO_KEY_ORGANIZATION

    def _route(
        self, scope: Scope, headers: Mapping[str, str], body: bytes, request_id: str
    ) -> Reply | Streamed:
        path = scope["path"]
        one_model = path.startswith("/v1/models/") and path != "/v1/models/"
        method = "GET" if one_model else ROUTES.get(path)
        if method is None:
            raise Refusal(404, "Not found")
        if scope["method"] != method:
            raise Refusal(405, "Method Not Allowed", headers={"allow": method})
        if one_model:
            return json_reply(self._models.one(path.removeprefix("/v1/models/")))
        if path == "/v1/models":
            return json_reply(self._models.page(scope["query_string"]))
        if len(body) > rules.BODY_LIMIT:
            raise Refusal(413, "Request exceeds the maximum size")
        asked = rules.read(body, headers, counting=path != "/v1/messages")
        self._models.check(asked.model)
        if path != "/v1/messages":
            return json_reply({"input_tokens": self._messages.prompts.count(asked.body).total})
        return self._messages.plan(asked, headers, request_id)


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
