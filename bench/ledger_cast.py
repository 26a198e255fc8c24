"""Who calls which models how often, in the invented organisation whose ledger the bench reads.

A pattern is everything about a call but its moment: who, for which team, by which token, which model, why.
PATTERNS of them are drawn by weight, so that a ledger line is one lookup; the sizes of calls are drawn the
same way. Everything comes from one seed: two databases get the same lines.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple
from uuid import UUID

from providers import catalogue

SEED = 20_260_723
PEOPLE, TEAMS, TOKENS = 400, 25, 40
PATTERNS, SIZES, CLOCK = 65_536, 8_192, 4_096
PURPOSES = {"chat": 60, "title": 14, "gateway": 22, "compare": 3, "benchmark": 1}
# Twelve models of four providers, the most used first. The last of each provider's gives titles.
MODELS = (
    ("anthropic/claude-sonnet-5-5", 30),
    ("anthropic/claude-opus-5-5", 18),
    ("openai/gpt-6.2-sol", 14),
    ("anthropic/claude-haiku-5-5", 9),
    ("azure/gpt-5.5", 8),
    ("copilot/claude-opus-5.5", 6),
    ("openai/gpt-6-luna", 5),
    ("azure/gpt-5.4-mini", 4),
    ("openai/gpt-6.2-astra", 2),
    ("copilot/gpt-5-mini", 2),
    ("anthropic/claude-opus-4-8", 1),
    ("azure/deepseek-v4-pro", 1),
)
TITLES = {
    "anthropic": "anthropic/claude-haiku-5-5",
    "openai": "openai/gpt-6-luna",
    "azure": "azure/gpt-5.4-mini",
    "copilot": "copilot/gpt-5-mini",
}
# What share of a working day's calls each hour has, in UTC, of a firm in Europe.
HOURS = (1, 1, 1, 1, 1, 2, 8, 30, 70, 100, 105, 90, 60, 90, 100, 95, 80, 50, 25, 12, 8, 5, 3, 2)
WEEKDAYS = (100, 105, 104, 98, 82, 8, 6)  # from Monday


class Pattern(NamedTuple):
    """`input`, `cached`, `written` and `output` are pico-dollars per token."""

    user: UUID
    team: UUID | None
    token: UUID | None
    credential_scope: str
    provider: str
    model: str
    purpose: str
    input: int
    cached: int
    written: int
    output: int


class Size(NamedTuple):
    """Tokens and milliseconds of a call."""

    input: int
    cached: int
    written: int
    output: int
    thinking: int
    ttft: int
    duration: int


@dataclass(frozen=True)
class Cast:
    """The ids of everybody, most active people first; `teams_of` and `tokens_of` by person."""

    people: list[UUID]
    teams: list[UUID]
    teams_of: dict[UUID, list[UUID]]
    tokens_of: dict[UUID, list[UUID]]


def cast() -> Cast:
    draw = random.Random(SEED)
    people, teams, tokens = (
        [_id(kind, number) for number in range(count)]
        for kind, count in (("person", PEOPLE), ("team", TEAMS), ("token", TOKENS))
    )
    sizes = [1 / (rank + 4) for rank in range(TEAMS)]
    teams_of = {}
    for person in people:
        mine = draw.choices(teams, sizes, k=draw.choices((1, 2, 3), (70, 25, 5))[0])
        teams_of[person] = [] if draw.random() < 0.06 else list(dict.fromkeys(mine))
    owners = draw.sample(people[: PEOPLE // 2], TOKENS - 10)
    tokens_of: dict[UUID, list[UUID]] = {}
    for place, token in enumerate(tokens):
        tokens_of.setdefault(owners[place % len(owners)], []).append(token)
    return Cast(people, teams, teams_of, tokens_of)


def patterns(whole: Cast) -> list[Pattern]:
    """PATTERNS of them: one that is twice as likely is there twice as often."""
    draw = random.Random(SEED + 1)
    kinds, weights = [], []
    for rank, person in enumerate(whole.people):
        for weight, kind in _of_person(draw, person, whole):
            kinds.append(kind)
            weights.append(weight / (rank + 15))
    return draw.choices(kinds, weights, k=PATTERNS)


def sizes() -> list[Size]:
    draw = random.Random(SEED + 2)
    found = []
    for _ in range(SIZES):
        prompt = min(int(draw.lognormvariate(7.6, 1.4)), 180_000)
        cached = int(prompt * draw.random() * 0.9) if draw.random() < 0.5 else 0
        written = (prompt - cached) // 2 if draw.random() < 0.25 else 0
        output = min(int(draw.lognormvariate(5.6, 1.1)), 16_000)
        thinking = output // 3 if draw.random() < 0.3 else 0
        ttft = int(draw.lognormvariate(6.9, 0.5))
        found.append(
            Size(prompt - cached - written, cached, written, output, thinking, ttft, ttft + output * 14)
        )
    return found


def clock() -> list[int]:
    """Microseconds of a day, rising: CLOCK moments, denser where more is called, and the day's end."""
    edges = [0, *accumulate(HOURS)]
    moments = []
    for place in range(CLOCK):
        at = place * edges[-1] / CLOCK
        hour = next(number for number in range(24) if at < edges[number + 1])
        moments.append(int((hour + (at - edges[hour]) / HOURS[hour]) * 3_600_000_000))
    return [*moments, 86_400_000_000]


def _of_person(draw: random.Random, person: UUID, whole: Cast) -> Iterator[tuple[float, Pattern]]:
    """What one person calls, each kind with its weight among that person's calls."""
    refs, popular = zip(*MODELS, strict=True)
    favourites = list(
        dict.fromkeys(draw.choices(refs, popular, k=draw.choices((1, 2, 3, 5), (2, 3, 3, 2))[0]))
    )
    mine: list[UUID | None] = list(whole.teams_of[person]) or [None]
    tokens = whole.tokens_of.get(person, [])
    own_key, team_key = draw.random() < 0.04, draw.random() < 0.15
    for place, ref in enumerate(favourites):
        provider = ref.partition("/")[0]
        for team_place, team in enumerate(mine):
            scope = "person" if own_key else "team" if team_key and team else "organisation"
            share = 1.0 / (place + 1) ** 1.3 / (team_place + 1) ** 1.5
            for purpose, weight in PURPOSES.items():
                if purpose == "gateway":
                    for token in tokens:
                        each = share * weight * 3 / len(tokens)
                        yield each, _pattern(person, team, token, scope, ref, purpose)
                elif purpose in ("chat", "title") or draw.random() < 0.12:
                    model = TITLES[provider] if purpose == "title" else ref
                    yield share * weight, _pattern(person, team, None, scope, model, purpose)


def _pattern(
    person: UUID, team: UUID | None, token: UUID | None, scope: str, ref: str, purpose: str
) -> Pattern:
    spec = catalogue.spec(ref)
    assert spec is not None, f"the catalogue has no {ref} any more"
    assert spec.prices, f"the catalogue has no price of {ref}"
    price = spec.prices[-1]
    rates = (price.input, price.cache_read, price.cache_write_5m, price.output)
    return Pattern(person, team, token, scope, spec.provider, spec.id, purpose, *rates)


def _id(kind: str, number: int) -> UUID:
    digest = hashlib.sha256(f"{kind} {number}".encode()).digest()[:16]
    return UUID(bytes=digest, version=4)
