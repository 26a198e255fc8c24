"""The page's socket against strangers, nonsense and rights that change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from accounts.models import DeviceSession, User
from chat import sockets
from chat.events import Notice
from chat.feed import FRAMES_MOST, OUTSTANDING_MOST, Feed
from chat.host import host
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.live import Listener, LiveServer, Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


def look_at_rights() -> None:
    """What the server does every five seconds, now."""
    assert host.loop is not None
    asyncio.run_coroutine_threadsafe(sockets.look_at_rights(), host.loop).result(10)


def closed(page: Any) -> int | None:
    """Reads until the server closes; returns its code."""
    try:
        while True:
            page.socket.recv(timeout=10)
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd is not None else None


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://evil.example",
        "http://evil.localhost:{port}",
        "https://localhost:{port}",
        "http://localhost:1",
        "http://localhost",
        "http://127.0.0.1:{port}",
        "http://localhost:{port}.evil.example",
    ],
)
def test_a_page_of_another_origin_is_refused_before_the_handshake(
    server: LiveServer, visitor: Visitor, origin: str | None
) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.http.cookies.items())
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws://localhost:{server.port}/ws/",
            origin=origin.format(port=server.port) if origin else None,  # type: ignore[arg-type]
            additional_headers={"Cookie": cookies},
            proxy=None,
        )
    assert refused.value.response.status_code == 403


def test_a_forged_host_is_refused(server: LiveServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws://127.0.0.1:{server.port}/ws/",
            origin="http://evil.example",  # type: ignore[arg-type]
            additional_headers={"Host": "evil.example"},
            proxy=None,
        )
    assert refused.value.response.status_code in {400, 403}


def test_without_a_session_the_socket_closes_as_signed_out(server: LiveServer) -> None:
    with connect(f"ws://localhost:{server.port}/ws/", origin=server.url, proxy=None) as socket:  # type: ignore[arg-type]
        with pytest.raises(ConnectionClosed) as end:
            socket.recv(timeout=10)
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == sockets.SIGNED_OUT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        '{"type":"unknown"}',
        '{"type":"follow"}',
        '{"type":"follow","conversation":"x"}',
        '{"type":"stop","message":1}',
        "[" * 10_000,
        '{"type":"follow","conversation":' + "[" * 10_000,
        json.dumps({"type": "follow", "conversation": str(uuid4()), "after": {"x": "y"}}),
        "x" * 70_000,
    ],
    ids=lambda text: text[:30] or "empty",
)
def test_what_is_no_command_is_refused_with_a_reason(visitor: Visitor, text: str) -> None:
    with visitor.listen() as page:
        page.socket.send(text)
        assert page.hear()["code"] == "bad_command"
        assert closed(page) == 4400


def test_a_frame_above_the_limit_closes_the_socket(visitor: Visitor) -> None:
    with visitor.listen() as page:
        with suppress(ConnectionClosed):  # it may be closed before all of the frame has left
            page.socket.send("x" * (1024 * 1024 + 1))
        assert closed(page) in {1009, None}


def test_a_million_fragments_leave_other_pages_untouched(visitor: Visitor) -> None:
    with visitor.listen() as other:
        with visitor.listen() as page:
            with suppress(ConnectionClosed):
                page.socket.send("x" for _ in range(70_000))
            closed(page)
        conversation, _turns = visitor.start("Hi", CLAUDE)
        assert other.hear_until("changed")["conversation"] == conversation


def test_signing_out_closes_the_socket(visitor: Visitor) -> None:
    with visitor.listen() as page:
        visitor.post("/logout/")
        look_at_rights()
        assert closed(page) == sockets.SIGNED_OUT


def test_an_expired_session_closes_the_socket(visitor: Visitor) -> None:
    with visitor.listen() as page:
        Session.objects.update(expire_date="2020-01-01T00:00Z")
        look_at_rights()
        assert closed(page) == sockets.SIGNED_OUT


def test_a_changed_password_closes_the_socket(visitor: Visitor, owner: User) -> None:
    with visitor.listen() as page:
        owner.set_password("another long password")
        owner.save(update_fields=["password"])
        look_at_rights()
        assert closed(page) == sockets.SIGNED_OUT


def test_a_session_that_is_ended_elsewhere_closes_its_socket_alone(
    visitor: Visitor, owner: User, sign_in: Callable[[str], Visitor]
) -> None:
    other = sign_in(owner.email)
    with visitor.listen() as page, other.listen() as theirs:
        mine = DeviceSession.objects.get(session_key=visitor.http.cookies["parley_session"])
        other.post(f"/settings/security/sessions/{mine.pk}/end/")
        look_at_rights()
        assert closed(page) == sockets.SIGNED_OUT
        conversation, _turns = other.start("Hi", CLAUDE)
        assert theirs.hear_until("changed")["conversation"] == conversation


def test_who_needs_a_second_factor_first_is_cut_off(visitor: Visitor, owner: User) -> None:
    with visitor.listen() as page:
        User.objects.filter(id=owner.id).update(second_factor_due=timezone.now())
        look_at_rights()
        assert closed(page) == sockets.NO_RIGHT
    with visitor.listen() as again:
        assert closed(again) == sockets.SIGNED_OUT
    assert visitor.post("/c/", text="Hi", model=CLAUDE).status_code == 403


def test_a_deactivated_person_is_cut_off(visitor: Visitor, owner: User) -> None:
    with visitor.listen() as page:
        User.objects.filter(id=owner.id).update(is_active=False)
        look_at_rights()
        assert closed(page) == sockets.NO_RIGHT
    assert visitor.http.get("/", follow_redirects=False).status_code == 302


def test_people_stay_signed_in_when_the_signing_key_changes(visitor: Visitor, settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new key " * 5
    with visitor.listen() as page:
        conversation, _turns = visitor.start("Hi", CLAUDE)
        assert page.hear_until("changed")["conversation"] == conversation
    assert visitor.http.get("/", follow_redirects=False).status_code == 200


def test_only_the_owners_pages_hear_of_a_conversation(
    visitor: Visitor, stranger: User, sign_in: Callable[[str], Visitor]
) -> None:
    sam = sign_in(stranger.email)
    with sam.listen() as theirs, visitor.listen() as mine:
        visitor.start("Hi", CLAUDE)
        mine.hear_until("changed")
        theirs.say(type="follow", conversation=str(uuid4()))
        assert theirs.hear()["type"] == "notice", "the first frame that the stranger ever hears"


def hear_to_the_end(page: Listener) -> None:
    """Reads as a page does: says what it has after every frame."""
    while (frame := page.hear())["type"] != "finished":
        if frame["type"] in {"events", "state"}:
            page.say(type="follow", conversation=frame["conversation"], after={frame["run"]: frame["seq"]})


def test_what_a_page_does_not_acknowledge_is_bounded_and_comes_when_it_does(
    visitor: Visitor, vendor: ThreadServer
) -> None:
    script = json.dumps({"text": "word " * 140_000, "deltas": 300, "gates": {"both": 3}})
    conversation, (_question, answer) = visitor.start(f"Go.\n[[simulate {script}]]", CLAUDE)
    follow = {"type": "follow", "conversation": conversation, "after": {answer.run: 0}}
    with visitor.listen() as silent, visitor.listen() as reader:
        for page in (silent, reader):
            page.say(**follow)
            page.hear_until("events")
        httpx.post(f"{vendor.base_url}/_simulator/gates/both").raise_for_status()
        hear_to_the_end(reader)
        silent.say(type="follow", conversation=str(uuid4()))
        while silent.hear()["type"] != "notice":
            pass
        heard = len(silent.text)
        assert heard < 2 * OUTSTANDING_MOST, "the rest waits until the page says that it has this"
        silent.say(type="follow", conversation=conversation, after=silent.numbers)
        hear_to_the_end(silent)
    whole = visitor.turns(conversation)[-1].text
    assert len(whole) > 690_000
    assert whole.startswith(silent.text)


async def test_a_page_that_takes_no_frames_is_cut(owner: User) -> None:
    async def stall(_text: str) -> None:
        await asyncio.Event().wait()

    feed = Feed(stall)
    for _ in range(FRAMES_MOST + 2):
        feed.put(Notice("n", "t"))
    assert feed.overflows
