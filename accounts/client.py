"""Who asks: the address of the client of the running request."""

from __future__ import annotations

import ipaddress
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest

request: ContextVar[HttpRequest | None] = ContextVar("parley_client", default=None)


def address() -> str:
    """The client's address, as the trusted proxies say it; "" outside a request, or where it has none."""
    asking = request.get()
    return "" if asking is None else seen_by_proxies(asking)


def seen_by_proxies(asking: HttpRequest) -> str:
    """The address of who sent this request, in its shortest form; "" where there is none.

    Each of PARLEY_TRUSTED_PROXIES proxies appends the address that it saw to X-Forwarded-For, so the client
    is so many places from its end. What stands before that, anybody can have written. A request with fewer
    places has not come through all proxies: then only the connection is believed, as without proxies.
    """
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if proxies:
        places = asking.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(places) >= proxies and (found := _address(places[-proxies])):
            return found
    return _address(asking.META.get("REMOTE_ADDR", ""))


def _address(text: str) -> str:
    """With or without a port: 192.0.2.1, 192.0.2.1:443, 2001:db8::1, [2001:db8::1]:443."""
    bare = text.strip().partition("%")[0]
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return ""
