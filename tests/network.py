"""No test reaches beyond this machine: connecting elsewhere fails loudly, looking a name up finds nothing."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit


class NetworkIsOff(RuntimeError):
    """A test tried to reach another machine. Not an OSError, so that no retry mistakes it for a bad line."""


def allowed_names() -> set[str]:
    """Names of this machine, and of the servers that the second lane was told to use."""
    urls = (os.environ.get(f"PARLEY_TEST_{name}", "") for name in ("DATABASE_URL", "REDIS_URL"))
    return {"localhost", socket.gethostname()} | {host for url in urls if (host := urlsplit(url).hostname)}


@contextmanager
def switched_off() -> Iterator[None]:
    names = allowed_names()
    addresses: set[str] = set()  # what the allowed names were resolved to
    look_up, connect, connect_ex, sendto = (
        socket.getaddrinfo,
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
    )

    def near(host: str) -> bool:
        try:
            return ipaddress.ip_address(host.partition("%")[0]).is_loopback or host in addresses
        except ValueError:
            return host in names

    def refuse_far(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not near(str(address[0])):
            raise NetworkIsOff(f"this test tried to reach {address[0]}; tests reach this machine only")

    def guarded_connect(sock: socket.socket, address: Any) -> None:
        refuse_far(sock, address)
        connect(sock, address)

    def guarded_connect_ex(sock: socket.socket, address: Any) -> int:
        refuse_far(sock, address)
        return connect_ex(sock, address)

    def guarded_sendto(sock: socket.socket, data: Any, *rest: Any) -> int:
        refuse_far(sock, rest[-1])
        return sendto(sock, data, *rest)

    def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in names:
            found = look_up(host, *rest, **named)
            addresses.update(str(row[4][0]) for row in found)
            return found
        try:
            ipaddress.ip_address((name or "127.0.0.1").partition("%")[0])
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, f"tests look no names up, not even {name}") from None
        return look_up(host, *rest, **named)

    with (
        patch.object(socket, "getaddrinfo", guarded_look_up),
        patch.object(socket.socket, "connect", guarded_connect),
        patch.object(socket.socket, "connect_ex", guarded_connect_ex),
        patch.object(socket.socket, "sendto", guarded_sendto),
    ):
        yield
