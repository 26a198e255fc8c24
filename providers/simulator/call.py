"""One request as the simulator received it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import msgspec

from providers.simulator.replies import Refusal
from providers.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Header names are lower-case; `query` is as it was written; `request_id` has no vendor's form yet."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    scheme: str = "http"

    @property
    def origin(self) -> str:
        """Where the caller found this simulator, such as `http://127.0.0.1:40123`."""
        return f"{self.scheme}://{self.headers.get('host', 'localhost')}"

    def asked(self, name: str) -> str | None:
        """The last value of a field of the query; None when it is not there."""
        values = parse_qs(self.query, keep_blank_values=True).get(name)
        return values[-1] if values else None

    def bearer(self) -> str:
        """The token of `Authorization`, "" without one."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    def json(self) -> Json:
        """The body as an object. Raises Refusal."""
        try:
            body = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(400, f"The request body is not valid JSON: {error}") from error
        if not isinstance(body, dict):
            raise Refusal(400, "The request body must be a JSON object.")
        return body

    def form(self) -> dict[str, str]:
        """The fields of a form, or of a JSON object of texts, as token endpoints take them."""
        if self.headers.get("content-type", "").startswith("application/json"):
            return {name: value for name, value in self.json().items() if isinstance(value, str)}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def wants(self, method: str) -> None:
        """Raises Refusal for another method."""
        if self.method != method:
            raise Refusal(405, "Method Not Allowed", headers={"allow": method})


def any_text(value: Any) -> str:
    """A value of a request as text, for messages that name it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
