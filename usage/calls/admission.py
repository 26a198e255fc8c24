"""What happens before a vendor is asked, in one transaction: right, ability, routes, prices, budgets, hold.

The hold covers the dearest of the routes on which the call may go, and names the price of each: which one
answers is not known yet, and a price that changes meanwhile changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection

from accounts.keys import credentials
from accounts.keys.credentials import CredentialChoice
from accounts.policies.features import Feature
from accounts.policies.standing import Standing
from providers.abilities import must_be_able
from providers.catalogue import ModelSpec
from providers.errors import Unsupported
from providers.fitting import fitted
from providers.types import MessageRequest
from usage import policy, rows
from usage.budgets import budgets
from usage.budgets.demands import Demand, Option
from usage.caller import Caller
from usage.calls.routes import HeldRoute, Way, held_route
from usage.clock import database_now
from usage.errors import CallRefused, DuplicateCall
from usage.estimates import Size
from usage.models import Hold
from usage.prices import prices
from usage.prices.pricing import Tariff

LEASE = timedelta(seconds=settings.HOLD_SECONDS)
MOST_WAYS = 8
NOBODYS = ""  # whose credential it is where no key is asked for
LEAST_ANSWER = 1024  # tokens; nothing is shortened below that


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that asks to be admitted.

    `hold_id` is drawn before, so that a second run recognises the first. `fallbacks` are the models to ask
    after `spec`. `request` may go to any account, or to `only_account` alone; on every other way, and to any
    other model, `without_thinking` is sent instead of it, where there is one. The budgets in `past` may be
    overrun, by a call that is bound to cost less than `cheaper_than` nano-dollars, where that is given.
    """

    hold_id: UUID
    call_id: UUID
    caller: Caller
    spec: ModelSpec
    request: MessageRequest
    size: Size
    purpose: str
    fallbacks: tuple[ModelSpec, ...] = ()
    only_account: str | None = None
    without_thinking: MessageRequest | None = None
    past: frozenset[UUID] = frozenset()
    cheaper_than: int | None = None


class NotCheaper(Exception):
    """The model that was to answer for less would cost as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """An open hold, and the ways on which the call may go: at least one, in the order of trying."""

    hold: Hold
    ways: tuple[Way, ...]


def admit(asked: Asked) -> Admitted:
    """Writes the hold of a call. To be run in the writer's transaction, which commits before the vendor is
    asked.

    Raises CallRefused, NotCheaper; DuplicateCall when the call id was used before. Safe to run again.
    """
    caller = asked.caller
    standing = policy.may_use(caller.user_id, asked.spec, asked.request, team=caller.team_id)
    try:
        must_be_able(asked.request, asked.spec)
    except Unsupported as unable:
        raise CallRefused("unsupported", unable.safe_message) from None
    now, is_known = _looked_up(asked.call_id)
    ways: list[Way] = []
    tariffs: list[Tariff] = []
    for way, tariff in _ways(asked, standing, now):
        ways.append(replace(way, index=len(ways)))
        tariffs.append(tariff)
        if len(ways) == MOST_WAYS:
            break
    demand = _demand(asked, ways, tariffs)
    if asked.cheaper_than is not None and demand.bound_nano >= asked.cheaper_than:
        raise NotCheaper
    if is_known:
        return _admitted_before(asked, ways)
    hold = _hold(asked, ways, tariffs, demand, now)
    if rows.insert(hold, otherwise="ON CONFLICT (call_id) DO NOTHING"):
        credentials.mark_used(ways[0].choice.id)
        return Admitted(hold=hold, ways=tuple(ways))
    admitted = _admitted_before(asked, ways)
    budgets.give_back(hold.budget_lines)
    return admitted


def admit_or_refuse(asked: Asked) -> Admitted | CallRefused:
    """As admit, but returns the refusal of a budget, and that for want of a key, so that what it found out is
    committed: the first count of a period may have read a whole month, and a key whose seal is broken was
    marked.
    """
    try:
        return admit(asked)
    except CallRefused as refused:
        if refused.detail is None and refused.code != "no_credential":
            raise
        return refused


def _looked_up(call_id: UUID) -> tuple[datetime, bool]:
    """The database's time, and whether the call id was used before; if it is used later, the hold is met."""
    table, key = rows.quoted(Hold._meta.db_table), rows.prepared(Hold, "call_id", call_id)
    known = rows.Statement(f"SELECT id FROM {table} WHERE call_id = %s", [key])  # noqa: S608
    if connection.vendor != "postgresql":
        return database_now(), bool(rows.together([known])[0].found)
    time, found = rows.together([rows.Statement("SELECT clock_timestamp()"), known])
    now: datetime = time.found[0][0]
    return now, bool(found.found)


def _admitted_before(asked: Asked, ways: list[Way]) -> Admitted:
    """What a first run of this work has written. Raises DuplicateCall where it was another call's."""
    earlier = Hold.objects.get(call_id=asked.call_id)
    if earlier.pk != asked.hold_id:
        raise DuplicateCall(asked.call_id)
    return Admitted(hold=earlier, ways=_still_held(earlier, ways))


def _still_held(hold: Hold, ways: list[Way]) -> tuple[Way, ...]:
    """Of the ways found by a second run, those that the first run's hold names under the same number."""
    held = []
    for way in ways:
        route = held_route(hold, way.index)
        if (route.provider, route.model, route.credential) != (way.spec.provider, way.spec.id, way.choice.id):
            break
        held.append(way)
    if not held:
        raise DuplicateCall(hold.call_id)
    return tuple(held)


def _ways(asked: Asked, standing: Standing, now: datetime) -> Iterator[tuple[Way, Tariff]]:
    """The ways in order, each with its price. What is wrong with the model asked for is raised, another model
    that cannot be used is passed over.
    """
    own = _credentials(asked)
    tariff = prices.tariff(asked.spec, asked.request, asked.size, now)
    _may_be_so_long(asked, standing, asked.spec, tariff)
    for way in own:
        yield way, tariff
    owner = _owner(own[0].choice)
    stripped = asked.without_thinking
    if stripped is None and asked.only_account is not None:
        return
    for spec in asked.fallbacks:
        base = stripped if stripped is not None else asked.request
        request = replace(fitted(base, spec), model=spec.id)
        if asked.size.likely > spec.context:
            continue
        try:
            policy.must_be_allowed(standing, spec, request)
            must_be_able(request, spec)
            tariff = prices.tariff(spec, request, asked.size, now)
            _may_be_so_long(asked, standing, spec, tariff)
        except (CallRefused, Unsupported):
            continue
        for choice in _choices(asked, spec):
            theirs = _owner(choice)
            owner = owner or theirs  # a call that began without a key has no owner yet
            if theirs in (owner, NOBODYS):
                yield Way(index=0, spec=spec, choice=choice, request=request, whole=stripped is None), tariff


def _may_be_so_long(asked: Asked, standing: Standing, spec: ModelSpec, tariff: Tariff) -> None:
    """Raises CallRefused for a prompt that is likely to be charged as a long one, where that is refused."""
    above = tariff.long_context_above if tariff.long_context is not None else None
    if above is not None and asked.size.likely > above:
        policy.must_allow(standing, spec, Feature.LONG_CONTEXT)


def _credentials(asked: Asked) -> list[Way]:
    """The ways to the model asked for: the credentials of the first owner who has one, in the order person,
    team, organisation, environment; those of the account that thinking is bound to come first.
    """
    caller, spec = asked.caller, asked.spec
    choices = _choices(asked, spec)
    if not choices:
        reason = credentials.blocked_reason(caller.user_id, caller.team_id, spec.provider)
        raise CallRefused("no_credential", reason)
    whole = replace(asked.request, model=spec.id)
    stripped = asked.without_thinking
    bound, others = [], []
    for choice in choices:
        if choice.scope != choices[0].scope:
            break
        account = choice.access.vendor_account
        # Where the vendor has not said whose the credential is, it may be the right one.
        if not asked.only_account or not account or account == asked.only_account:
            bound.append(Way(index=0, spec=spec, choice=choice, request=whole, whole=True))
        elif stripped is not None:
            request = replace(stripped, model=spec.id)
            others.append(Way(index=0, spec=spec, choice=choice, request=request, whole=False))
    if not bound and not others:
        raise CallRefused(
            "no_credential",
            f"This conversation holds thinking that belongs to another {spec.provider} account than that of "
            "the present key.",
        )
    return bound + others


def _choices(asked: Asked, spec: ModelSpec) -> list[CredentialChoice]:
    """Of a pool of keys the calls of one conversation use the same one. A second run finds the same order."""
    caller = asked.caller
    spread_by = caller.conversation_id or asked.call_id
    return credentials.for_call(caller.user_id, caller.team_id, spec.provider, spread_by=spread_by)


def _owner(choice: CredentialChoice) -> str:
    """Whose credential it is; the operator's are the organisation's."""
    if choice.access.kind == "none":
        return NOBODYS
    return "organisation" if choice.scope == "environment" else choice.scope


def _hold(asked: Asked, ways: list[Way], tariffs: list[Tariff], demand: Demand, now: datetime) -> Hold:
    caller = asked.caller
    routes = [_held(asked, way, tariff) for way, tariff in zip(ways, tariffs, strict=True)]
    first = routes[0]
    return Hold(
        id=asked.hold_id,
        call_id=asked.call_id,
        user=caller.user_id,
        team=caller.team_id,
        project=caller.project_id,
        conversation=caller.conversation_id,
        run=caller.run_id,
        token=caller.token_id,
        credential=first.credential,
        credential_scope=first.credential_scope,
        provider=first.provider,
        model=first.model,
        purpose=asked.purpose,
        amount_nano=demand.bound_nano,
        budget_lines=_budget_lines(asked, demand, now),
        tariff=first.tariff.to_json(),
        prompt_tokens=first.prompt_tokens,
        max_tokens=first.max_tokens,
        routes=[route.to_json() for route in routes[1:]],
        opened_at=now,
        renewed_until=now + LEASE,
    )


def _held(asked: Asked, way: Way, tariff: Tariff) -> HeldRoute:
    return HeldRoute(
        provider=way.spec.provider,
        model=way.spec.id,
        credential=way.choice.id,
        credential_scope=way.choice.scope,
        tariff=tariff,
        prompt_tokens=min(asked.size.likely, way.spec.context),
        max_tokens=way.request.max_tokens,
    )


def _demand(asked: Asked, ways: list[Way], tariffs: list[Tariff]) -> Demand:
    options = (
        Option(spec=way.spec, tariff=tariff, max_tokens=way.request.max_tokens)
        for way, tariff in zip(ways, tariffs, strict=True)
    )
    return Demand(asked.size, tuple(options))


def _budget_lines(asked: Asked, demand: Demand, now: datetime) -> list[budgets.Line]:
    """Raises CallRefused ("over_budget"), with what the call would have to be to fit."""
    try:
        return budgets.admit(asked.caller, demand.amount, now, past=asked.past)
    except CallRefused as refused:
        if refused.detail is not None:
            thinking = (asked.request.thinking or {}).get("budget_tokens")
            fits = demand.longest_within(
                refused.detail.room,
                refused.detail.measure,
                least=LEAST_ANSWER + (thinking if isinstance(thinking, int) else 0),
                most=asked.request.max_tokens - 1,
            )
            refused.detail = replace(refused.detail, fits=fits, bound_nano=demand.bound_nano)
        raise
