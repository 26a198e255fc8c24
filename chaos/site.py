"""An installation to be broken: servers behind a balancer, their databases, the vendor, signed-in people."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import secrets
import signal
import sys
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from chaos.balancer import Balancer, is_ready
from chaos.facts import Away, Database
from chaos.person import MODEL, Person, chooser
from chaos.programs import NotStarted, Program, free_ports, run
from chaos.shown import Witness
from chaos.stores import PostgreSQL, Redis
from chaos.tab import Reader
from chaos.tally import Tally
from chaos.vendor import Vendor

EMAIL, PASSWORD = "owner@chaos.invalid", "break twice, mend once"
READY_SECONDS = 60.0
LOOK_EVERY = 0.2
VENDORS = ("ANTHROPIC_", "OPENAI_", "AZURE_OPENAI_", "COPILOT_", "SALESFORCE_")
OURS = ("PARLEY_", *VENDORS, "DJANGO_", "DATABASE_URL", "REDIS_URL", "EMAIL_URL")


class Server:
    """One `manage.py serve`, always at the same port. A supervisor starts it again when it ends."""

    def __init__(
        self, name: str, folder: Path, environment: dict[str, str], tally: Tally, witness: Witness
    ) -> None:
        (self.port,) = free_ports(1)
        self.name = name
        self._tally, self._witness = tally, witness
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        self.program = Program(name, command, folder=folder, environment=environment)
        self.away = True  # it is down because we want it to be
        self.was_ready = False

    def start(self) -> None:
        self.was_ready = False
        self.program.start()
        self.away = False

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Waits until it takes requests. Raises NotStarted."""
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            if await is_ready(self.port):
                self.was_ready = True
                return
            await asyncio.sleep(0.1)
        raise NotStarted(f"{self.name} is not ready after {seconds:.0f} s.\n{self.program.last_lines()}")

    async def supervise(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if self.away or self.program.running:
                continue
            if self.was_ready:
                story = f"{self.name} ended with status {self.program.status}: {self.program.last_lines(8)}"
                self._witness.say("a server ended by itself", "", story)
            self._tally.ended_by_itself += 1
            self.start()
            await asyncio.sleep(0.5)

    async def kill(self) -> None:
        self.away = True
        await asyncio.to_thread(self.program.kill)

    async def end(self, seconds: float) -> bool:
        """Asks it to drain and end; whether it did so by itself."""
        self.away = True
        self.program.send(signal.SIGTERM)
        ended = await asyncio.to_thread(self.program.wait, seconds)
        if not ended:
            await asyncio.to_thread(self.program.kill)
        return ended


class Site:
    """`async with Site(...)`: everything runs, people are signed in; at the end nothing is left running."""

    def __init__(
        self, folder: Path, *, servers: int, people: int, seed: int, stores: bool, drain: int = 4
    ) -> None:
        """With `stores` on PostgreSQL and Redis of its own, else on SQLite. Raises Missing."""
        folder.mkdir(mode=0o711)
        self.folder = folder
        self.seed = seed
        self.tally, self.witness = Tally(), Witness()
        plain = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.postgres = PostgreSQL(folder, plain) if stores else None
        self.redis = Redis(folder, plain) if stores else None
        settings = {"DJANGO_SETTINGS_MODULE": "chaos.settings", "PYTHONUNBUFFERED": "1"}
        self.vendor = Vendor(folder, plain | settings | {"PARLEY_DATA_DIR": str(folder / "vendor")})
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self._environment = plain | settings
        self._environment |= {
            "PARLEY_SECRET_KEYS": key,
            "PARLEY_DRAIN_SECONDS": str(drain),
            "PARLEY_DEMO": "0",
            "ANTHROPIC_API_KEY": "sk-ant-chaos-0000",
            "ANTHROPIC_BASE_URL": self.vendor.url,
        }
        if self.postgres is not None and self.redis is not None:
            self._environment |= {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}
            self.database = Database(self.postgres.url)
        else:
            self.database = Database(folder / "data-1" / "parley.sqlite3")
        self.servers = [self._server(number) for number in range(1, servers + 1)]
        self.balancer = Balancer([server.port for server in self.servers])
        self.people: list[Person] = []
        self.continuations: set[str] = set()
        self._count = people
        self._tasks: list[asyncio.Task[None]] = []
        self._sessions: list[aiohttp.ClientSession] = []

    def _server(self, number: int) -> Server:
        place = {"PARLEY_DATA_DIR": str(self.folder / f"data-{number}")}
        return Server(f"server-{number}", self.folder, self._environment | place, self.tally, self.witness)

    async def __aenter__(self) -> Site:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for person in self.people:
            with suppress(Exception):
                await person.leave()
        await self.balancer.stop()
        for session in self._sessions:
            await session.close()
        await asyncio.to_thread(self._end_programs)

    def _end_programs(self) -> None:
        for server in self.servers:
            server.away = True
            server.program.send(signal.SIGCONT)
            server.program.kill()
        self.vendor.stop()
        for store in (self.redis, self.postgres):
            if store is not None:
                store.stop()

    async def _start(self) -> None:
        if self.postgres is not None and self.redis is not None:
            await asyncio.to_thread(self.postgres.create)
            await asyncio.to_thread(self.redis.start)
        await self.vendor.start(self._session())
        self.continuations = await self.vendor.continuations(MODEL.partition("/")[2])
        made = json.loads(await asyncio.to_thread(self._found))
        for server in self.servers:
            server.start()
        await asyncio.gather(*(server.ready() for server in self.servers))
        await self.balancer.start()
        await self.balancer.complete.wait()
        for number, session in enumerate(made["sessions"]):
            self.people.append(Person(self._reader(number, session, made["cookies"]), f"p{number}"))
        for server in self.servers:
            self.spawn(server.supervise())
        self.spawn(self.vendor.watch())

    def _found(self) -> str:
        """Makes the first account and the people; their sessions."""
        environment = self._environment | {"PARLEY_DATA_DIR": str(self.folder / "data-1")}
        manage = [sys.executable, "manage.py"]
        run([*manage, "migrate", "--verbosity", "0"], environment=environment)
        account = ["--email", EMAIL, "--password", PASSWORD, "--role", "owner"]
        run([*manage, "createuser", *account], environment=environment)
        return run([sys.executable, "-m", "chaos.accounts", str(self._count)], environment=environment)

    def _reader(self, number: int, session: str, cookies: dict[str, str]) -> Reader:
        csrf = "c" * 32
        return Reader(
            url=f"http://127.0.0.1:{self.balancer.port}",
            cookies=f"{cookies['session']}={session}; {cookies['csrf']}={csrf}",
            csrf=csrf,
            http=self._session(),
            witness=self.witness,
            tally=self.tally,
            choose=chooser(self.seed, f"person {number}"),
        )

    def _session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._sessions.append(session)
        return session

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    # What faults ask

    def pick(self, choose: random.Random) -> Server:
        """A server, one that takes requests where there is one."""
        up = [server for server in self.servers if server.port in self.balancer.ready]
        return choose.choice(up or self.servers)

    async def note_loss(self, servers: Iterable[Server]) -> None:
        """Remembers which runs these servers write, a moment before they are lost."""
        for server in servers:
            with suppress(Away):
                runs = await asyncio.to_thread(self.database.live_runs, server.program.pid)
                self.tally.host_lost(runs)

    async def watch_recovery(self) -> None:
        """Looks at runs that lost their host until they have ended or have another one."""
        while True:
            await asyncio.sleep(0.5)
            if not self.tally.hosts:
                continue
            with suppress(Away):
                self.tally.hosts_now(await asyncio.to_thread(self.database.live))
