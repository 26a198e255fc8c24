"""Addresses that people have a say in: only public ones are dialled, whatever the text or the name says."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from providers import addresses, outbound
from providers.addresses import is_allowed, is_public, private_hosts
from providers.errors import ConnectionFailed
from providers.outbound import NOT_REACHED, GuardedTransport
from tests.network import NetworkIsOff

from .loopback import Exchange, loopback

OUR_OWN = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",  # noqa: S104
    "192.88.99.1",
    "2001:20::1",
    "3fff::1",
    "10.0.0.1",
    "172.16.9.9",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "198.18.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "fec0::1",
]
REFUSED_URLS = [
    "http://api.example.com/v1",
    "https://127.0.0.1/v1",
    "https://[::1]/v1",
    "https://[::ffff:169.254.169.254]/latest/meta-data",
    "https://\uff12\uff11\uff17.0.0.1/",
    "https://user:password@api.example.com/",
    "https://user@api.example.com/",
    "ftp://api.example.com/",
    "file:///etc/passwd",
    "https://",
    "https://api.example.com:99999/",
    "//api.example.com/",
    "",
]
# Notations of 127.0.0.1 and of the metadata host that system resolvers understand.
NUMBERS = ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0x7f.1", "2852039166"]


@pytest.fixture(autouse=True)
def nothing_is_allowed() -> Iterator[None]:
    addresses.allow(())
    yield
    addresses.allow(())


@pytest.mark.parametrize("address", OUR_OWN)
def test_addresses_of_our_own_and_of_nobody_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "160.79.104.10", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_the_operators_list_names_hosts_ports_and_whole_domains() -> None:
    addresses.allow(private_hosts(["localhost:11434", "10.0.0.5", "*.lan", "[FD00::5]:8000", "Host.Corp:80"]))
    assert is_allowed("localhost", 11434)
    assert is_allowed("LOCALHOST.", 11434)
    assert not is_allowed("localhost", 11435)
    assert is_allowed("10.0.0.5", 1)
    assert is_allowed("a.b.lan", 443)
    assert not is_allowed("lan", 443)
    assert not is_allowed("evillan", 443)
    assert is_allowed("fd00::5", 8000)
    assert not is_allowed("fd00::6", 8000)
    assert is_allowed("host.corp", 80)


@pytest.mark.parametrize("word", ["", "http://x", "a b", "host:0", "host:65536", "a/b", "*", "x:y", "[::1"])
def test_an_entry_that_is_no_host_is_told(word: str) -> None:
    with pytest.raises(ValueError, match="host"):
        private_hosts([word])


@pytest.mark.parametrize("url", REFUSED_URLS)
async def test_an_address_that_is_not_to_be_called_is_refused_by_its_text(url: str) -> None:
    await refused(GuardedTransport(), url)


@pytest.mark.parametrize("number", NUMBERS)
async def test_numbers_that_mean_an_address_are_refused(number: str) -> None:
    await refused(GuardedTransport(), f"https://{number}/")


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["2606:4700::1111", "fd00::1"], []],
    ids=" ".join,
)
async def test_a_name_with_a_private_address_among_its_own_is_refused(found: list[str]) -> None:
    pool = GuardedTransport(answering(found))
    await refused(pool, "https://innocent.example.com/v1")


async def test_a_name_that_is_not_there_is_refused_in_the_same_words() -> None:
    async def nothing(host: str, port: int, family: socket.AddressFamily) -> list[str]:
        raise OSError("no such name")

    await refused(GuardedTransport(nothing), "https://missing.example.com/v1")


async def test_a_name_that_changes_its_mind_is_dialled_where_it_was_judged() -> None:
    """Rebinding: the second answer is private, and nobody asks a second time."""
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    asked: list[str] = []

    async def look_up(host: str, port: int, family: socket.AddressFamily) -> list[str]:
        asked.append(host)
        return next(answers)

    pool = GuardedTransport(look_up)
    with pytest.raises(NetworkIsOff, match=re.escape("8.8.8.8")):
        await read(pool, "https://rebinding.example.com/v1")
    await pool.close()
    assert asked == ["rebinding.example.com"]


async def test_a_host_on_the_operators_list_is_reached_by_plain_http() -> None:
    async def greet(exchange: Exchange) -> None:
        await exchange.answer(200, b"hello")

    async with loopback(greet) as server:
        port = server.url.rpartition(":")[2]
        pool = GuardedTransport(answering(["127.0.0.1"]))
        await refused(pool, f"http://models.lan:{port}/")
        addresses.allow(private_hosts([f"models.lan:{port}"]))
        pool = GuardedTransport(answering(["127.0.0.1"]))
        assert await read(pool, f"http://models.lan:{port}/") == b"hello"
        # That one name may lead there lets no other name lead there, nor the address itself.
        other = GuardedTransport(answering(["127.0.0.1"]))
        await refused(other, f"http://other.lan:{port}/")
        await refused(pool, f"https://other.lan:{port}/", close=False)
        await refused(pool, f"http://127.0.0.1:{port}/")
        await pool.close()


async def test_a_literal_address_on_the_list_is_reached() -> None:
    async def greet(exchange: Exchange) -> None:
        await exchange.answer(200, b"hello")

    async with loopback(greet) as server:
        addresses.allow(private_hosts([server.url.removeprefix("http://")]))
        pool = GuardedTransport()
        assert await read(pool, f"{server.url}/") == b"hello"
        await pool.close()


async def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    async def away(exchange: Exchange) -> None:
        seen.append(exchange.path)
        await exchange.answer(302, b"", location="http://169.254.169.254/latest")

    async with loopback(away) as server:
        addresses.allow(private_hosts([server.url.removeprefix("http://")]))
        pool = GuardedTransport()
        async with pool.stream("GET", f"{server.url}/v1", headers={}) as answer:
            assert answer.status == 302
        await pool.close()
    assert seen == ["/v1"]


async def refused(pool: GuardedTransport, url: str, *, close: bool = True) -> None:
    with pytest.raises(ConnectionFailed) as failure:
        async with pool.stream("GET", url, headers={"x-api-key": "secret"}):
            pass
    assert failure.value.safe_message == NOT_REACHED
    assert failure.value.sent is False
    if close:
        await pool.close()


async def read(pool: GuardedTransport, url: str) -> bytes:
    async with pool.stream("GET", url, headers={}) as answer:
        return await answer.read(1000)


def answering(found: list[str]) -> outbound.LookUp:
    async def look_up(host: str, port: int, family: socket.AddressFamily) -> list[str]:
        return found

    return look_up
