"""What must not happen on any page of a test: errors, reports of the policy, requests to other machines."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError, WebSocket

# The policy's reports become errors in the console, where everything is collected.
REPORT = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile} ${event.sample}`);
});
"""
NEAR = ("data", "blob", "about")


class Watch:
    """Looks over the contexts of one test. `verdict` says what went wrong; "" when nothing did."""

    def __init__(self, origin: str) -> None:
        """`origin` is the only one that pages may ask, such as http://localhost:8000."""
        self.origins = {origin}
        self.requests: list[str] = []
        self._faults: list[str] = []
        self._expected: list[re.Pattern[str]] = []

    def over(self, context: BrowserContext) -> None:
        context.add_init_script(REPORT)
        context.on("console", self._said)
        context.on("weberror", self._raised)
        context.on("request", self._asked)
        context.on("page", lambda page: page.on("websocket", self._connected))

    def expect(self, *patterns: str) -> None:
        """From now on, messages that one of these regular expressions matches are part of the test."""
        self._expected += [re.compile(pattern) for pattern in patterns]

    def expect_no_server(self) -> None:
        """From now on, requests and sockets may fail for want of a server."""
        self.expect(r"net::ERR_|WebSocket connection to .* failed|TypeError: Failed to fetch|NetworkError")

    def paths(self) -> list[str]:
        """The paths of our own that were asked for, in order."""
        return [urlsplit(url).path for url in self.requests if url.startswith("http")]

    def verdict(self) -> str:
        different = dict.fromkeys(fault[:600] for fault in self._faults)
        return "\n".join([f"{len(self._faults)} faults:", *list(different)[:10]]) if different else ""

    def _fault(self, words: str) -> None:
        if not any(pattern.search(words) for pattern in self._expected):
            self._faults.append(words)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self._fault(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _raised(self, error: WebError) -> None:
        self._fault(f"uncaught: {error.error}")

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        self._judge(request.url, f"{request.resource_type} of {_page_of(request)}")

    def _connected(self, socket: WebSocket) -> None:
        self._judge(socket.url.replace("ws", "http", 1), "websocket")

    def _judge(self, url: str, what: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in NEAR and f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self._faults.append(f"a request left our origin: {url} ({what})")


def _page_of(request: Request) -> str:
    try:
        page: Page | None = request.frame.page
    except Exception:  # the request of a page that is still being made
        return "a new page"
    return page.url if page else ""
