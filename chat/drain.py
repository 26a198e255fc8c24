"""The end of this process's service: nothing new begins, what runs may end.

    begin -> new work is refused -> work_ended, within a grace -> interrupt what is left -> the server closes

Draining is a state of the process. `manage.py serve` begins it at the first signal; who would begin work that
nobody has asked this very process for (claim a lost run) looks at `draining` first.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .host import host

INTERRUPT_SECONDS = 5.0  # for interrupted answers to be stored and shown
LOOK_EVERY = 0.05  # seconds, while a send is on its way to its run
RETRY_AFTER = "2"  # seconds, by which a balancer has noticed
REFUSAL = "The server is restarting. Your message is kept here; send it again in a moment."

P = ParamSpec("P")

_begun = False
_counting = threading.Lock()
_beginning = 0  # requests that were let in and may still begin a run


def begin() -> None:
    global _begun
    _begun = True


def draining() -> bool:
    return _begun


def new_work(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A view that begins a run: while draining it answers 503 with a notice, and the text stays in the page.

    What was let in before is waited for, with the run that it begins.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        global _beginning
        with _counting:
            _beginning += 1
        try:
            return refusal(request) if draining() else view(request, *args, **kwargs)
        finally:
            with _counting:
                _beginning -= 1

    return guarded


def refusal(request: HttpRequest) -> HttpResponse:
    notice = {"code": "draining", "text": REFUSAL}
    response = render(request, "chat/_notice.html", notice, status=503)
    response.headers["Retry-After"] = RETRY_AFTER
    return response


def working() -> bool:
    """Whether this process hosts a run now, or a request is about to begin one."""
    return _beginning > 0 or bool(host.runs)


async def work_ended(seconds: float) -> bool:
    """Waits until this process hosts no run any more, at most so long; True when none is left."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while await _works() and (left := until - loop.time()) > 0:
        tasks = [live.task for live in host.runs.values() if live.task is not None]
        if _beginning or not tasks:
            await asyncio.sleep(min(LOOK_EVERY, left))
        else:
            await asyncio.wait(tasks, timeout=left)
    return not working()


async def _works() -> bool:
    """As `working`, once the loop has done what requests asked of it: a launch may wait there."""
    if working():
        return True
    await asyncio.sleep(0)
    return working()


async def interrupt() -> bool:
    """Ends what still runs: kept as far as it came, shown as interrupted. True when all of it is stored."""
    for live in list(host.runs.values()):
        live.end("shutdown")
    return await work_ended(INTERRUPT_SECONDS)
