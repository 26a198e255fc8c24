"""Says who asks, and sends every visitor to the set-up page until the installation has an owner."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts import client
from accounts.sign_in import first_visit

PROBES = ("/metrics",)


class WhoAsks:
    """Keeps the running request at hand for the audit log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = client.request.set(request)
        try:
            return self.get_response(request)
        finally:
            client.request.reset(token)


class FirstVisit:
    """One query per request until there is an owner, none after that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not first_visit.is_set_up() and not self._open_before(request.path):
            return HttpResponseRedirect(reverse("accounts:setup"))
        return self.get_response(request)

    @staticmethod
    def _open_before(path: str) -> bool:
        return path == reverse("accounts:setup") or path in PROBES or path.startswith(settings.STATIC_URL)
