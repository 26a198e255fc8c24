"""Log lines: one JSON object each for machines, one readable line for a terminal (docs/operations.md).

A line says which process, request, person, call and run it belongs to, by the context of the code that logs.
Logs hold no content and no secrets; the code that logs sees to that. As the last net, what looks like a key
is masked here, long texts are cut, and control characters are escaped, so that no value can look like a line
of its own or command a terminal.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from typing import Any

from accounts.context import person
from chat.context import run
from providers.access import MASK
from usage.context import call

from .context import current

OURS = ("config", "chat", "gateway", "tools", "usage", "accounts", "providers")
MESSAGE_LONGEST = 2_000  # characters
TRACEBACK_LONGEST = 12_000  # characters, with the message less than a line that Docker's log driver splits

SECRETS = re.compile(
    r"""
      \b (?: [sp]k-[\w-]{6,} | AIza[\w-]{20,} | gh[a-z]_\w{20,} | AKIA[A-Z0-9]{12,} )  # vendors' keys
    | \b parley_[0-9A-Za-z]{20,}  # our own access tokens
    | (?<= ://) [^\s/@]+ (?= @ )  # user:password@host
    | \b (?: authorization | (?: set- )? cookie ) \b ["']? \s* [:=,] [^\n]*
    | \b (?: Bearer | Basic ) \s+ [^\s"',;]+
    | \b (?: x-api-key | password | parley_session | parley_csrf | csrfmiddlewaretoken )
      \b ["']? \s* [:=,] \s* (?: b? ["'] [^"']* ["'] | \S+ )
    """,
    re.IGNORECASE | re.VERBOSE,
)
ROW_VALUES = re.compile(r"^DETAIL: .*$", re.MULTILINE)  # PostgreSQL quotes the row that it refuses
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def configuration(*, form: str, level: str, process: str) -> dict[str, Any]:
    """Django's LOGGING; `form` is json or text.

    Libraries speak from INFO up: at DEBUG some of them print frames, rows or pages.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "config.logs.Json", "process": process},
            "text": {"()": "config.logs.Text"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["stderr"], "level": "INFO" if level == "DEBUG" else level},
        "loggers": {
            **{name: {"level": level} for name in OURS},
            "httpx": {"level": "WARNING"},
            "uvicorn": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            # It reports a Redis that is away with a traceback each second; chat.notes says so once.
            "channels_redis": {"level": "CRITICAL"},
        },
    }


class Json(logging.Formatter):
    """One JSON object, in ASCII: what is not known is left out."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            "process": self._process,
            **ids(),
            **{name: _safe(value) for name, value in getattr(record, "fields", {}).items()},
        }
        if (error := _error(record)) is not None:
            fields["exception"] = f"{type(error).__module__}.{type(error).__qualname__}"
            fields["traceback"] = traceback_of(error)
        return json.dumps({name: value for name, value in fields.items() if value not in (None, "")})


class Text(logging.Formatter):
    """A line for people's eyes; a traceback follows it, indented."""

    def format(self, record: logging.LogRecord) -> str:
        known = " ".join(f"{name.removesuffix('_id')}={value}" for name, value in ids().items())
        line = (
            f"{_time(record).astimezone():%H:%M:%S} {record.levelname:<7} {record.name}: "
            f"{escaped(message_of(record))}{f'  [{known}]' if known else ''}"
        )
        if (error := _error(record)) is not None:
            lines = [f"    {escaped(part)}" for part in traceback_of(error).split("\n") if part]
            line = "\n".join([line, *lines])
        return line


def ids() -> dict[str, str]:
    """What the running code belongs to."""
    seen = current.get()
    known = {
        "request_id": seen.id if seen is not None else None,
        "user_id": (seen.user if seen is not None else None) or person.get(),
        "call_id": call.get(),
        "run_id": run.get(),
    }
    return {name: str(value) for name, value in known.items() if value}


def message_of(record: logging.LogRecord) -> str:
    """The message, without the path of a request: the key of a link stands in it."""
    try:
        text = record.getMessage()
    except Exception:  # arguments that do not fit: the line is worth more without them than not at all
        text = str(record.msg)
    path = getattr(getattr(record, "request", None), "path", "")
    if len(path) > 1:
        written = path.encode("unicode_escape").decode()  # as Django writes it
        text = text.replace(path, _route(record)).replace(written, _route(record))
    return cut(masked(text), MESSAGE_LONGEST)


def traceback_of(error: BaseException) -> str:
    """The traceback's end, which says most; the values of a refused row are left out."""
    text = masked(ROW_VALUES.sub("DETAIL: left out", "".join(traceback.format_exception(error)).rstrip()))
    return text if len(text) <= TRACEBACK_LONGEST else f"… {text[-TRACEBACK_LONGEST:]}"


def masked(text: str) -> str:
    return SECRETS.sub(MASK, text)


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def escaped(text: str) -> str:
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _safe(value: Any) -> Any:
    return value if isinstance(value, int | float | None) else cut(masked(str(value)), MESSAGE_LONGEST)


def _route(record: logging.LogRecord) -> str:
    match = getattr(getattr(record, "request", None), "resolver_match", None)
    return match.view_name if match is not None else "an address"


def _error(record: logging.LogRecord) -> BaseException | None:
    """The error of a record. A refusal, such as of a forged Host header, has said all in its message."""
    return record.exc_info[1] if record.exc_info and not record.name.startswith("django.security") else None


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
