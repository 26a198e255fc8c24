"""All pages of one kind: opened, made ready, compared, against Parley or against the relay."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

from bench.pages import Page, ParleyPage, RelayPage, Site
from bench.processes import Stage
from bench.wire import Answer, Broken, Http, request

PROVIDER, MODEL = "anthropic", "claude-sonnet-5-5"
EMAIL, PASSWORD = "owner@bench.invalid", "measure twice, cut once"
PREPARED_AT_ONCE = 8


class Load(ABC):
    """All pages against one server."""

    name: str

    @abstractmethod
    async def open(self, count: int) -> list[Page]:
        """So many open pages, each ready to ask."""

    async def ready(self, pages: list[Page]) -> None:
        """Makes the pages ready to ask again."""
        for page in pages:
            page.begin()

    @abstractmethod
    async def fetch_rest(self, pages: list[Page], deltas: int) -> None:
        """Fetches what is shown with the finished turn alone, where that is so."""

    @abstractmethod
    async def compare(self, pages: list[Page]) -> None:
        """Compares what was shown with what is kept, where something is kept; sets `problem`."""


class RelayLoad(Load):
    name = "relay"

    def __init__(self, address: str) -> None:
        self._address = address

    async def open(self, count: int) -> list[Page]:
        pages: list[Page] = []
        for _ in range(count):
            page = RelayPage()
            await page.open(self._address)
            pages.append(page)
        return pages

    async def fetch_rest(self, pages: list[Page], deltas: int) -> None:
        pass  # every delta is a frame

    async def compare(self, pages: list[Page]) -> None:
        pass  # nothing is kept


class Parley(Load):
    """Each page belongs to a person of its own: pages of one person hear of each other's answers."""

    def __init__(self, site: Site, sessions: list[str], name: str = "parley") -> None:
        self.name = name
        self._site = site
        self._sessions = sessions
        self._pages: list[ParleyPage] = []

    @classmethod
    async def of_people(cls, stage: Stage, address: str, count: int, *, fetches: bool) -> Parley:
        """Makes the first account and its people, all of whom are signed in. Raises NotStarted or Broken."""
        stage.command("manage.py", "createuser", "--email", EMAIL, "--password", PASSWORD, "--role", "owner")
        made = json.loads(stage.command("-m", "bench.people", str(max(0, count - 1))))
        model, cookies = f"{PROVIDER}/{MODEL}", made["cookies"]
        site = Site(address, model, cookies["session"], cookies["csrf"], fetches=fetches)
        self = cls(site, made["sessions"])
        await self.sign_in(EMAIL, PASSWORD)
        return self

    def at(self, name: str, address: str, listens_at: str = "") -> Parley:
        """The same people, with conversations and pages of their own, at other addresses."""
        return Parley(replace(self._site, address=address, listens_at=listens_at), self._sessions, name)

    async def sign_in(self, email: str, password: str) -> None:
        """Signs the first account in through the page, as a browser does. Raises Broken."""
        site = self._site
        http = await Http.open(*site.place)
        host = {"Host": urlsplit(site.address).netloc}
        page = await http.send(request("GET", "/login/", host))
        if page.status != 200:
            raise Broken(f"The sign-in page was answered with {page.status}.")
        site.csrf = page.cookies.get(site.csrf_cookie, "")
        fields = {"login": email, "password": password, "csrfmiddlewaretoken": site.csrf}
        headers = host | {"Origin": site.address, "Cookie": f"{site.csrf_cookie}={site.csrf}"}
        answer: Answer = await http.send(request("POST", "/login/", headers, urlencode(fields).encode()))
        http.close()
        session = answer.cookies.get(site.session_cookie, "")
        if answer.status != 302 or not session:
            raise Broken(f"Signing in was answered with {answer.status}.")
        site.csrf = answer.cookies.get(site.csrf_cookie, site.csrf)
        self._sessions.insert(0, session)

    async def prepare(self, count: int) -> None:
        """So many conversations, one for each person."""
        waiting = [ParleyPage(self._site, session) for session in self._sessions[:count]]
        self._pages = list(waiting)

        async def work() -> None:
            while waiting:
                await waiting.pop().prepare()

        await asyncio.gather(*(work() for _ in range(PREPARED_AT_ONCE)))

    async def open(self, count: int) -> list[Page]:
        for page in self._pages[:count]:
            await page.open()
        return list(self._pages[:count])

    async def ready(self, pages: list[Page]) -> None:
        await super().ready(pages)
        for page in pages:
            assert isinstance(page, ParleyPage)
            await page.connect()

    async def fetch_rest(self, pages: list[Page], deltas: int) -> None:
        if self._site.listens_at:
            for page in pages:
                assert isinstance(page, ParleyPage)
                await page.fetch_rest(deltas)

    async def compare(self, pages: list[Page]) -> None:
        for page in pages[:: max(1, len(pages) // 50)]:
            assert isinstance(page, ParleyPage)
            shown = "".join(text for _now, text in page.texts(page.stream))
            if shown and shown not in await page.kept():
                page.stream.problem = page.stream.problem or "what was shown is not what is kept"
