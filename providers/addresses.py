"""Which addresses a person or a model may send this server to: public ones, and those the operator names."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# All unicast IPv6 addresses of the Internet are in here (RFC 4291); NAT64's prefixes lie outside.
_INTERNET = ipaddress.ip_network("2000::/3")
# What older Pythons take for public: networks of protocols and for documentation, and what translates to IPv4
# addresses, 6to4 and Teredo above all (IANA, special-purpose address registries).
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
)
# Where clouds tell a machine its own secrets, beside the link-local networks: Alibaba, Azure, Oracle, AWS and
# Google by IPv6.
_OF_MACHINES = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",
        "fe80::/10",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_WORD = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|(?:\*\.)?[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class PrivateHost:
    """One entry of the operator's list. `host` may begin with "*." for all names below; `port` None: any."""

    host: str
    port: int | None

    def names(self, host: str, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.host.startswith("*."):
            return host.endswith(self.host[1:]) and len(host) > len(self.host) - 1
        return host == self.host


def private_hosts(words: Iterable[str]) -> tuple[PrivateHost, ...]:
    """Reads the operator's list: "localhost:11434", "10.0.0.5", "[fd00::5]:8000", "*.lan".

    Raises ValueError.
    """
    found = []
    for word in words:
        match = _WORD.fullmatch(word)
        port = int(match["port"]) if match and match["port"] else None
        if match is None or (port is not None and not 0 < port < 65536):
            raise ValueError(f"{word!r} is no host, nor a host and a port")
        found.append(PrivateHost(_plain(match["host"]), port))
    return tuple(found)


_allowed: tuple[PrivateHost, ...] = ()


def allow(hosts: Iterable[PrivateHost]) -> None:
    """From now on these hosts may be reached in this process though they are not public."""
    global _allowed
    _allowed = tuple(hosts)


def is_allowed(host: str, port: int) -> bool:
    """Whether the operator's list names this host."""
    return any(entry.names(_plain(host), port) for entry in _allowed)


def is_public(address: str) -> bool:
    """Whether an IP address, in any notation, is one of the Internet's that belongs to a single machine."""
    try:
        ip: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip not in _INTERNET:
            return False
    if any(ip in network for network in _SPECIAL):  # False for a network of the other version
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def is_for_machines(address: str) -> bool:
    """Whether an IP address is one at which a cloud serves its machines (metadata), or no address of a
    single machine at all. What is neither is not thereby public.
    """
    try:
        ip: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if isinstance(ip, ipaddress.IPv6Address) and (inner := _inner(ip)) is not None:
        return is_for_machines(str(inner))
    return ip.is_unspecified or ip.is_multicast or any(ip in network for network in _OF_MACHINES)


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that this one stands for: mapped, or by NAT64 (RFC 6052)."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None


def is_literal(host: str) -> bool:
    """Whether a URL's host is an IP address and no name."""
    try:
        ipaddress.ip_address(_plain(host).partition("%")[0])
    except ValueError:
        return False
    return True


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
