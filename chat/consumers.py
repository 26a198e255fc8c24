"""The socket of one open page: a window on the journal.

Commands are read by the dispatcher, which never waits for a model or for the page; frames are sent by a task
of their own, so that a page that reads slowly still hears Stop. Messages are sent by HTTP, not here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.exceptions import ObjectDoesNotExist

from accounts.models import User

from . import actions, snapshots, sockets
from .events import Changed, Events, Finished, Follow, Frame, Notice, State, Stop, Unfollow, encode, parse
from .host import host
from .live import LiveRun
from .models import Conversation
from .reading import read

BAD_COMMAND = 4400
RESTARTING = 1012
FRAMES_KEPT = (
    200  # waiting frames other than stream events; a page that lets more wait is closed and comes back
)


class Page(AsyncWebsocketConsumer):
    """`_followed` holds, per run, the last number that was sent to the page."""

    channel_layer_alias = "none: the bell is rung within the process"
    granted: sockets.Pass

    async def dispatch(self, message: Any) -> None:
        """Channels' own, without its step into a thread to close old connections before every message.

        Nothing here touches the database on the loop; `reading` looks after its own connections.
        """
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        granted = await read(partial(sockets.pass_for, dict(self.scope["headers"])))
        await self.accept()
        if granted is None:
            await self.close(sockets.SIGNED_OUT)
            raise StopConsumer
        self.granted = granted
        self.conversation: UUID | None = None
        self._followed: dict[LiveRun, int] = {}
        self._frames: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._sender = host.spawn(self._send_forever())
        sockets.enter(self)

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "granted"):
            self._leave_conversation()
            sockets.leave(self)
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

    # What sockets and live runs ask of a page

    def tell(self, frame: Changed) -> None:
        self._put(frame)

    def wake(self) -> None:
        self._news.set()

    def follow_run(self, live: LiveRun, after: int = 0) -> None:
        """Shows a live run of the followed conversation after number `after`."""
        self._followed[live] = after
        live.followers.add(self)
        if live.seq > after or live.finished:
            self.wake()

    async def dismiss(self, code: int) -> None:
        self._sender.cancel()
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
        here = {live.run: live for live in host.runs_of(command.conversation)}
        for run, live in here.items():
            number = command.after.get(run)
            if live not in self._followed or (number is not None and number > self._followed[live]):
                self.follow_run(live, number or 0)
        elsewhere = [run for run in command.after if run not in here]
        if elsewhere:
            for frame in await _ended(command.conversation, elsewhere):
                self._put(frame)

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
        self._forget_runs()

    def _forget_runs(self) -> None:
        for live in self._followed:
            live.followers.discard(self)
        self._followed.clear()

    # Sending

    async def _notice(self, code: str, text: str) -> None:
        await self.send(text_data=encode(Notice(code, text)))

    def _put(self, frame: Frame) -> None:
        self._frames.append(frame)
        if len(self._frames) > FRAMES_KEPT:
            host.spawn(self.dismiss(RESTARTING))
        self._news.set()

    async def _send_forever(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._frames:
                await self._send(self._frames.popleft())
            for live, sent in list(self._followed.items()):
                if live.seq > sent:
                    await self._send_rows(live, sent)
                if live.finished and live in self._followed and self._followed[live] >= live.seq:
                    del self._followed[live]
                    live.followers.discard(self)
                    await self._send(Finished(live.conversation, live.run, live.message, live.finished))

    async def _send_rows(self, live: LiveRun, sent: int) -> None:
        """ONE frame with all that the page has not got; the whole state where memory does not reach back so
        far.
        """
        events, seq = live.rows_after(sent), live.seq
        if events is None:
            snapshot = await snapshots.of_run(live.run)
            if snapshot is None:  # finished meanwhile: the page fetches the turn
                self._followed[live] = live.seq
                return
            self._followed[live] = snapshot.seq
            await self._send(State(live.conversation, live.run, live.message, snapshot.seq, snapshot.state))
            return
        self._followed[live] = seq
        await self._send(Events(live.conversation, live.run, live.message, sent, seq, msgspec.Raw(events)))

    async def _send(self, frame: Frame) -> None:
        message: Any = {"type": "websocket.send", "text": encode(frame)}
        await self.base_send(message)


async def _ended(conversation: UUID, runs: list[UUID]) -> list[Finished]:
    """Word of runs that the page still thinks alive and that this process does not host."""
    found = await read(partial(snapshots.ended, conversation, runs))
    return [Finished(conversation, run.id, run.message_id, run.status) for run in found]
