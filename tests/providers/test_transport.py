"""The HTTP client: what it says of failures, what becomes of its connections."""

from __future__ import annotations

import asyncio
import random
import ssl
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from providers import errors
from providers.errors import ProviderError
from providers.transport import Timeouts, Transport, transport
from tests.providers.loopback import Exchange, Script, loopback

SEED = 20261120


async def once(pool: Transport, url: str, *, timeouts: Timeouts | None = None, content: bytes = b"") -> bytes:
    method = "POST" if content else "GET"
    async with pool.stream(method, url, headers={}, content=content, timeouts=timeouts) as answer:
        return await answer.read(1000)


async def failure(pool: Transport, url: str, *, timeouts: Timeouts | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await once(pool, url, timeouts=timeouts, content=b"question")
    return caught.value


async def greet(exchange: Exchange) -> None:
    await exchange.answer(200, b"hello")


async def own_name(exchange: Exchange) -> None:
    """Says the path it was asked for, again and again, until the caller leaves."""
    await exchange.begin_stream()
    await exchange.send(*[exchange.path.encode()] * 3)
    await exchange.until_left()


async def test_a_large_body_arrives_whole_with_its_length(pool: Transport) -> None:
    sent = random.Random(SEED).randbytes(3 * 1024 * 1024 + 7)
    async with loopback(greet) as server:
        for _ in range(2):
            assert await once(pool, server.url, content=sent) == b"hello"
        first, second = server.exchanges
    assert first.body == second.body == sent
    assert [value for name, value in first.headers if name == "content-length"] == [str(len(sent))]
    assert not [name for name, _value in first.headers if name == "transfer-encoding"]


# Sent or not sent


async def test_a_refused_connection_was_not_sent(pool: Transport) -> None:
    async with loopback(greet) as server:
        pass
    error = await failure(pool, server.url)
    assert isinstance(error, errors.ConnectionFailed)
    assert not error.sent
    assert error.retryable


async def test_an_unknown_host_was_not_sent(pool: Transport) -> None:
    error = await failure(pool, "http://no-such-host.invalid/")
    assert isinstance(error, errors.ConnectionFailed)
    assert not error.sent


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1", "http://", "http://127.0.0.1:99999/"])
async def test_an_address_that_is_none_was_not_sent(url: str, pool: Transport) -> None:
    error = await failure(pool, url)
    assert isinstance(error, errors.ConnectionFailed)
    assert not error.sent


async def test_a_failed_handshake_was_not_sent(pool: Transport) -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(no_tls, "127.0.0.1", 0)
    async with server:
        error = await failure(pool, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert isinstance(error, errors.ConnectionFailed)
    assert not error.sent


async def test_a_wait_for_a_free_connection_that_ends_in_vain_was_not_sent() -> None:
    pool = Transport(connections=1)
    try:
        async with loopback(own_name) as server, pool.stream("GET", server.url, headers={}):
            error = await failure(pool, server.url, timeouts=Timeouts(connect=0.05))
    finally:
        await pool.close()
    assert isinstance(error, errors.ConnectionFailed)
    assert not error.sent


@pytest.mark.parametrize("ending", ["close", "reset", "garbage"])
async def test_a_connection_that_breaks_before_the_answer_was_maybe_billed(
    ending: str, pool: Transport
) -> None:
    async def script(exchange: Exchange) -> None:
        if ending == "garbage":
            await exchange.raw(b"SSH-2.0-OpenSSH\r\n\r\n")
        elif ending == "reset":
            exchange.reset()
        exchange.writer.close()

    async with loopback(script) as server:
        error = await failure(pool, server.url)
    assert isinstance(error, errors.ProtocolError if ending == "garbage" else errors.ConnectionFailed)
    assert error.sent


@pytest.mark.parametrize("tail", [b"", b"5\r\nab"])
async def test_a_body_that_breaks_off_is_an_interruption(tail: bytes, pool: Transport) -> None:
    async with loopback(breaks_off(tail)) as server:
        error = await failure(pool, server.url)
    assert isinstance(error, errors.InterruptedStream)
    assert error.sent


async def test_a_body_whose_framing_is_garbled_ends_by_its_deadline_at_the_latest(pool: Transport) -> None:
    async with loopback(breaks_off(b"no chunk size\r\n")) as server:
        error = await failure(pool, server.url, timeouts=Timeouts(idle=0.1))
    assert isinstance(error, errors.InterruptedStream | errors.DeadlineExceeded | errors.ProtocolError)
    assert error.sent


def breaks_off(tail: bytes) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(b"begun")
        await exchange.raw(tail)
        exchange.writer.close()

    return script


@pytest.mark.parametrize("ending", ["none", "garbage"])
async def test_a_failure_holds_neither_the_host_nor_the_headers(ending: str, pool: Transport) -> None:
    async def garbage(exchange: Exchange) -> None:
        await exchange.raw(b"SSH-2.0-OpenSSH\r\n\r\n")
        exchange.writer.close()

    async with loopback(garbage) as server:
        url = server.url if ending == "garbage" else "http://127.0.0.1:1"
        with pytest.raises(ProviderError) as caught:
            async with pool.stream("POST", url, headers={"x-api-key": "canary"}, content=b"x"):
                pass
    error = caught.value
    assert "127.0.0.1" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


# What is read


async def test_a_body_larger_than_the_reader_allows_is_refused(pool: Transport) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(200, b"a" * 1001)

    async with loopback(script) as server:
        assert isinstance(await failure(pool, server.url), errors.ProtocolError)


async def test_a_compressed_body_is_refused_unread(pool: Transport) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(200, b"\x1f\x8b", content_encoding="gzip")

    async with loopback(script) as server:
        assert isinstance(await failure(pool, server.url), errors.ProtocolError)


async def test_redirects_are_left_to_the_caller(pool: Transport) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(302, b"", location="/elsewhere")

    async with loopback(script) as server:
        async with pool.stream("GET", server.url, headers={}) as answer:
            assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")
        assert len(server.exchanges) == 1


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    pool = Transport()
    async with loopback(greet) as server:
        assert await once(pool, server.url) == b"hello"
    await pool.close()


# Deadlines


async def test_time_that_the_reader_spends_does_not_count_as_waiting(pool: Transport) -> None:
    later = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(b"one")
        await later.wait()
        await exchange.send(b"two")
        await exchange.end_stream()

    async with loopback(script) as server:
        async with pool.stream("GET", server.url, headers={}, timeouts=Timeouts(idle=0.1)) as answer:
            chunks: list[bytes] = []
            async for chunk in answer.chunks():
                chunks.append(chunk)
                done_reading = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_later(0.15, done_reading.set_result, None)
                later.set()
                await done_reading
    assert chunks == [b"one", b"two"]


async def test_a_deadline_leaves_the_task_uncancelled(pool: Transport) -> None:
    async with loopback(own_name) as server:
        async with pool.stream("GET", server.url, headers={}, timeouts=Timeouts(idle=0.05)) as answer:
            with pytest.raises(errors.DeadlineExceeded):
                async for _ in answer.chunks():
                    pass
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancellation_from_outside_is_not_taken_for_a_deadline(pool: Transport) -> None:
    async with loopback(own_name) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await once(pool, server.url, timeouts=Timeouts(idle=30))


# Connections


async def read_until_cancelled(pool: Transport, url: str, name: str, reached: list[asyncio.Event]) -> None:
    """Reads its stream and notes how far it is; every byte must be its own."""
    async with pool.stream("GET", f"{url}{name}", headers={}) as answer:
        reached[0].set()
        received = b""
        async for chunk in answer.chunks():
            received += chunk
            pieces = len(received) // len(name)
            assert received == name.encode() * pieces
            for event in reached[: pieces + 1]:
                event.set()


async def test_a_thousand_cancelled_streams_leave_the_pool_whole() -> None:
    places = 40
    pool = Transport(connections=places)
    chance = random.Random(SEED)
    failures: list[str] = []

    async def cancelled_call(number: int, url: str, turn: asyncio.Semaphore) -> None:
        reached = [asyncio.Event() for _ in range(4)]
        async with turn:
            task = asyncio.create_task(read_until_cancelled(pool, url, f"/caller-{number}", reached))
            if (stage := chance.randrange(6)) < len(reached):
                await asyncio.wait(
                    [task, asyncio.create_task(reached[stage].wait())], return_when="FIRST_COMPLETED"
                )
            else:
                for _ in range(chance.randrange(20)):
                    await asyncio.sleep(0)  # some turns of the loop: anywhere between pool, connect and head
            task.cancel()
            [outcome] = await asyncio.gather(task, return_exceptions=True)
            if not isinstance(outcome, asyncio.CancelledError):
                failures.append(repr(outcome))

    async with loopback(own_name) as server:
        turn = asyncio.Semaphore(2 * places)  # so that half of the callers wait for a place
        await asyncio.gather(*[cancelled_call(number, server.url, turn) for number in range(1000)])
        assert failures == []

        everybody = asyncio.Barrier(places)

        async def holds_a_place(number: int) -> bytes:
            async with pool.stream("GET", f"{server.url}/after-{number}", headers={}) as answer:
                await everybody.wait()
                return await anext(answer.chunks())

        async with asyncio.timeout(10):
            answers = await asyncio.gather(*[holds_a_place(number) for number in range(places)])
        assert all(first.startswith(f"/after-{number}".encode()) for number, first in enumerate(answers))
    await pool.close()


async def test_five_hundred_streams_are_open_at_once(pool: Transport) -> None:
    everybody = asyncio.Barrier(500)

    async def reads(number: int, url: str) -> None:
        async with pool.stream("GET", f"{url}/{number}", headers={}, timeouts=Timeouts(first=30)) as answer:
            assert answer.status == 200
            await everybody.wait()

    async with loopback(own_name) as server, asyncio.timeout(30):
        await asyncio.gather(*[reads(number, server.url) for number in range(500)])


async def tail_of(pool: Transport, exchange_tail: bytes) -> tuple[int, int]:
    """The connections and exchanges of two calls that are left before `exchange_tail` came."""
    left = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.send(b"all there is")
        await left.wait()
        await exchange.raw(exchange_tail)

    async with loopback(script) as server:
        for _ in range(2):
            async with pool.stream("GET", server.url, headers={}) as answer:
                await anext(answer.chunks())
                answer.leave()
            left.set()
            await pool.settled()
        return server.connections, len(server.exchanges)


async def test_an_answer_that_was_left_at_its_end_gives_its_connection_back(pool: Transport) -> None:
    assert await tail_of(pool, b"0\r\n\r\n") == (1, 2)


async def test_an_answer_that_was_left_and_goes_on_loses_its_connection(pool: Transport) -> None:
    assert await tail_of(pool, b"%x\r\n" % 200_000 + b"a" * 200_000) == (2, 2)


def test_the_transport_of_a_loop_is_one_and_ends_with_it() -> None:
    made: list[Transport] = []

    async def call() -> None:
        made.append(transport())
        assert transport() is made[-1]
        async with loopback(greet) as server:
            assert await once(transport(), server.url) == b"hello"

    asyncio.run(call())
    asyncio.run(call())
    assert made[0] is not made[1]


async def test_a_certificate_that_nobody_vouches_for_is_refused(pool: Transport, tmp_path: Path) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pytest.fail("a request came through")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=context)
    async with server:
        error = await failure(pool, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert isinstance(error, errors.ConnectionFailed)
    assert not error.sent


def self_signed(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made up")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "self-signed.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    return path
