"""A branch of messages as one request to a model.

The rows stay as they are; what a vendor would refuse is left out here: empty parts, tool calls whose results
are missing because the answer was cut, thinking that was never sealed. Sealed thinking goes back only to
where it came from (`thinking`); everybody else is sent the same turns without it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from accounts.policies.features import Feature
from providers.catalogue import ModelSpec
from providers.types import Block, Json, MessageRequest

from . import wishes
from .models import Message
from .origins import LEFT_OUT, Origin
from .thinking import Prefix, is_bound, is_sealed, is_thinking
from .wishes import Note

NOT_RUN = "This tool was not run: the answer was cut before its result."
NOWHERE: Mapping[UUID, Origin] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is asked of a model, and where it may go.

    `request` may go to any account, or to `only_account` alone, because it holds what belongs there
    (thinking, a container); then `elsewhere` is the same request without that. The prefixes are those of the
    two. `notes` say what a person's wishes and history lost on the way.
    """

    request: MessageRequest
    prefix: str
    only_account: str | None = None
    elsewhere: MessageRequest | None = None
    prefix_elsewhere: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def holds_thinking(self) -> bool:
        return self.elsewhere is not None and self.prefix != self.prefix_elsewhere


def asking(
    path: list[Message],
    model: str,
    settings: Json,
    spec: ModelSpec | None,
    origins: Mapping[UUID, Origin] = NOWHERE,
    *,
    kept: Collection[Feature] = (),
    now: datetime | None = None,
) -> Asking:
    """What makes the answer that continues `path`; `settings` are the conversation's.

    `origins` says where the answers of the path came from, by message; `kept` are features that the person
    may not use.
    """
    granted = wishes.grant(settings, spec, kept)
    whole = Transcript(granted.system, granted.tools)
    for message in path:
        whole.add(message, origins.get(message.id))
    without = whole
    bound = is_bound(whole.found, model if spec is None else spec.ref)
    if whole.found:
        without = Transcript(granted.system, granted.tools, thinking=False)
        for message in path:
            without.add(message)
    chosen = whole if bound else without
    account = whole.found[0].origin.vendor_account if bound and whole.found[0].origin else None
    container = _container(path, origins, account, now or datetime.now(UTC)) if granted.runs_code else None
    request = MessageRequest(
        model=model,
        messages=chosen.turns,
        max_tokens=granted.max_tokens,
        system=granted.system,
        thinking=granted.thinking,
        output_config=granted.output_config,
        tools=granted.tools,
    )
    if not bound and container is None:
        notes = (*granted.notes, *([left_out(path, origins)] if whole.found else []))
        return Asking(request=request, prefix=chosen.prefix, notes=notes)
    return Asking(
        request=replace(request, extra={"container": container[0]}) if container else request,
        prefix=chosen.prefix,
        only_account=container[1] if container else account,
        elsewhere=replace(request, messages=without.turns),
        prefix_elsewhere=without.prefix,
        notes=(*granted.notes, *([left_out(path, origins)] if whole.found and not bound else [])),
    )


def turns(path: Iterable[Message], *, thinking: bool = False) -> list[Json]:
    """The vendor's turns: user first, neighbours of one role joined, tool calls paired with results."""
    made = Transcript(None, None, thinking=thinking)
    for message in path:
        made.add(message)
    return made.turns


@dataclass(frozen=True, slots=True)
class Found:
    """An answer with sealed thinking: where it came from, and what stands before it now."""

    origin: Origin | None
    prefix: str


class Transcript:
    """Messages as turns, added one by one; `found` are the answers among them that hold sealed thinking."""

    def __init__(self, system: str | None, tools: list[Json] | None, *, thinking: bool = True) -> None:
        self.turns: list[Json] = []
        self.found: list[Found] = []
        self._prefix = Prefix(system, tools)
        self._thinking = thinking

    @property
    def prefix(self) -> str:
        """The fingerprint of system, tools and all turns so far."""
        return self._prefix.fingerprint()

    def add(self, message: Message, origin: Origin | None = None) -> None:
        if message.role == Message.Role.USER:
            self._add("user", [block for block in message.blocks if not is_empty(block)])
            return
        if message.stop_reason == "refusal":
            return  # what the vendor declined half-way is not to be sent back (Anthropic, "Stop reasons")
        blocks, unanswered = sendable(message.blocks, thinking=self._thinking)
        if any(map(is_thinking, blocks)):
            self.found.append(Found(origin, self.prefix))
        self._add("assistant", blocks)
        self._add("user", [_not_run(call) for call in unanswered])

    def _add(self, role: str, blocks: list[Block]) -> None:
        if not blocks or (not self.turns and role != "user"):
            return
        self._prefix.add(role, blocks)
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"].extend(blocks)
        else:
            self.turns.append({"role": role, "content": list(blocks)})


def sendable(blocks: list[Block], *, thinking: bool) -> tuple[list[Block], list[Block]]:
    """What of an answer can be sent back, and the client tool calls in it that have no result."""
    results = {block.get("tool_use_id") for block in blocks if "tool_use_id" in block}
    kept: list[Block] = []
    unanswered: list[Block] = []
    for block in blocks:
        kind = block.get("type")
        if is_empty(block) or (is_thinking(block) and not (thinking and is_sealed(block))):
            continue
        if kind in {"server_tool_use", "mcp_tool_use"} and block.get("id") not in results:
            continue  # the vendor runs these itself; one without its result is refused
        if kind == "tool_use" and block.get("id") not in results:
            unanswered.append(block)
        kept.append(block)
    return kept, unanswered


def left_out(path: list[Message], origins: Mapping[UUID, Origin]) -> Note:
    """That thinking is not sent along; `again` where that is no news: the answer before was asked for without
    it, too, or its vendor never says whose account it was.
    """
    answers = [message for message in path if message.role == Message.Role.ASSISTANT]
    before = origins.get(answers[-1].id) if answers else None
    is_known = before is not None and (before.left_out or bool(before.model and not before.vendor_account))
    return {"code": LEFT_OUT, "again": is_known}


def _container(
    path: list[Message], origins: Mapping[UUID, Origin], account: str | None, now: datetime
) -> tuple[str, str] | None:
    """The vendor's container in which code of this branch ran last, and its account; None when it is gone."""
    for message in reversed(path):
        origin = origins.get(message.id)
        if origin is None or not origin.container:
            continue
        if account not in (None, origin.vendor_account) or not origin.vendor_account:
            return None
        return (origin.container, origin.vendor_account) if origin.container_is_open(now) else None
    return None


def is_empty(block: Block) -> bool:
    return block.get("type") == "text" and not str(block.get("text", "")).strip()


def _not_run(call: Block) -> Block:
    return {"type": "tool_result", "tool_use_id": call.get("id"), "is_error": True, "content": NOT_RUN}
