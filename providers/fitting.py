"""A request for one model as another is asked it: what is only a way of working is brought to the nearest.

Thinking, effort and sampling say how a model should work, and models differ in the words they take for it
(Anthropic: "Extended thinking", "Effort"; OpenAI: "Reasoning"). A fallback that refused a word would be none.
What the request asks for stays as it is: tools, images, schemas are judged by `abilities`.
"""

from dataclasses import replace
from typing import get_args

from providers.abilities import LIMITED_EFFORTS, SAMPLING
from providers.catalogue import Effort, ModelSpec
from providers.types import Json, MessageRequest

BUDGET = 8_000  # tokens of thinking, for models that want a number
LEAST_FOR_BUDGET = 2_048  # tokens of an answer, below which such a model does not think

_ORDER: tuple[str, ...] = get_args(Effort)


def fitted(request: MessageRequest, spec: ModelSpec) -> MessageRequest:
    """The request as this model takes it, with an answer no longer than its longest."""
    max_tokens = min(request.max_tokens, spec.max_output)
    thinking = _thinking(request.thinking, spec, max_tokens)
    config = dict(request.output_config or {})
    effort = _effort(config.pop("effort", None), thinking, spec)
    if effort is not None:
        config["effort"] = effort
    dropped = () if spec.sampling else SAMPLING
    return replace(
        request,
        max_tokens=max_tokens,
        thinking=thinking,
        output_config=config or None,
        temperature=None if "temperature" in dropped else request.temperature,
        extra={name: value for name, value in request.extra.items() if name not in dropped},
    )


def _thinking(wish: Json | None, spec: ModelSpec, max_tokens: int) -> Json | None:
    kinds = spec.thinking.kinds
    if wish is None or not kinds:
        return None
    kind = wish.get("type")
    shown = wish.get("display")
    display = {"display": shown} if shown in spec.thinking.displays else {}
    if kind in ("disabled", "between_tools"):
        return {"type": kind} if kind in kinds else None
    if "adaptive" in kinds:
        return {"type": "adaptive", **display}
    if "enabled" in kinds and max_tokens > LEAST_FOR_BUDGET:
        wanted = wish.get("budget_tokens")
        budget = wanted if isinstance(wanted, int) else BUDGET
        return {"type": "enabled", "budget_tokens": min(budget, max_tokens // 2), **display}
    return None


def _effort(wish: object, thinking: Json | None, spec: ModelSpec) -> str | None:
    """The highest effort of the model's that is not above the wish, else its lowest."""
    if wish not in _ORDER or not spec.efforts:
        return None
    most = _ORDER.index(str(wish))
    if thinking is not None and thinking["type"] in spec.thinking.limited_kinds:
        most = min(most, _ORDER.index(LIMITED_EFFORTS[-1]))
    ranked = sorted(spec.efforts, key=_ORDER.index)
    return next((effort for effort in reversed(ranked) if _ORDER.index(effort) <= most), ranked[0])
