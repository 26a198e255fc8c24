"""Why somebody may, or may not, use a model: every rule that took part, and what else stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse

from accounts.keys import credentials
from accounts.models import Team, User
from accounts.policies import store
from accounts.policies.features import ABOUT, OFFERED, Feature
from accounts.policies.standing import Judged, Reason, Source
from providers.catalogue import ModelSpec
from usage import policy
from usage.budgets import glance as budget_glance
from usage.catalogue import known_models, overrides
from usage.errors import CallRefused
from usage.offers import offers
from usage.policies import words

MOST_NAMED = 6
UNABLE = {
    Feature.WEB_SEARCH: "web_search",
    Feature.WEB_FETCH: "web_fetch",
    Feature.CODE_EXECUTION: "code_execution",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that took part. `allows` None: it took part, and decided nothing. `href` is where an admin
    changes it.
    """

    about: str
    says: str
    allows: bool | None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`allowed` is what the rules say. `hindered`: allowed, and a call would be refused now all the same."""

    who: str
    what: str
    allowed: bool
    hindered: bool
    lines: tuple[Line, ...]

    @property
    def sentence(self) -> str:
        if self.allowed and self.hindered:
            return f"{self.who} may use {self.what}, but a call would be refused now."
        return f"{self.who} {'may' if self.allowed else 'may not'} use {self.what}."


@dataclass(frozen=True, slots=True)
class Allowed:
    """Models or features that the same rules allow, or refuse: `what` in a sentence, `names` all of them."""

    what: str
    because: str
    names: list[str]

    @property
    def more(self) -> bool:
        """Whether the sentence leaves some out."""
        return len(self.names) > MOST_NAMED


def explain(
    person: User, ref: str, features: Iterable[Feature] = (), team: Team | None = None
) -> Explanation | None:
    """None for a model of which nothing is known. `team` pays, where one does."""
    spec = known_models.about(ref)
    if spec is None:
        return None
    asked = list(dict.fromkeys(features))
    decision = policy.decide(person.pk, spec, asked, team.pk if team else None)
    lines = [_account(person), _on_offer(spec), *_rules(decision.judged, spec)]
    able = list(_ability(spec, asked))
    allowed = decision.allowed and all(line.allows is not False for line in lines)
    hindrances = [*able, *_key(person, spec, team), *_budget(person, team)]
    return Explanation(
        who=person.display,
        what=" with ".join(filter(None, [spec.name, words.listed(ABOUT[one].name for one in asked)])),
        allowed=allowed,
        hindered=any(line.allows is False for line in hindrances),
        lines=(*lines, *hindrances),
    )


def may_use(person: User) -> list[Allowed]:
    """What a person may use, and what not, for pages about the person."""
    standing = store.standing(person.pk)
    names = words.team_names(standing.teams)
    specs = [offer.spec for offer in offers.on_offer(person) if offer.usable]
    found = _by_reason(
        [(spec.name, [standing.judge(item) for item in policy.comes_with(spec)]) for spec in specs], names
    )
    features = [(ABOUT[one].name, [standing.judge(one)]) for one in OFFERED]
    return [*found, *_by_reason(features, names)]


def _by_reason(asked: list[tuple[str, list[Judged]]], names: dict[UUID, str]) -> list[Allowed]:
    """What is allowed, and what is not, each with its reasons; what has the same reasons together."""
    grouped: dict[tuple[bool, str], list[str]] = {}
    for name, judged in asked:
        allowed = all(one.allowed for one in judged)
        because = " ".join(dict.fromkeys(_because(one, names) for one in judged if one.allowed is allowed))
        grouped.setdefault((allowed, because), []).append(name)
    return [
        Allowed(
            f"May {'use' if allowed else 'not use'} {words.listed(items, most=MOST_NAMED)}", because, items
        )
        for (allowed, because), items in sorted(grouped.items(), key=lambda one: not one[0][0])
    ]


def _because(one: Judged, names: dict[UUID, str]) -> str:
    """By which rules it is as it is: of the teams those that allow it, or all that refuse it."""
    telling = [reason for reason in one.reasons if reason.allows is one.allowed]
    teams = [reason for reason in telling if reason.source is not Source.ORGANISATION]
    if not one.allowed:
        return " ".join(words.why(reason, names) for reason in telling)
    ruled = [names.get(reason.team, "") for reason in teams if reason.team and reason.source is Source.TEAM]
    if ruled:
        return f"Allowed by team {words.listed(ruled)}."
    return "No rule refuses it."


def _account(person: User) -> Line:
    href = reverse("usage:person", args=[person.pk])
    says = "Active." if person.is_active else "Deactivated: nothing may be used."
    return Line("The account", says, person.is_active, href)


def _on_offer(spec: ModelSpec) -> Line:
    href = reverse("usage:model", args=[spec.provider, spec.id])
    try:
        known_models.must_be_on_offer(spec, spec.ref)
    except CallRefused as refused:
        return Line("The model", refused.message, False, href)
    return Line("The model", "Is on offer here.", True, href)


def _rules(judged: Iterable[Judged], spec: ModelSpec) -> Iterator[Line]:
    found = list(judged)
    names = words.team_names({reason.team for one in found for reason in one.reasons if reason.team})
    for one in found:
        about = words.item_name(one.item, spec)
        for reason in one.reasons:
            # Of several teams one is enough: another that refuses decides nothing.
            outvoted = one.allowed and not reason.allows
            says = words.why(reason, names) + (" Another team is enough." if outvoted else "")
            silent = outvoted or reason.source is Source.FREE
            yield Line(about[:1].upper() + about[1:], says, None if silent else reason.allows, _place(reason))


def _place(reason: Reason) -> str:
    if reason.source is Source.ORGANISATION:
        return reverse("usage:policy_organisation")
    if reason.team is not None and reason.source is not Source.UNRULED:
        return reverse("usage:policy_team", args=[reason.team])
    return reverse("usage:policy_others")


def _ability(spec: ModelSpec, asked: Iterable[Feature]) -> Iterator[Line]:
    for feature in asked:
        able = UNABLE[feature] in spec.capabilities if feature in UNABLE else True
        if feature is Feature.THINKING:
            able = bool(spec.thinking.kinds)
        if not able:
            href = reverse("usage:model", args=[spec.provider, spec.id])
            yield Line("The model", f"{spec.name} itself has no {ABOUT[feature].name}.", False, href)


def _key(person: User, spec: ModelSpec, team: Team | None) -> Iterator[Line]:
    paying = team.pk if team is not None else None
    href = reverse("accounts:keys")
    if not person.is_active or spec.demo:
        return
    if spec.provider in credentials.usable_providers(person.pk, paying):
        yield Line("The key", "There is one that serves this person.", True, href)
    else:
        reason = credentials.blocked_reason(person.pk, paying, spec.provider)
        yield Line("The key", reason, False, href)


def _budget(person: User, team: Team | None) -> Iterator[Line]:
    found = budget_glance.fullest(person.pk, team.pk if team is not None else None)
    if found is None:
        return
    href = reverse("usage:budgets")
    if found.meter.state == "over":
        yield Line("The budget", f"“{found.name}” is used up: {found.used}.", False, href)
    else:
        yield Line("The budget", f"The fullest, “{found.name}”, has room: {found.left}.", True, href)


def models() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every model that could be asked about, by provider: label, and refs with names."""
    found: dict[str, list[tuple[str, str]]] = {}
    for specs in overrides.known().specs.values():
        for spec in specs:
            if not spec.is_retired(known_models.today()):
                found.setdefault(spec.provider, []).append((spec.ref, spec.name))
    return [
        (words.model_name(f"{provider}/*").removeprefix("all of "), refs) for provider, refs in found.items()
    ]
