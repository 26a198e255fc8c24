"""One rule: which models and features are allowed; and all rules of an installation together.

A rule speaks of models by their refs, "provider/model", or of all models of a provider, "provider/*". A model
that appears tomorrow is allowed by `all` and `except`, and by `only` where its whole provider is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args
from uuid import UUID

from .features import ABOUT, Feature

Which = Literal["all", "only", "except"]
WHICH: tuple[Which, ...] = get_args(Which)
Item = str | Feature  # the ref of a model, or a feature


def whole(provider: str) -> str:
    """All models of a provider, as a rule names them."""
    return f"{provider}/*"


@dataclass(frozen=True, slots=True)
class Rule:
    """`which` says how `models` are meant: nothing but these, or all but these; "all" needs none.

    `refused` are features that nobody under this rule may use. `granted` are those that are refused until the
    organisation grants them; in any other rule they mean nothing.
    """

    which: Which = "all"
    models: frozenset[str] = frozenset()
    refused: frozenset[Feature] = frozenset()
    granted: frozenset[Feature] = frozenset()

    def allows(self, item: Item, *, founds: bool = False) -> bool:
        """Whether this rule allows a model or a feature; `founds`: it is the organisation's."""
        if isinstance(item, Feature):
            missing = founds and ABOUT[item].granted and item not in self.granted
            return item not in self.refused and not missing
        if self.which == "all":
            return True
        named = item in self.models or whole(item.partition("/")[0]) in self.models
        return named is (self.which == "only")


NOTHING_DECIDED = Rule()
NOTHING_ALLOWED = Rule("only", refused=frozenset(Feature))


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules at one moment. `others` is that of teams without a rule and of people in no team."""

    organisation: Rule = NOTHING_DECIDED
    others: Rule | None = None
    teams: Mapping[UUID, Rule] = field(default_factory=dict)
    stamp: UUID | None = None


NO_RULES = Rules()
