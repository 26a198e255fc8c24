"""The vendor: a scripted simulator in a process of its own, and its own count of what it was asked."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from chaos import story
from chaos.bills import prompt_name
from chaos.programs import NotStarted, Program, free_ports
from chaos.tab import LOST

LONGEST_THREAD = 20  # exchanges
MOST_IN_VAIN = 4
LOOK_AFTER = 60  # requests; the simulator keeps the last 200
START_SECONDS = 30.0
TITLE = "write a title"


class Vendor:
    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked: Counter[str] = Counter()  # requests by what they asked: a question's tag, or "title"
        command = [sys.executable, "manage.py", "simulate", "--port", str(self.port), "--scripted"]
        self._program = Program("simulator", command, folder=folder, environment=environment)
        self._seen = 0
        self._looking = asyncio.Lock()

    async def start(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._program.start()
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._program.running:
            with suppress(*LOST):
                async with http.get(f"{self.url}/_simulator/stats"):
                    return
            await asyncio.sleep(0.1)
        raise NotStarted(f"The simulator does not answer.\n{self._program.last_lines()}")

    def stop(self) -> None:
        self._program.stop()

    async def continuations(self, model: str) -> set[str]:
        """The scripts of what it may answer to Continue.

        Which one depends on how many turns came before, and on how often it was asked since the last words of
        the model: answers without any are not sent back to it.
        """
        said = [{"role": "user", "content": "Go."}, {"role": "assistant", "content": "Gone."}]
        go_on = {"type": "text", "text": story.GO_ON}
        asking = [
            self._answer(model, [*said * before, {"role": "user", "content": [go_on] * times}])
            for before in range(LONGEST_THREAD)
            for times in range(1, MOST_IN_VAIN + 1)
        ]
        return set(await asyncio.gather(*asking))

    async def _answer(self, model: str, messages: list[dict[str, Any]]) -> str:
        body = {
            "model": model,
            "max_tokens": 16_000,
            "thinking": {"type": "adaptive", "display": "summarized"},
            "messages": messages,
        }
        headers = {"anthropic-version": "2023-06-01", "x-api-key": "sk-ant-chaos"}
        async with self._http.post(f"{self.url}/v1/messages", json=body, headers=headers) as answer:
            message = await answer.json()
            if answer.status != 200:
                raise NotStarted(f"The simulator says {message}")
        self._seen += 1
        return story.script(message["content"])

    async def watch(self) -> None:
        """Reads the requests before the simulator forgets them."""
        while True:
            wait = f"wait=requests:{self._seen + LOOK_AFTER}&timeout=20"
            with suppress(*LOST):
                async with self._http.get(f"{self.url}/_simulator/stats?{wait}") as answer:
                    await answer.read()
                    due = answer.status == 200
                if due:
                    await self.look()

    async def look(self) -> None:
        async with self._looking, self._http.get(f"{self.url}/_simulator/stats") as answer:
            stats = await answer.json()
            count = int(stats["counts"].get("requests", 0))
            fresh = count - self._seen
            if fresh > len(stats["recent"]):
                raise RuntimeError(f"{fresh} requests came, and {len(stats['recent'])} are remembered")
            for request in stats["recent"][len(stats["recent"]) - fresh :]:
                if request["method"] == "POST" and request["path"] == "/v1/messages":
                    self.asked[_asked(json.loads(request["body"]))] += 1
            self._seen = count


def _asked(body: dict[str, Any]) -> str:
    system = body.get("system") or ""
    if isinstance(system, list):
        system = "".join(block.get("text", "") for block in system)
    if system.strip().lower().startswith(TITLE):
        return "title"
    last = next(message for message in reversed(body["messages"]) if message["role"] == "user")
    content = last["content"]
    text = (
        content
        if isinstance(content, str)
        else next((block["text"] for block in reversed(content) if block["type"] == "text"), "")
    )
    return prompt_name(text)
