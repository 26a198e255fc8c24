"""What every request and every answer carries."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from .context import Seen, current


class RequestIdentity:
    """Gives the request its `request_id`, that of the log and of X-Request-Id, and the log its request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        seen = current.get() or Seen()  # a server that is not config.asgi has made none
        seen.request = request
        request.request_id = seen.id  # type: ignore[attr-defined]
        return self.get_response(request)


class ContentSecurityPolicy:
    """Adds the policy of settings.CONTENT_SECURITY_POLICY, unless the view has set its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        return response
