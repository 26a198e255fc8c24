"""Notes where people are signed in, and holds back those who first have to add a second factor."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.sign_in import sessions

HELD_BACK = "Your role needs a second factor to sign in. Add one first: open Parley in a browser."
# What a person may open who is held back: the ways to add a factor, to confirm who they are, and out.
OPEN = (
    "/settings/security/second-step/",
    "/settings/security/app/",
    "/settings/security/passkeys/add/",
    "/settings/security/confirm/",
    "/logout/",
    "/login/",
)


class DeviceSeen:
    """Writes at most every few minutes; no query otherwise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        was = request.session.session_key
        response = self.get_response(request)
        if was is not None and request.user.is_authenticated:
            sessions.seen(request, request.user, was=was)
        return response


class SecondFactorDue:
    """No query: the day stands in the person's row."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = request.user
        if not person.is_authenticated or not person.is_held_back or _is_open(request.path):
            return self.get_response(request)
        where = reverse("accounts:second_step")
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(status=403, headers={"HX-Redirect": where})
        if request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "text/html"):
            return HttpResponseRedirect(where)
        return HttpResponse(HELD_BACK, status=403, content_type="text/plain; charset=utf-8")


def _is_open(path: str) -> bool:
    return any(path == address or path.startswith(address) for address in OPEN)
