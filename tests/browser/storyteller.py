"""The scripted simulator, told by the words of a question which script to follow: no directive is seen; nor
are its scripted models in the lists. Below /house it is the company's own server.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

from providers.simulator.app import Simulator
from tests.browser.story import SCRIPTS

OWN_MODELS = ("llama-4-maverick", "mistral-small-3.2")


class StoryTeller(Simulator):
    """A scripted simulator that knows the scripts of these questions by their words."""

    def __init__(self) -> None:
        super().__init__(scripted=True)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/models"):
            await self._list_models(scope, receive, send)
            return
        if scope["type"] != "http" or scope["path"] != "/v1/messages":
            await super().__call__(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        told = iter([{"type": "http.request", "body": directed(body), "more_body": False}])

        async def rest() -> Any:
            return next(told, None) or await receive()

        await super().__call__(scope, rest, send)

    async def _list_models(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        house = scope["path"].startswith("/house/")
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        scope["path"] = scope["path"].removeprefix("/house")
        await super().__call__(scope, receive, keep)
        listed = json.loads(b"".join(message.get("body", b"") for message in sent))
        kept = [{"id": one, "object": "model"} for one in OWN_MODELS] if house else listed.get("data", [])
        listed["data"] = [one for one in kept if "sim-" not in one["id"] and "demo" not in one["id"]]
        body = json.dumps(listed).encode()
        head = [(name, value) for name, value in sent[0]["headers"] if name.lower() != b"content-length"]
        await send({**sent[0], "headers": head})
        await send({"type": "http.response.body", "body": body})


def directed(body: bytes) -> bytes:
    """The request with the directive of its question behind the last text."""
    request = json.loads(body)
    content = request["messages"][-1]["content"]
    texts = [block for block in content if block.get("type") == "text"] if isinstance(content, list) else []
    if texts and (
        script := next((told for words, told in SCRIPTS.items() if words in texts[-1]["text"]), None)
    ):
        texts[-1]["text"] += f"\n[[simulate {json.dumps(script)}]]"
    return json.dumps(request).encode()
