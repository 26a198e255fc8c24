"""May this person make this call: one function, asked by every door before money is held (docs/policy.md).

    may_use   a call, as it would be sent: raises, with a sentence that says what is refused and by which rule
    decide    a model and features, for who wants to know why

Both judge by the rules of accounts.policies, in force from the next call on. What a call asks for is read
from the body as it is sent, so that no field passes by another way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args
from uuid import UUID

from accounts.policies import store
from accounts.policies.features import Feature
from accounts.policies.rules import Item
from accounts.policies.standing import Judged, Reason, Standing
from providers.abilities import SERVER_TOOLS
from providers.catalogue import Effort, ModelSpec
from providers.types import Json, MessageRequest
from usage.errors import CallRefused
from usage.policies import words
from usage.prices.prices import PLAIN_GEOS

INACTIVE = "This account is not active. Ask an admin to activate it."
# What thinks least: the nearest that some models come to not thinking.
NOT_THINKING = ("disabled", "between_tools")
PLAIN_SPEEDS = ("", "standard")
# Fields of the body that the provider acts on by itself, or that sell something apart.
FIELDS: dict[str, Feature] = {
    "service_tier": Feature.SERVICE_TIER,
    "fallbacks": Feature.FALLBACKS,
    "fallback_credit_token": Feature.FALLBACKS,
    "mcp_servers": Feature.MCP_SERVERS,
    "container": Feature.CONTAINERS,
    "betas": Feature.BETAS,
}
# Tools that whoever calls runs: of their own making, or in a form that the vendor has trained.
CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_", "tool_search_tool")
_EFFORTS: tuple[str, ...] = get_args(Effort)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is allowed, and what was decided of the model and of each feature, every rule in order."""

    active: bool
    judged: tuple[Judged, ...]

    @property
    def allowed(self) -> bool:
        return self.active and all(one.allowed for one in self.judged)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return tuple(reason for one in self.judged for reason in one.reasons)


def decide(
    person: UUID, spec: ModelSpec, features: Iterable[Feature] = (), team: UUID | None = None
) -> Decision:
    """Whether this person may use the model with these features; `team` pays, where one does. One query."""
    standing = store.standing(person, team)
    asked = dict.fromkeys([*comes_with(spec), *features])
    return Decision(standing.active, tuple(map(standing.judge, asked)))


def may_use(user_id: UUID, spec: ModelSpec, request: MessageRequest, *, team: UUID | None = None) -> Standing:
    """Raises CallRefused ("not_allowed") unless this person is active and may make this call, which `team`
    pays for. One query. Returns where the person stands, so that more can be asked of the same moment.

    Whether the prompt is so long that it costs more is known with its price: `must_allow` is asked then.
    """
    standing = store.standing(user_id, team)
    must_be_allowed(standing, spec, request)
    return standing


def must_be_allowed(standing: Standing, spec: ModelSpec, request: MessageRequest) -> None:
    """As `may_use`, of somebody whose standing is known."""
    if not standing.active:
        raise CallRefused("not_allowed", INACTIVE)
    must_allow(standing, spec, spec.ref, *_asked(request, spec))
    if not standing.allows(Feature.FILES) and _has_files(request):
        must_allow(standing, spec, Feature.FILES)


def must_allow(standing: Standing, spec: ModelSpec, *items: Item) -> None:
    """Raises CallRefused ("not_allowed") unless all of them may be used."""
    if not all(map(standing.allows, items)):
        raise CallRefused("not_allowed", words.refusal(refused(standing, dict.fromkeys(items)), spec))


def refused(standing: Standing, items: Iterable[Item]) -> list[Judged]:
    """Those of the items that this person may not use, and by which rules."""
    return [one for item in items if not (one := standing.judge(item)).allowed]


def allows_model(standing: Standing, spec: ModelSpec) -> bool:
    """Whether this person may use a model in some way."""
    return all(map(standing.allows, comes_with(spec)))


def comes_with(spec: ModelSpec) -> tuple[Item, ...]:
    """The model, and the features that come with it whether one asks for them or not."""
    always = spec.thinking.default_on and not set(NOT_THINKING) & set(spec.thinking.kinds)
    return (spec.ref, Feature.THINKING) if always else (spec.ref,)


def kept_features(standing: Standing) -> frozenset[Feature]:
    """The features that this person may not use."""
    return frozenset(feature for feature in Feature if not standing.allows(feature))


def refused_model(user_id: UUID, spec: ModelSpec, team: UUID | None) -> str:
    """Why this person may not use this model at all; "" where they may."""
    found = refused(store.standing(user_id, team), comes_with(spec))
    return words.refusal(found, spec) if found else ""


def refused_features(user_id: UUID, features: Iterable[Feature], team: UUID | None) -> str:
    """Why this person may not use some of these features; "" where they may, or none is asked for."""
    asked = list(features)
    found = refused(store.standing(user_id, team), asked) if asked else []
    return words.refusal(found) if found else ""


def _asked(request: MessageRequest, spec: ModelSpec) -> Iterator[Feature]:
    """Every feature that a call asks for; files and the length of the prompt apart."""
    body = request.body(stream=False)
    if body["model"] != request.model or body["max_tokens"] != request.max_tokens:
        yield Feature.OTHER  # a field that would replace what was judged and is held for
    if _thinks(body, spec):
        yield Feature.THINKING
    runs_code = False
    for tool in body.get("tools") or ():
        feature = _tool(tool)
        runs_code = runs_code or feature is Feature.CODE_EXECUTION
        yield feature
    for name, feature in FIELDS.items():
        # A call that runs code may go on in the container in which the code of its conversation ran before.
        if body.get(name) is not None and not (feature is Feature.CONTAINERS and runs_code):
            yield feature
    if str(body.get("speed") or "") not in PLAIN_SPEEDS:
        yield Feature.FAST
    if str(body.get("inference_geo") or "") not in PLAIN_GEOS:
        yield Feature.REGION


def _thinks(body: Json, spec: ModelSpec) -> bool:
    """Whether a call thinks, or makes more effort than the model's own."""
    thinking = body.get("thinking")
    if thinking is None:
        if spec.thinking.default_on:
            return True
    elif not isinstance(thinking, dict) or thinking.get("type") not in NOT_THINKING:
        return True
    usual = _rank(spec.default_effort)
    return any(_rank(effort) > usual for effort in _efforts(body))


def _efforts(body: Json) -> Iterator[Any]:
    """Those that are named for the call, and in the middle of its conversation."""
    for holder in (body, *body["messages"]):
        config = holder.get("output_config") if isinstance(holder, dict) else None
        if isinstance(config, dict) and config.get("effort") is not None:
            yield config["effort"]


def _rank(effort: Any) -> int:
    """What is not known is the greatest; no effort of a model's own is the least."""
    if effort is None:
        return -1
    return _EFFORTS.index(effort) if effort in _EFFORTS else len(_EFFORTS)


def _tool(tool: Any) -> Feature:
    kind = str(tool.get("type") or "") if isinstance(tool, dict) else "?"
    if kind in ("", "custom", "function") or kind.startswith(CLIENT_TOOLS):
        return Feature.TOOLS
    if kind == "mcp_toolset":
        return Feature.MCP_SERVERS
    return next((Feature(flag) for flag, _ in SERVER_TOOLS.values() if kind.startswith(flag)), Feature.OTHER)


def _has_files(request: MessageRequest) -> bool:
    for message in request.messages:
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") in ("image", "document", "container_upload"):
                return True
    return False
