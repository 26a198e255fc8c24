"""Asks for password, code or passkey again before something that a stranger at an open screen must not do."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest, HttpResponseBase

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def is_confirmed(request: HttpRequest) -> bool:
    """Whether this session signed in, or confirmed who it is, a short while ago. Somebody who has nothing to
    confirm with (no password, no second factor) is not asked.
    """
    since = time.time() - app_settings.REAUTHENTICATION_TIMEOUT
    records = get_authentication_records(request, request.user)
    return any(record["at"] > since for record in records) or not get_adapter().get_reauthentication_methods(
        request.user
    )


def confirmed(*methods: str) -> Callable[[View[P]], View[P]]:
    """For views behind the sign-in: requests of these methods (all, if none is named) go on only when
    confirmed. allauth's middleware asks, keeps a POST meanwhile, and lets it go on.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if (not methods or request.method in methods) and not is_confirmed(request):
                raise ReauthenticationRequired
            return view(request, *args, **kwargs)

        return cast("View[P]", guarded)

    return decorate
