"""How a program is told of its token: where to call, and the name of a model to begin with."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve

from providers import registry
from usage.catalogue import overrides

FRONT_DOOR = "/v1/messages"


def address(request: HttpRequest) -> str:
    """Where programs reach this installation: its public address, else that by which the page was opened."""
    return str(settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}")


def front_door_is_open() -> bool:
    """Whether this version answers programs."""
    try:
        resolve(FRONT_DOOR)
    except Resolver404:
        return False
    return True


def model() -> str:
    """The id of a model, for an example: the admin's default, else one that the catalogue proposes."""
    known = overrides.known()
    default = overrides.spec(known.default) if known.default else None
    if default is not None:
        return default.id
    proposed = (spec for slug in registry.providers() for spec in overrides.specs(slug) if spec.proposed)
    found = next(proposed, None)
    return found.id if found is not None else "MODEL"
