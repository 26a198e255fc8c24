"""What a person is told when a request failed: 503 while the database cannot answer, else 500.

Django calls `server_error` for every exception that a view or a middleware lets pass, so no place has to
catch for itself. The waits before it are bounded by the settings of the database (config.environment).
"""

from __future__ import annotations

import logging
import sys

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from usage.writer import may_pass

RETRY_AFTER = "5"  # seconds
DATABASE_AWAY = (
    "The database does not answer. Nothing is lost: what you wrote is still here. Send it again in a moment."
)

log = logging.getLogger(__name__)


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to a request that raised; must be called while its exception is handled."""
    error = sys.exc_info()[1]
    if not database_is_away(error):
        return defaults.server_error(request)
    log.warning("503, the database does not answer: %s", first_line(error))
    response = _unavailable(request)
    response.headers["Retry-After"] = RETRY_AFTER
    response._has_been_logged = True  # type: ignore[attr-defined]  # by the line above, without a traceback
    return response


def database_is_away(error: BaseException | None) -> bool:
    """Whether the database is away, restarting, locked, full, too slow or read-only: it may answer later."""
    return isinstance(error, Exception) and may_pass(error)


def first_line(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _unavailable(request: HttpRequest) -> HttpResponse:
    """Parts of a page get a notice, and the text stays where it was written. Neither reads the database."""
    if request.headers.get("HX-Request") == "true":
        notice = {"code": "unavailable", "text": DATABASE_AWAY}
        return HttpResponse(render_to_string("chat/_notice.html", notice), status=503)
    return HttpResponse(render_to_string("503.html"), status=503)
