"""The size of a prompt as its vendor counts it, which costs nothing: no hold is written.

A count is the same for the same prompt, so it is remembered exactly, by the whole body and the credential,
for ten minutes. Answers are never remembered: the same prompt is meant to be answered anew, an answer belongs
to the person and the conversation that it was made for, and what was not asked cannot be billed truly.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from accounts.keys import credentials
from accounts.keys.credentials import CredentialChoice
from accounts.logins import grants
from providers import registry
from providers.catalogue import ModelSpec
from providers.errors import ProviderError
from providers.resilience import Key, guards, not_now
from providers.types import MessageRequest
from usage import policy
from usage.caller import Caller
from usage.calls.routes import key_of
from usage.catalogue import known_models
from usage.errors import CallRefused
from usage.writer import writer

KEPT_SECONDS = 600.0
MOST_KEPT = 2000


class ExactCache:
    """Remembers values under a digest for some time; the oldest go first. For one event loop or thread at a
    time.
    """

    def __init__(
        self,
        *,
        seconds: float = KEPT_SECONDS,
        most: int = MOST_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, int | None]] = OrderedDict()

    def get(self, key: bytes) -> tuple[int | None] | None:
        """The value, in a tuple of its own, for None is one too."""
        found = self._kept.get(key)
        if found is None:
            return None
        until, value = found
        if self._clock() >= until:
            del self._kept[key]
            return None
        return (value,)

    def put(self, key: bytes, value: int | None) -> None:
        self._kept.pop(key, None)
        while len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        self._kept[key] = (self._clock() + self._seconds, value)

    def clear(self) -> None:
        self._kept.clear()


cache = ExactCache()


async def count(caller: Caller, request: MessageRequest) -> int | None:
    """How many tokens the prompt has; None where the vendor offers no count.

    `request.model` is a full reference, "provider/model". The credential is the first that a call would use.
    Raises CallRefused and ProviderError as a call does; nothing is tried again.
    """
    spec = await known_models.resolve(caller, request.model)
    choice = await writer.run(partial(_choice, caller, spec, request))
    request = replace(request, model=spec.id)
    key = _digest(request, key_of(choice))
    if (found := cache.get(key)) is not None:
        return found[0]
    counted = await _counted(spec, choice, request)
    cache.put(key, counted)
    return counted


async def _counted(spec: ModelSpec, choice: CredentialChoice, request: MessageRequest) -> int | None:
    """Asks the vendor, through the queue and the breaker of this credential."""
    choice = await grants.fresh(choice)
    guard = guards().of(key_of(choice), paced=choice.access.kind != "none")
    # Vendors count such requests by themselves: the limits of calls are not theirs.
    lane = f"{spec.id} (counts)"
    label = registry.providers()[spec.provider].label
    if (wait := guard.wait(lane)) > 0:
        raise not_now(guard.why_not(lane), wait, label)
    await guard.lane(lane).limiter.turn()
    permit = guard.breaker.enter()
    if permit is None:
        raise not_now(guard.why_not(lane), guard.wait(lane), label)
    try:
        counted = await registry.adapter(spec.provider).count_tokens(request, choice.access, spec=spec)
        if counted is not None:
            guard.succeeded(lane, permit)
        return counted
    except ProviderError as failure:
        guard.failed(lane, permit, failure)
        raise
    finally:
        permit.leave()


def _choice(caller: Caller, spec: ModelSpec, request: MessageRequest) -> CredentialChoice:
    policy.may_use(caller.user_id, spec, request, team=caller.team_id)
    choices = credentials.for_call(caller.user_id, caller.team_id, spec.provider)
    if not choices:
        reason = credentials.blocked_reason(caller.user_id, caller.team_id, spec.provider)
        raise CallRefused("no_credential", reason)
    return choices[0]


def _digest(request: MessageRequest, key: Key) -> bytes:
    body: dict[str, Any] = request.body(stream=False)
    text = json.dumps([key.provider, key.base_url, key.credential, body], separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
