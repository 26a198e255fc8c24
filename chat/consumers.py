"""The socket of one open page: a window on the journal.

Commands are read here, by a dispatcher that never waits for a model or for the page; what the page is sent is
its `Feed`. Messages are sent by HTTP, not here.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, InterfaceError

from accounts.context import person
from accounts.models import User

from . import actions, snapshots, sockets
from .events import Changed, Follow, Notice, Stop, Unfollow, encode, parse
from .feed import Feed
from .host import host
from .live import Window
from .models import Conversation
from .reading import read

BAD_COMMAND = 4400

log = logging.getLogger(__name__)


class Page(AsyncWebsocketConsumer):
    """`conversation` is the one that the page looks at, if any; `feed` is what it is shown."""

    channel_layer_alias = "none: processes tell each other, not their pages"
    granted: sockets.Pass
    _sender: asyncio.Task[None] | None = None

    async def dispatch(self, message: Any) -> None:
        """Channels' own, without its step into a thread to close old connections before every message.

        Nothing here touches the database on the loop; `reading` looks after its own connections. While the
        database is away the page is sent off, and comes back.
        """
        try:
            await getattr(self, get_handler_name(message))(message)
        except (DatabaseError, InterfaceError) as error:
            log.warning("The database is away (%s); a page is asked to come back", type(error).__name__)
            await self.dismiss(sockets.RESTARTING)

    async def connect(self) -> None:
        granted = await read(partial(sockets.pass_for, dict(self.scope["headers"])))
        await self.accept()
        if granted is None:
            await self.close(sockets.SIGNED_OUT)
            raise StopConsumer
        self.granted = granted
        person.set(granted.user)
        self.conversation: UUID | None = None
        self.feed = Feed(self._send_text)
        self._sender = host.spawn(self.feed.send_forever())
        sockets.enter(self)

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "granted"):
            self._leave_conversation()
            sockets.leave(self)
            if self._sender is not None:
                self._sender.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            command = parse(text_data or "")
        except ValueError as error:
            await self._notice("bad_command", str(error))
            await self.dismiss(BAD_COMMAND)
            return
        match command:
            case Follow():
                await self._follow(command)
            case Unfollow():
                self._leave_conversation()
            case Stop():
                await self._stop(command)

    # What `sockets` asks of a page

    def tell(self, frame: Changed) -> None:
        self.feed.put(frame)

    def follow_run(self, window: Window) -> None:
        """A run of the conversation that the page looks at is shown from its beginning."""
        self.feed.follow(window)

    def is_stuck(self) -> bool:
        return self.feed.overflows

    async def dismiss(self, code: int) -> None:
        if self._sender is not None:
            self._sender.cancel()
        with suppress(OSError):  # it has gone by itself
            await self.close(code)

    # Commands

    async def _follow(self, command: Follow) -> None:
        if command.conversation != self.conversation:
            if not await self._may_open(command.conversation):
                await self._notice("not_found", "There is no such conversation.")
                return
            self._leave_conversation()
            self.conversation = command.conversation
            sockets.look(self, command.conversation)
            for live in host.runs_of(command.conversation):
                self.feed.follow(live, command.after.get(live.run, 0))
            await self._find_runs(command)
            return
        self.feed.acknowledged(command.after.items())
        if not all(self.feed.follows(run) for run in command.after):
            await self._find_runs(command)

    async def _find_runs(self, command: Follow) -> None:
        """Follows the live runs of the conversation wherever they are hosted, and tells which have ended."""
        live, ended = await read(partial(snapshots.runs_of, command.conversation, list(command.after)))
        for run in live:
            if not self.feed.follows(run.run):
                number = command.after.get(run.run, 0)
                self.feed.follow(await self._window(run, number), number)
        for frame in ended:
            if not self.feed.follows(frame.run):
                self.feed.put(frame)

    async def _window(self, run: snapshots.Begun, number: int) -> Window:
        """The window on a run, here or elsewhere; a number that is not stored yet is not believed."""
        if (here := host.runs.get(run.run)) is not None:
            return here
        begin = min(number, await read(partial(snapshots.last_number, run.run))) if number else 0
        return host.distant.window(run.run, run.message, run.conversation, begin)

    async def _stop(self, command: Stop) -> None:
        try:
            await read(partial(self._stop_now, command.message))
        except ObjectDoesNotExist:
            await self._notice("not_found", "There is no such answer.")

    def _stop_now(self, message: UUID) -> None:
        conversation = Conversation.objects.for_user(self._user()).get(messages=message)
        actions.stop(conversation=conversation, message=message)

    async def _may_open(self, conversation: UUID) -> bool:
        def look() -> bool:
            return Conversation.objects.for_user(self._user()).filter(id=conversation).exists()

        try:
            return await read(look)
        except ObjectDoesNotExist:
            return False

    def _user(self) -> User:
        user: User = User.objects.get(id=self.granted.user, is_active=True)
        return user

    def _leave_conversation(self) -> None:
        if self.conversation is not None:
            sockets.look_away(self, self.conversation)
            self.conversation = None
        self.feed.forget_runs()

    # Sending

    async def _notice(self, code: str, text: str) -> None:
        await self._send_text(encode(Notice(code, text)))

    async def _send_text(self, text: str) -> None:
        message: Any = {"type": "websocket.send", "text": text}
        await self.base_send(message)
