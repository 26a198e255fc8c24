"""Ninety days of a company of forty: people, teams, programs, and what their calls left in the ledger.

The same at every run but for the days, which end now. Sums are the product's: costs by usage.prices.pricing
at the catalogue's prices, DailyUsage by usage.ledger.rollup.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import AccessToken, Membership, Team, User
from providers.types import Usage
from usage.catalogue import overrides
from usage.clock import organisation_day
from usage.ledger import rollup
from usage.models import LedgerLine
from usage.prices import prices
from usage.prices.pricing import Tariff, cost_nano

SEED = 5
DAYS = 90
SPIKE = 9  # days ago
WEEK = (1.0, 1.08, 1.15, 1.02, 0.82, 0.1, 0.06)  # how busy Monday to Sunday are
TEAMS = ("Research", "Platform", "Support", "Sales", "Finance and procurement", "Marketing")
LONG_NAME = "Maximiliane-Theodora von Hohenlohe-Waldenburg-Schillingsfürst"
# Name, e-mail, team, and how much they use Parley; 0 has not come for long.
PEOPLE: tuple[tuple[str, str, int, float], ...] = (
    ("Omar Haddad", "omar", 0, 2.6),
    ("佐藤 美咲", "misaki.sato", 0, 2.1),
    ("Ingrid Solheim", "ingrid", 0, 1.4),
    ("Rafael Duarte", "rafael", 0, 1.3),
    ("Priya Raman", "priya", 0, 1.0),
    ("Anneke de Vries", "anneke", 0, 0.7),
    ("Tomasz Zieliński", "tomasz", 0, 0.5),
    ("Jonas Weber", "jonas", 1, 2.2),
    ("山本 健太郎", "kentaro.yamamoto", 1, 1.6),
    ("Siobhán Ní Bhriain", "siobhan", 1, 1.5),
    ("Luca Ferrari", "luca", 1, 1.1),
    ("Aleksandra Petrović", "aleksandra", 1, 0.9),
    ("Kwame Mensah", "kwame", 1, 0.9),
    ("Emil Lindqvist", "emil", 1, 0.6),
    ("Dagný Jónsdóttir", "dagny", 1, 0.0),
    ("Lena Brandt", "lena", 2, 1.5),
    ("نور حداد", "nour", 2, 1.3),
    ("Chloé Marchand", "chloe", 2, 1.2),
    ("Mateo García Fernández", "mateo", 2, 1.0),
    ("Zeynep Kaya", "zeynep", 2, 0.9),
    ("Grace Okafor", "grace", 2, 0.8),
    ("Viktor Horváth", "viktor", 2, 0.7),
    ("Hana Nováková", "hana", 2, 0.5),
    (LONG_NAME, "maximiliane", 3, 1.2),
    ("Isabella Rossi", "isabella", 3, 1.0),
    ("يوسف الخطيب", "youssef", 3, 0.9),
    ("Noah Jansen", "noah", 3, 0.7),
    ("Eleni Papadopoulou", "eleni", 3, 0.6),
    ("Samuel Adeyemi", "samuel", 3, 0.4),
    ("Beatriz Almeida", "beatriz", 3, 0.0),
    ("Katarzyna Nowak", "katarzyna", 4, 1.3),
    ("Pieter van den Berg", "pieter", 4, 0.8),
    ("Oksana Shevchenko", "oksana", 4, 0.6),
    ("Giulia Conti", "giulia", 4, 0.4),
    ("Henrik Dahl", "henrik", 4, 0.0),
    ("Amélie Laurent", "amelie", 5, 1.1),
    ("Freya Andersen", "freya", 5, 0.9),
    ("李 晓明", "xiaoming.li", 5, 0.8),
    ("Daniel Cohen", "daniel", 5, 0.5),
)
# Name, whose, which team pays, calls on a working day, what it uses.
PROGRAMS = (
    ("Nightly re-index", "omar", 0, 55, "opus"),
    ("Code review", "jonas", 1, 50, "sonnet"),
    ("Ticket triage", "lena", 2, 34, "haiku"),
    ("Invoice reader", "katarzyna", 4, 12, "sonnet"),
)
# The newest first: on days before a model had a price, people used the one before it.
MODELS: dict[str, tuple[str, ...]] = {
    "sonnet": ("anthropic/claude-sonnet-5-5", "anthropic/claude-sonnet-5"),
    "opus": ("anthropic/claude-opus-5-5", "anthropic/claude-opus-5"),
    "haiku": ("anthropic/claude-haiku-5-5", "anthropic/claude-haiku-4-5"),
    "sol": ("openai/gpt-6.2-sol", "openai/gpt-6.1-sol", "openai/gpt-6-sol", "openai/gpt-5.6-sol"),
    "luna": ("openai/gpt-6-luna", "openai/gpt-5.6-luna"),
    "deepseek": ("azure/deepseek-v4-pro",),
}
TASTE = {"sonnet": 44, "opus": 36, "sol": 14, "haiku": 8, "luna": 5, "deepseek": 4}
FAULTS = (("overloaded_error", 5), ("rate_limit_error", 3), ("timeout_error", 2), ("connection_error", 1))


@dataclass
class Company:
    """Who is there: people by the beginning of their e-mail."""

    now: datetime
    teams: list[Team] = field(default_factory=list)
    people: dict[str, User] = field(default_factory=dict)
    tokens: list[AccessToken] = field(default_factory=list)
    credentials: dict[str, UUID] = field(default_factory=dict)

    def of(self, team: int) -> list[User]:
        return [self.people[mail] for _, mail, place, _ in PEOPLE if place == team]


def hired(owner: User, credentials: dict[str, UUID]) -> Company:
    """Everybody, in their teams, and the programs' tokens. `credentials`: the key of each provider."""
    house = Company(now=timezone.now(), credentials=credentials)
    with transaction.atomic():
        house.teams = [Team.objects.create(name=name) for name in TEAMS]
        made = [User(email=f"{mail}@harbour.example", display_name=name) for name, mail, _, _ in PEOPLE]
        for person in made:
            person.set_unusable_password()
        User.objects.bulk_create(made)
        house.people = {person.email.partition("@")[0]: person for person in made}
        Membership.objects.bulk_create(
            [Membership(user=house.people[mail], team=house.teams[team]) for _, mail, team, _ in PEOPLE]
            + [Membership(user=owner, team=house.teams[0], role=Membership.Role.MANAGER)]
        )
        for number, (name, mail, team, _, _) in enumerate(PROGRAMS):
            digest = AccessToken.digest(f"pk-{number}")
            person, pays = house.people[mail], house.teams[team]
            token = AccessToken(
                user=person, name=name, prefix=f"pk-{number}a7", sha256=digest, paying_team=pays
            )
            house.tokens.append(token)
        AccessToken.objects.bulk_create(house.tokens)
    return house


def worked(house: Company, owner: User) -> int:
    """Writes every call into the ledger and its days; returns how many lines."""
    overrides.known()
    lines = list(_Diary(house, owner).lines())
    with transaction.atomic():
        for begin in range(0, len(lines), 2000):
            LedgerLine.objects.bulk_create(lines[begin : begin + 2000], batch_size=400)
        rollup.add(lines)
    return len(lines)


class _Diary:
    """Draws the calls of every day by lot."""

    def __init__(self, house: Company, owner: User) -> None:
        self.house = house
        self.owner = owner
        self.chance = random.Random(SEED)
        self.tariffs: dict[tuple[str, str], tuple[str, Tariff]] = {}

    def lines(self) -> Iterator[LedgerLine]:
        today = self.house.now.replace(hour=0, minute=0, second=0, microsecond=0)
        people = [(self.house.people[mail], self.house.teams[team], much) for _, mail, team, much in PEOPLE]
        people.append((self.owner, self.house.teams[0], 1.1))
        for back in range(DAYS, -1, -1):
            day = today - timedelta(days=back)
            busy = WEEK[day.weekday()] * (0.55 + 0.45 * (DAYS - back) / DAYS) * self.chance.uniform(0.9, 1.1)
            for person, team, much in people:
                yield from self.day_of(person, team, day, much * busy)
            for token, (_, _, place, calls, model) in zip(self.house.tokens, PROGRAMS, strict=True):
                often = calls * max(busy, 0.25) * (4 if back == SPIKE and place == 0 else 1)
                for _ in range(round(often * self.chance.uniform(0.7, 1.3))):
                    at = day + timedelta(hours=self.chance.uniform(1, 22))
                    yield from self.call(token.user, self.house.teams[place], at, "gateway", model, token)

    def day_of(self, person: User, team: Team, day: datetime, much: float) -> Iterator[LedgerLine]:
        """A person's conversations, each with some questions and a title."""
        for _ in range(round(self.chance.gauss(1.3 * much, 0.6 * math.sqrt(much)))):
            at = day + timedelta(hours=min(21.0, max(6.5, self.chance.gauss(13, 2.8))))
            conversation = UUID(int=self.chance.getrandbits(128), version=4)
            model = self.chance.choices(list(TASTE), list(TASTE.values()))[0]
            yield from self.call(person, team, at, "title", "haiku", conversation=conversation)
            for turn in range(1 + min(7, int(self.chance.expovariate(0.5)))):
                at += timedelta(seconds=self.chance.uniform(40, 400))
                yield from self.call(person, team, at, "chat", model, conversation=conversation, turn=turn)

    def call(
        self,
        person: User,
        team: Team,
        at: datetime,
        purpose: str,
        model: str,
        token: AccessToken | None = None,
        conversation: UUID | None = None,
        turn: int = 0,
    ) -> Iterator[LedgerLine]:
        """The lines of one call: at times a failed attempt first, at times cut and corrected later."""
        at += timedelta(microseconds=self.chance.randrange(10**6))
        if at > self.house.now - timedelta(minutes=1):
            return
        ref, tariff = self.tariff(model, at)
        provider, _, name = ref.partition("/")
        fields: dict[str, Any] = {
            "user": person.pk,
            "team": team.pk,
            "token": token.pk if token else None,
            "conversation": conversation,
            "credential": self.house.credentials.get(provider),
            "credential_scope": "team" if provider == "azure" else "organisation",
            "provider": provider,
            "purpose": purpose,
            "call_id": UUID(int=self.chance.getrandbits(128), version=4),
            "accounted_at": at,
            "day": organisation_day(at),
            "model_asked": name,
            "price_source": tariff.source,
            "price_id": tariff.price_id,
        }
        usage, luck, attempt = self.usage(purpose, turn), self.chance.random(), 1
        if luck < 0.014:
            kinds, often = zip(*FAULTS, strict=True)
            error = self.chance.choices(kinds, often)[0]
            yield self.line(fields, Usage(), 0, outcome="failed", error=error, ttft_ms=None)
            if luck < 0.004:
                return
            attempt = 2
        cost = cost_nano(usage, tariff)
        first = round(self.chance.lognormvariate(6.8, 0.45))
        served = {"attempt": attempt, "model_served": name, "ttft_ms": first}
        served["duration_ms"] = first + usage.output_tokens * self.chance.randrange(9, 16)
        if luck < 0.986:
            yield self.line(fields, usage, cost, **served)
        elif luck < 0.993:
            yield self.line(fields, usage, cost, outcome="stopped", **served)
        elif luck < 0.995:
            yield self.line(fields, usage, cost, outcome="refused", **served)
        else:
            cut = {"outcome": "interrupted", "error": "interrupted_stream"} | served
            yield self.line(fields, usage, cost, source="estimated", **cut)
            if luck < 0.998:
                wrong = Usage(output_tokens=-(usage.output_tokens // 3))
                less = -cost_nano(Usage(output_tokens=usage.output_tokens // 3), tariff)
                yield self.line(fields, wrong, less, source="corrected", line=1, **cut)

    def usage(self, purpose: str, turn: int) -> Usage:
        """Titles are short, programs read much from the cache, questions more the longer they go on."""
        chance = self.chance
        if purpose == "title":
            return Usage(input_tokens=chance.randrange(300, 1200), output_tokens=chance.randrange(6, 19))
        big = 11.9 if purpose == "gateway" else 11.5
        prompt = min(199_000 - chance.randrange(9_000), round(chance.lognormvariate(big, 0.4)))
        cached = 0
        if purpose == "gateway" or turn:
            cached = round(prompt * chance.uniform(0.3, 0.93))
        written = round((prompt - cached) * chance.uniform(0.0, 0.8))
        output = round(chance.lognormvariate(9.7 if purpose == "gateway" else 8.9, 0.6))
        return Usage(
            input_tokens=prompt - cached - written,
            output_tokens=output,
            cache_read_input_tokens=cached,
            cache_creation_input_tokens=written,
            cache_creation_5m=written,
            thinking_tokens=output // 3 if chance.random() < 0.4 else 0,
            web_search_requests=chance.choice((1, 2, 3)) if chance.random() < 0.04 else 0,
        )

    def line(self, fields: dict[str, Any], usage: Usage, cost: int, **more: Any) -> LedgerLine:
        counts = {name: getattr(usage, name) for name in LedgerLine.BUCKETS}
        values: dict[str, Any] = {
            "attempt": 1,
            "line": 0,
            "source": "reported",
            "outcome": "completed",
            "duration_ms": 900,
            "vendor_request_id": f"req_{self.chance.getrandbits(80):020x}",
            **fields,
            **counts,
            **more,
        }
        written = values["accounted_at"] + timedelta(milliseconds=values["duration_ms"] + 60)
        return LedgerLine(cost_nano=cost, written_at=written, **values)

    def tariff(self, model: str, at: datetime) -> tuple[str, Tariff]:
        """The newest of these models that had a price then, and its price."""
        key = (model, f"{at:%Y-%m-%d}")
        if key not in self.tariffs:
            for ref in MODELS[model]:
                spec = overrides.spec(ref)
                found = prices.listed(spec, at) if spec is not None else None
                if found is not None:
                    break
            assert found is not None, f"no price of any {model} on {at.astimezone(UTC).date()}"
            self.tariffs[key] = (ref, found)
        return self.tariffs[key]
