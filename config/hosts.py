"""Which host names this installation answers to."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def allowed_hosts(host: str, public_url: str) -> list[str]:
    """Values of the Host header that are accepted: never a wildcard, so that a forged header reaches nothing.

    Beyond loopback and without a public address these are the machine's own names and addresses.
    """
    names = list(LOOPBACK_NAMES)
    if public_url:
        return [urlsplit(public_url).hostname or "", *names]
    if is_loopback(host):
        return names
    own = socket.gethostname()
    names += [own, socket.getfqdn()]
    try:
        names += [str(item[4][0]) for item in socket.getaddrinfo(own, None)]
    except OSError:
        pass  # a machine that cannot resolve its own name is still reached by the address it is bound to
    if host not in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
        names.append(host)
    return sorted({f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names})
