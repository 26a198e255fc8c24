"""An answer held at gates, so that a test can look at its middle; sockets that the server closes."""

from __future__ import annotations

import asyncio

from playwright.sync_api import Page

from chat import sockets
from chat.host import host
from tests.browser.chat import (
    EVENTS_BEFORE_TEXT,
    Model,
    conversation_of,
    expect_status,
    pieces,
    received,
    scripted,
    send,
    wait_received,
)

TEXT = """The first paragraph has **strong words**, `code` and a [link](https://docs.example.org/a).

1. One thing
2. another, with $a^2 + b^2 = c^2$ in it
   - and a thing below it

| Month | Calls | Share |
| :--- | ---: | :---: |
| March | 1,204 | 31 % |
| April | 2,710 | 69 % |

```python
def mean(values: list[float]) -> float:
    return sum(values) / len(values)
```

> A quotation, and then a last paragraph with *some* stress.

The end of it.
"""
DELTAS = 90
GATES = {"first": 30, "second": 61}  # in the list, in the code


def ask(page: Page, **script: object) -> str:
    """Sends a message whose answer is TEXT, held at the gates; returns the conversation's id."""
    gates = {name: deltas + EVENTS_BEFORE_TEXT for name, deltas in GATES.items()}
    script = {
        "text": TEXT,
        "deltas": DELTAS,
        "thinking": False,
        "gates": gates,
        "title": "Calls in spring",
    } | script
    send(page, scripted(**script))
    return conversation_of(page)


def at_gate(page: Page, name: str) -> None:
    wait_received(page, pieces(TEXT, DELTAS, GATES[name]))


def finish(page: Page, model: Model) -> None:
    for name in GATES:
        model.open(name)
    expect_status(page, "completed")
    assert received(page) == TEXT


def dismiss_sockets(code: int) -> None:
    """The server closes every socket."""

    async def dismiss() -> None:
        for page in [page for mine in sockets._open.values() for page in mine]:
            await page.dismiss(code)

    assert host.loop is not None
    asyncio.run_coroutine_threadsafe(dismiss(), host.loop).result(10)
