"""The tests' own guards hold: no network, a file database, Chromium kept to this machine."""

import asyncio
import socket
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import Page

from tests.network import NetworkIsOff

FAR = "192.0.2.1"  # set aside for documentation (RFC 5737): nobody answers there


def test_connecting_to_another_machine_fails_loudly():
    with socket.socket() as sock, pytest.raises(NetworkIsOff, match=FAR):
        sock.connect((FAR, 443))
    with socket.socket() as sock, pytest.raises(NetworkIsOff):
        sock.connect_ex((FAR, 443))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(NetworkIsOff):
        sock.sendto(b"", (FAR, 53))


async def test_connecting_from_a_loop_fails_loudly():
    with pytest.raises(NetworkIsOff):
        await asyncio.open_connection(FAR, 443)


async def test_connecting_to_this_machine_works():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        writer.write(b"here")
        assert await reader.read() == b"here"
        writer.close()


def test_no_name_is_looked_up():
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.org", 443)


@pytest.mark.django_db
def test_the_database_is_a_file_outside_the_checkout():
    if connection.vendor != "sqlite":
        pytest.skip("this lane runs on PostgreSQL")
    assert Path(str(connection.settings_dict["NAME"])).is_file()
    assert Path(settings.BASE_DIR) not in Path(str(connection.settings_dict["NAME"])).parents


def test_a_page_reaches_this_machine_only(page: Page):
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.failure or ""))
    page.set_content("<p>here</p><img src='http://example.org/pixel.png'>")
    page.wait_for_load_state("load")
    assert page.text_content("p") == "here"
    assert failed == ["net::ERR_NAME_NOT_RESOLVED"]
