"""What a person set for a conversation, as the fields of a request that this model takes.

A conversation keeps its settings when its model changes. What the new model does not have is brought to the
nearest that it has, and a note says so; what it cannot do at all, and what the rules keep from the person
(usage.policy), is left out, with a note as well.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import get_args

from accounts.policies.features import Feature
from providers.catalogue import Effort, ModelSpec
from providers.types import CODE_EXECUTION, WEB_SEARCH, Json

MAX_TOKENS = 16_000  # tokens of an answer, where the person set nothing
THINKING_BUDGET = 8_000  # tokens, for models that want a number
LEAST_FOR_BUDGET = 2_048  # tokens of an answer, below which such a model does not think
SEARCHES = 5  # the most web searches of one step; each has its price
EFFORTS: tuple[str, ...] = get_args(Effort)
# Some thinking kinds are taken up to this effort only (ModelSpec: Thinking.limited_kinds).
LIMITED_EFFORT = "high"

Note = Json  # {"code": …} and what its sentence needs (`remarks`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The fields of a request that settings decide."""

    system: str | None
    max_tokens: int
    thinking: Json | None
    output_config: Json | None
    tools: list[Json] | None
    notes: tuple[Note, ...]

    @property
    def runs_code(self) -> bool:
        return any(tool.get("type") == CODE_EXECUTION for tool in self.tools or ())


def grant(settings: Json, spec: ModelSpec | None, kept: Collection[Feature] = ()) -> Granted:
    """`settings` are the conversation's (models.Conversation); `spec` is what is known of its model. `kept`
    are the features that the person may not use.
    """
    notes: list[Note] = [{"code": "kept", "feature": one} for one in features(settings) if one in kept]
    may_think = Feature.THINKING not in kept
    ceiling = spec.max_output if spec is not None else MAX_TOKENS
    max_tokens = min(settings.get("max_tokens") or MAX_TOKENS, ceiling)
    thinking = _thinking(settings.get("thinking") or "" if may_think else "off", spec, max_tokens, notes)
    effort = _effort(settings.get("effort") or "", spec, thinking, notes)
    if spec is not None and not may_think and effort and _rank(effort) > _rank(spec.default_effort or ""):
        effort = spec.default_effort
    return Granted(
        system=settings.get("system") or None,
        max_tokens=max_tokens,
        thinking=thinking,
        output_config={"effort": effort} if effort else None,
        tools=_tools(settings, spec, kept, notes) or None,
        notes=tuple(notes),
    )


def features(settings: Json) -> list[Feature]:
    """What the person asks for by these settings that a rule may keep."""
    asked = [Feature.THINKING] if settings.get("thinking") == "on" else []
    return asked + [tool for tool in (Feature.WEB_SEARCH, Feature.CODE_EXECUTION) if settings.get(tool)]


def _thinking(wish: str, spec: ModelSpec | None, max_tokens: int, notes: list[Note]) -> Json | None:
    """The vendor's `thinking` field for the wish "on", "off", or "" for the model's own way.

    Reasoning is asked for in its summarised form wherever the model thinks, because the newer models' default
    is to send none of it (Anthropic, "Extended thinking": display).
    """
    kinds = spec.thinking.kinds if spec is not None else ()
    if spec is None or not kinds:
        return None
    if wish == "off":
        for kind in ("disabled", "between_tools"):
            if kind in kinds:
                return {"type": kind}
        notes.append({"code": "thinking_stays_on"})
    elif wish != "on" and not spec.thinking.default_on:
        return None
    if "adaptive" in kinds:
        shown = "summarized" in spec.thinking.displays
        return {"type": "adaptive", **({"display": "summarized"} if shown else {})}
    if "enabled" in kinds and max_tokens > LEAST_FOR_BUDGET:
        return {"type": "enabled", "budget_tokens": min(THINKING_BUDGET, max_tokens // 2)}
    return None


def _effort(wish: str, spec: ModelSpec | None, thinking: Json | None, notes: list[Note]) -> str | None:
    """The effort to name; None where nothing is to be said: the model then takes its own."""
    if spec is None or (wish and not spec.efforts):
        if wish:
            notes.append({"code": "effort", "asked": wish, "used": ""})
        return None
    used = _nearest(wish, spec.efforts) if wish else None
    kind = thinking["type"] if thinking is not None else None
    most = used or spec.default_effort
    if kind in spec.thinking.limited_kinds and most and _rank(most) > _rank(LIMITED_EFFORT):
        used = _nearest(LIMITED_EFFORT, spec.efforts)
    if used is not None and used != wish:
        notes.append({"code": "effort", "asked": wish, "used": used})
    return used


def _nearest(wish: str, efforts: tuple[Effort, ...]) -> str:
    """The greatest effort that is no greater than the wish; the least of all where each is greater."""
    ranked = sorted(efforts, key=_rank)
    return next((effort for effort in reversed(ranked) if _rank(effort) <= _rank(wish)), ranked[0])


def _rank(effort: str) -> int:
    return EFFORTS.index(effort) if effort in EFFORTS else len(EFFORTS)


def _tools(
    settings: Json, spec: ModelSpec | None, kept: Collection[Feature], notes: list[Note]
) -> list[Json]:
    """The tools that the vendor runs, in a fixed order: they are part of what is cached."""
    offered: dict[str, Json] = {
        "web_search": {"type": WEB_SEARCH, "name": "web_search", "max_uses": SEARCHES},
        "code_execution": {"type": CODE_EXECUTION, "name": "code_execution"},
    }
    wanted = [name for name in offered if settings.get(name) and name not in kept]
    able = [name for name in wanted if spec is not None and name in spec.capabilities]
    notes += [{"code": "tool", "tool": name} for name in wanted if name not in able]
    return [offered[name] for name in able]
