"""Anthropic's Admin API: what an organization used, by day, model and key, and what it is charged.

Documentation: "Usage and Cost API" (platform.claude.com/docs/en/manage-claude/usage-cost-api), "Get Messages
Usage Report", "Get Cost Report", "List API Keys" and "Get Current Organization" of the Admin API's reference.
What it says there and nothing here can mend: Priority Tier is in the usage and not in the cost report, code
execution is in the cost and not in the usage report, and the cost report knows no keys. Amounts are decimal
texts in cents. Fresh figures may take minutes, and are revised.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from urllib.parse import urlencode

from providers.access import Access
from providers.anthropic import AnthropicAdapter
from providers.anthropic_errors import from_answer, masked
from providers.anthropic_heads import vendor_account
from providers.anthropic_request import VERSION
from providers.cleaning import clean_text, decode
from providers.errors import DeadlineExceeded, ProtocolError, ProviderError
from providers.transport import Timeouts, Transport, transport
from providers.types import Json
from providers.usage_reports import (
    LONGEST_REPORT,
    Bucket,
    Charge,
    Mode,
    Report,
    UsedTokens,
    VendorAccount,
    VendorKey,
)

ORGANIZATION: Final = "/v1/organizations/me"
USAGE: Final = "/v1/organizations/usage_report/messages"
COST: Final = "/v1/organizations/cost_report"
KEYS: Final = "/v1/organizations/api_keys"

PAGE_BYTES = 16 * 1024 * 1024
ERROR_BYTES = 256 * 1024
PAGES = 200
DAYS_AT_ONCE = 7  # by key and mode a day may be long, so a page holds few of them
KEYS_AT_ONCE = 1000
TIMEOUTS = Timeouts(first=30, idle=30, total=60)  # of one page
REPORT_SECONDS = 300.0

NAME_LENGTH = 200
LARGEST_COUNT = 10**15  # tokens of one line of the report
ENDING = re.compile(r"[A-Za-z0-9_-]{1,8}$")
AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,40})?")
NANO_OF_CENT = 10_000_000
_TOKEN_TYPES: Mapping[str, Bucket] = {
    "uncached_input_tokens": "input_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_creation_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_creation_1h",
    "output_tokens": "output_tokens",
}
_BY: Sequence[tuple[str, str]] = [
    ("group_by[]", name)
    for name in ("model", "api_key_id", "service_tier", "context_window", "inference_geo")
]
Query = list[tuple[str, str | int]]


class AnthropicReporter:
    """Asks the Admin API. Holds no state of a call; one instance serves all."""

    def __init__(
        self, *, timeouts: Timeouts | None = None, through: Callable[[], Transport] = transport
    ) -> None:
        self._timeouts = timeouts or TIMEOUTS
        self._transport = through
        self._wire = AnthropicAdapter(through=through)

    async def account(self, access: Access) -> VendorAccount:
        """The organization of an admin key that may read both reports. Raises ProviderError.

        Its id is that of the answer's head where there is one: keys for calls are known by it.
        """
        head, found = await self._get(access, ORGANIZATION, [])
        account = vendor_account(head, access) or _text(found.get("id"), access)
        if not account:
            raise _unreadable()
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        for path in (USAGE, COST):
            await self._get(access, path, [*_span(yesterday, yesterday), ("limit", 1)])
        return VendorAccount(id=account, name=_text(found.get("name"), access))

    async def report(self, access: Access, first: date, last: date) -> Report:
        """Both reports, every page of them. Raises ProviderError; never gives a part for the whole."""
        if not first <= last <= first + timedelta(days=LONGEST_REPORT - 1):
            raise ValueError("a report is of one day or more, and of no more than a month")
        try:
            async with asyncio.timeout(REPORT_SECONDS):
                return await self._report(access, first, last)
        except TimeoutError:
            raise DeadlineExceeded("The provider's report did not come in time.") from None

    async def _report(self, access: Access, first: date, last: date) -> Report:
        days: Query = [*_span(first, last), ("bucket_width", "1d")]
        used: list[UsedTokens] = []
        async with aclosing(self._pages(access, USAGE, [*days, *_BY, ("limit", DAYS_AT_ONCE)])) as pages:
            async for page in pages:
                used += [_used(day, item, access) for day, item in _items(page, first, last)]
        charges: list[Charge] = []
        by_item: Query = [*days, ("group_by[]", "description"), ("limit", LONGEST_REPORT)]
        async with aclosing(self._pages(access, COST, by_item)) as pages:
            async for page in pages:
                charges += [_charge(day, item, access) for day, item in _items(page, first, last)]
        return Report(used, charges)

    async def keys(self, access: Access) -> list[VendorKey]:
        """All keys, those that are switched off too: they may have been used. Raises ProviderError."""
        found: list[VendorKey] = []
        query: Query = [("limit", KEYS_AT_ONCE)]
        async with aclosing(self._pages(access, KEYS, query, next_by="last_id", ask_by="after_id")) as pages:
            async for page in pages:
                found += [_key(item, access) for item in page["data"] if isinstance(item, dict)]
        return found

    async def _pages(
        self, access: Access, path: str, query: Query, *, next_by: str = "next_page", ask_by: str = "page"
    ) -> AsyncGenerator[Json, None]:
        """Every page of a list, to the end. Raises ProtocolError for one that has none."""
        seen: set[str] = set()
        more: Query = []
        while len(seen) < PAGES:
            _, page = await self._get(access, path, [*query, *more])
            if not isinstance(page.get("data"), list):
                raise _unreadable()
            yield page
            if page.get("has_more") is not True:
                return
            following = page.get(next_by)
            if not isinstance(following, str) or not following or following in seen:
                raise _unreadable()
            seen.add(following)
            more = [(ask_by, following)]
        raise ProtocolError("The provider's report has more pages than any report.")

    async def _get(self, access: Access, path: str, query: Query) -> tuple[Mapping[str, str], Json]:
        """The head of an answer, and the object in it."""
        url = self._wire.url(access, path) + (f"?{urlencode(query)}" if query else "")
        headers = await self._wire.headers(access, version=VERSION)
        opening = self._transport().stream("GET", url, headers=headers, timeouts=self._timeouts)
        async with opening as answer:
            if answer.status == 200:
                return answer.headers, _object(await answer.read(PAGE_BYTES))
            try:
                content = await answer.read(ERROR_BYTES)
            except ProviderError:  # too long, cut, late: the status says enough
                content = b""
            raise from_answer(answer.status, answer.headers, content, access)


def _span(first: date, last: date) -> Query:
    return [
        ("starting_at", f"{first.isoformat()}T00:00:00Z"),
        ("ending_at", f"{(last + timedelta(days=1)).isoformat()}T00:00:00Z"),
    ]


def _items(page: Json, first: date, last: date) -> list[tuple[date, Json]]:
    """The entries of a page with their days. Days that were not asked for are left out."""
    found: list[tuple[date, Json]] = []
    for bucket in page["data"]:
        results = bucket.get("results") if isinstance(bucket, dict) else None
        if not isinstance(results, list):
            raise _unreadable()
        day = _day(bucket.get("starting_at"))
        if first <= day <= last:
            found += [(day, item) for item in results if isinstance(item, dict)]
    return found


def _used(day: date, item: Json, access: Access) -> UsedTokens:
    written = item.get("cache_creation") or {}
    tools = item.get("server_tool_use") or {}
    if not isinstance(written, dict) or not isinstance(tools, dict):
        raise _unreadable()
    return UsedTokens(
        day=day,
        model=_text(item.get("model"), access),
        key_id=_text(item.get("api_key_id"), access),
        mode=_mode(item, access),
        input_tokens=_count(item.get("uncached_input_tokens")),
        cache_read_input_tokens=_count(item.get("cache_read_input_tokens")),
        cache_creation_5m=_count(written.get("ephemeral_5m_input_tokens")),
        cache_creation_1h=_count(written.get("ephemeral_1h_input_tokens")),
        output_tokens=_count(item.get("output_tokens")),
        web_search_requests=_count(tools.get("web_search_requests")),
    )


def _charge(day: date, item: Json, access: Access) -> Charge:
    if item.get("currency") not in (None, "USD"):
        raise ProtocolError("The provider's report is not in US dollars.")
    kind = _text(item.get("cost_type"), access) or _text(item.get("description"), access)
    token_type = item.get("token_type")
    return Charge(
        day=day,
        kind=kind,
        amount_nano=_nano(item.get("amount")),
        model=_text(item.get("model"), access),
        bucket=_TOKEN_TYPES.get(token_type, "") if isinstance(token_type, str) else "",
        mode=_mode(item, access),
    )


def _key(item: Json, access: Access) -> VendorKey:
    key_id, name, hint = item.get("id"), item.get("name"), item.get("partial_key_hint")
    if not isinstance(key_id, str) or not key_id:
        raise _unreadable()
    ending = ENDING.search(hint) if isinstance(hint, str) else None
    return VendorKey(
        id=_text(key_id, access), name=_text(name, access), ending=ending[0] if ending is not None else ""
    )


def _mode(item: Json, access: Access) -> Mode:
    return Mode(
        service_tier=_text(item.get("service_tier"), access),
        context_window=_text(item.get("context_window"), access),
        inference_geo=_text(item.get("inference_geo"), access),
    )


def _day(value: Any) -> date:
    try:
        return datetime.fromisoformat(value).date()
    except (TypeError, ValueError):
        raise _unreadable() from None


def _count(value: Any) -> int:
    """A number of tokens. What is absent was not used."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= LARGEST_COUNT:
        raise _unreadable()
    return value


def _nano(value: Any) -> int:
    """Cents as a decimal text, in nano-dollars, rounded half up. A credit is below zero."""
    if not isinstance(value, str) or not AMOUNT.fullmatch(value):
        raise _unreadable()
    return int((Decimal(value) * NANO_OF_CENT).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _text(value: Any, access: Access) -> str:
    """Text of the vendor's as it may be stored and shown; "" for null."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _unreadable()
    return masked(clean_text(value), access)[:NAME_LENGTH]


def _object(content: bytes) -> Json:
    try:
        found, _ = decode(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _unreadable()
    return found


def _unreadable() -> ProtocolError:
    return ProtocolError("The provider's report could not be read.")
