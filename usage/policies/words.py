"""Rules and decisions in sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from accounts.models import Team
from accounts.policies.features import ABOUT, OFFERED, Feature
from accounts.policies.rules import Item, Rule
from accounts.policies.standing import Judged, Reason, Source
from providers import registry
from providers.catalogue import ModelSpec
from usage.catalogue import overrides

MOST_NAMED = 3
ASK = "Ask an admin, who can change that under Manage, Policy."


def refusal(
    refused: Sequence[Judged], spec: ModelSpec | None = None, teams: Mapping[UUID, str] | None = None
) -> str:
    """For the person whose call it was: what is refused, by which rules, and whom to ask. Reads the names of
    teams where they are not given.
    """
    if teams is None:
        teams = team_names({reason.team for one in refused for reason in one.reasons if reason.team})
    said = [f"{_capital(item_name(one.item, spec))} is not allowed {_by(one, teams)}." for one in refused]
    return f"{' '.join(said)} {ASK}"


def item_name(item: Item, spec: ModelSpec | None = None) -> str:
    """A model or a feature as it stands in a sentence."""
    if isinstance(item, Feature):
        return ABOUT[item].name
    return spec.name if spec is not None and spec.ref == item else model_name(item)


def model_name(ref: str) -> str:
    """A model, or all models of a provider, as a rule names them."""
    provider, _, model = ref.partition("/")
    if model == "*":
        row = registry.provider(provider)
        return f"all of {row.label if row is not None else provider}"
    known = overrides.spec(ref)
    return known.name if known is not None else ref


def models_of(rule: Rule) -> str:
    """Which models a rule allows, as a sentence."""
    if rule.which == "all" or (rule.which == "except" and not rule.models):
        return "All models, also those to come."
    named = listed(map(model_name, sorted(rule.models, key=_whole_first)), most=12)
    if rule.which == "only":
        return f"Only {named}." if rule.models else "No model."
    return f"All models but {named}; also those to come."


def features_of(rule: Rule) -> str:
    """Which of the offered features a rule refuses, as a sentence."""
    refused = [ABOUT[feature].name for feature in OFFERED if feature in rule.refused]
    return f"Without {listed(refused, most=12)}." if refused else "Every feature."


def why(reason: Reason, teams: Mapping[UUID, str]) -> str:
    """What one rule says, as a sentence."""
    verb = "allows" if reason.allows else "refuses"
    name = f"“{teams.get(reason.team, 'a team that is gone')}”" if reason.team else ""
    match reason.source:
        case Source.ORGANISATION:
            return f"The rule of the organisation {verb} it."
        case Source.NO_TEAM:
            return f"The rule for everyone else {verb} it, which counts for people in no team."
        case Source.PAYING:
            return f"The rule of the team {name}, which pays, {verb} it."
        case Source.TEAM:
            return f"The rule of the team {name} {verb} it."
        case Source.FREE:
            return f"The team {name} has no rule of its own, so that the organisation’s counts."
    return f"The team {name} has no rule of its own: the rule for everyone else {verb} it."


def team_names(ids: Collection[UUID]) -> dict[UUID, str]:
    """One query, or none."""
    return dict(Team.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}


def listed(names: Iterable[str], *, most: int = MOST_NAMED) -> str:
    """ "A, B and 4 more"; of at most so many all are named."""
    found = list(names)
    if len(found) > most:
        return f"{', '.join(found[:most])} and {len(found) - most} more"
    return " and ".join(part for part in (", ".join(found[:-1]), *found[-1:]) if part)


def _by(one: Judged, teams: Mapping[UUID, str]) -> str:
    refusing = [reason for reason in one.reasons if not reason.allows]
    sources = {reason.source for reason in refusing}
    if Source.ORGANISATION in sources:
        never = isinstance(one.item, Feature) and ABOUT[one.item].granted
        return "here: nobody was granted it" if never else "by the rule of the organisation"
    paying = next((reason for reason in refusing if reason.source is Source.PAYING), None)
    if paying is not None:
        return f"by the rule of the team “{teams.get(paying.team or UUID(int=0), '')}”, which pays for this"
    if Source.NO_TEAM in sources:
        return "to people in no team"
    names = [f"“{teams[reason.team]}”" for reason in refusing if reason.team and reason.team in teams]
    if len(names) == 1:
        return f"in your team {names[0]}"
    return f"in any of your teams, {listed(names)}"


def _whole_first(ref: str) -> tuple[bool, str]:
    return (not ref.endswith("/*"), ref)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
