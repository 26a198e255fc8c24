"""Anthropic's Admin API: the usage and cost reports, the keys, the organization. It tells what a test has
laid down by POST /_simulator/reports, and asks for an admin key.

Shapes and limits: Anthropic's documentation, "Get Messages Usage Report", "Get Cost Report", "List API Keys".
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs

import msgspec

from providers.simulator.anthropic_replies import UsualHeaders, error_reply
from providers.simulator.call import Call
from providers.simulator.door import Door
from providers.simulator.keys import STATUS_KEY, Keys
from providers.simulator.replies import Headers, Refusal, Reply, json_reply
from providers.types import Json

PREFIX: Final = "/v1/organizations/"
ADMIN_KEY: Final = "sk-ant-admin"
USAGE_GROUPS: Final = (
    "model",
    "api_key_id",
    "workspace_id",
    "service_tier",
    "context_window",
    "inference_geo",
)
COST_GROUPS: Final = ("workspace_id", "description")
USUAL_DAYS, MOST_DAYS = 7, 31
USUAL_KEYS, MOST_KEYS = 20, 1000


class UsedRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one key used on a day in one mode."""

    day: date
    model: str
    api_key_id: str | None = None
    workspace_id: str | None = None
    service_tier: str = "standard"
    context_window: str = "0-200k"
    inference_geo: str = "not_available"
    uncached_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0
    output_tokens: int = 0
    web_search_requests: int = 0


class ChargedRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item of a day's bill; `amount` is cents as a decimal text."""

    day: date
    amount: str
    description: str = ""
    cost_type: str = "tokens"
    model: str | None = None
    token_type: str | None = None
    service_tier: str | None = "standard"
    context_window: str | None = "0-200k"
    inference_geo: str | None = None
    workspace_id: str | None = None
    currency: str = "USD"


class KeyRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str = "A key"
    partial_key_hint: str = "sk-ant-api03-R2D...igAA"
    status: str = "active"
    workspace_id: str | None = None


class Reports(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Everything that the reports tell. organization: its id; "": one that belongs to the admin key."""

    usage: list[UsedRow] = []
    costs: list[ChargedRow] = []
    keys: list[KeyRow] = []
    organization: str = ""
    name: str = "Acme"

    def tell(self, script: Json) -> None:
        """From now on exactly this. Raises Refusal for what cannot be read."""
        try:
            new = msgspec.convert(script, Reports)
        except msgspec.ValidationError as error:
            raise Refusal(400, f"reports: {error}") from error
        for name in self.__struct_fields__:
            setattr(self, name, getattr(new, name))

    def reset(self) -> None:
        self.tell({})


class ReportsDoor(Door):
    request_ids: ClassVar = "req"

    def __init__(self, keys: Keys, reports: Reports) -> None:
        self._keys = keys
        self._reports = reports
        self._usual = UsualHeaders()

    def opens(self, call: Call) -> bool:
        return call.path.startswith(PREFIX)

    def organization(self, call: Call) -> str:
        key = call.headers.get("x-api-key", "")
        if not key.startswith((ADMIN_KEY, STATUS_KEY)):
            raise Refusal(401, "invalid x-api-key")
        own = self._keys.organization(key)
        return self._reports.organization or own

    def answer(self, call: Call, organization: str) -> Reply:
        call.wants("GET")
        match call.path.removeprefix(PREFIX):
            case "me":
                return json_reply({"id": organization, "type": "organization", "name": self._reports.name})
            case "usage_report/messages":
                return json_reply(_page(call, self._used, USAGE_GROUPS))
            case "cost_report":
                return json_reply(_page(call, self._charged, COST_GROUPS))
            case "api_keys":
                return json_reply(self._key_page(call))
        raise Refusal(404, "Not found")

    def refused(self, refusal: Refusal, call: Call) -> Reply:
        return error_reply(refusal, call.request_id)

    def headers(self, call: Call, organization: str) -> Headers:
        return self._usual.make(call.request_id, organization)

    def _used(self, day: date, by: Sequence[str]) -> list[Json]:
        groups: dict[tuple[Any, ...], list[UsedRow]] = {}
        for row in self._reports.usage:
            if row.day == day:
                groups.setdefault(tuple(getattr(row, name) for name in by), []).append(row)

        def added(rows: list[UsedRow], name: str) -> int:
            return sum(getattr(row, name) for row in rows)

        return [
            {
                **dict.fromkeys(USAGE_GROUPS),
                **dict(zip(by, key, strict=True)),
                "uncached_input_tokens": added(rows, "uncached_input_tokens"),
                "cache_read_input_tokens": added(rows, "cache_read_input_tokens"),
                "cache_creation": {
                    name: added(rows, name)
                    for name in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
                },
                "output_tokens": added(rows, "output_tokens"),
                "server_tool_use": {"web_search_requests": added(rows, "web_search_requests")},
            }
            for key, rows in groups.items()
        ]

    def _charged(self, day: date, by: Sequence[str]) -> list[Json]:
        rows = [row for row in self._reports.costs if row.day == day]
        if "description" in by:
            return [
                {name: value for name, value in msgspec.to_builtins(row).items() if name != "day"}
                for row in rows
            ]
        whole = sum((Decimal(row.amount) for row in rows), Decimal(0))
        fields = [name for name in ChargedRow.__struct_fields__ if name != "day"]
        return [{**dict.fromkeys(fields), "amount": str(whole), "currency": "USD"}] if rows else []

    def _key_page(self, call: Call) -> Json:
        limit = _limit(call, USUAL_KEYS, MOST_KEYS)
        rows, after = self._reports.keys, call.asked("after_id")
        if after is not None:
            ids = [row.id for row in rows]
            if after not in ids:
                raise Refusal(400, f"unknown cursor: {after}")
            rows = rows[ids.index(after) + 1 :]
        shown = [{"type": "api_key", **msgspec.to_builtins(row)} for row in rows[:limit]]
        return {
            "data": shown,
            "has_more": len(rows) > limit,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
        }


def _page(call: Call, results: Callable[[date, Sequence[str]], list[Json]], groups: Sequence[str]) -> Json:
    """One page of days. The token of the next one is its first day."""
    by = parse_qs(call.query).get("group_by[]", [])
    if not set(by) <= set(groups):
        raise Refusal(400, f"group_by: Input should be one of {', '.join(groups)}")
    if call.asked("bucket_width") not in (None, "1d"):
        raise Refusal(400, "bucket_width: the simulator knows only 1d")
    first = _moment(call, "starting_at")
    if first is None:
        raise Refusal(400, "starting_at: Field required")
    end = _moment(call, "ending_at") or datetime.now(UTC).date() + timedelta(days=1)
    first = _moment(call, "page") or first
    following = first + timedelta(days=_limit(call, USUAL_DAYS, MOST_DAYS))
    days = [first + timedelta(days=at) for at in range((min(following, end) - first).days)]
    more = following < end
    return {
        "data": [
            {
                "starting_at": _text(day),
                "ending_at": _text(day + timedelta(days=1)),
                "results": results(day, by),
            }
            for day in days
        ],
        "has_more": more,
        "next_page": _text(following) if more else None,
    }


def _moment(call: Call, name: str) -> date | None:
    text = call.asked(name)
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone(UTC).date()
    except ValueError as error:
        raise Refusal(400, f"{name}: Input should be a valid datetime") from error


def _limit(call: Call, usual: int, most: int) -> int:
    text = call.asked("limit") or str(usual)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= most:
        return int(text)
    raise Refusal(400, f"limit: Input should be between 1 and {most}")


def _text(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
