"""How providers and credentials fare: figures of real calls, and how this process treats each of them now.

What the figures mean: usage.health.figures. The state of breakers, cool-downs and queues is that of the
process that is asked; each process learns for itself, and forgets when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db.models import Count, Max

from accounts.keys import checking, credentials
from accounts.keys.credentials import CredentialChoice
from accounts.models import Credential, User
from providers import registry
from providers.errors import AuthenticationError, ProviderError
from providers.resilience import Guard, Snapshot, everywhere
from usage.health.figures import FAILED, Figures, Place, attempts, degradation, figures, id_text
from usage.models import Hold, LedgerLine

PERIODS: dict[str, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(hours=24),
    "week": timedelta(days=7),
}
LISTED = 50
# Credentials without a row, by where they come from.
NAMES = {"environment": "Key from the environment", "demo": "Built in", "organisation": "No key needed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A call that failed."""

    at: datetime
    kind: str
    model: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One credential of one provider. `now` is how this process stands towards it, None when it has not asked
    it yet; `may_try`: whoever looks may have the provider asked about it.
    """

    provider: str
    label: str
    place: str
    name: str
    figures: Figures
    degraded: str
    last_fault: Fault | None
    open_calls: int
    now: Snapshot | None
    may_try: bool


def overview(person: User, period: str, now: datetime) -> list[Row]:
    """Every credential with calls in the period, or one that is in use or in trouble now, provider by
    provider. Four queries. Only credentials that this person may manage are called by their names.
    """
    whole, recent = figures(now, PERIODS[period])
    faults = _last_faults(now - PERIODS[period])
    under_way = _open_calls()
    states = _states()
    places = {*whole, *under_way, *(place for place, state in states.items() if not is_well(state))}
    ids = [one for one in map(_uuid, places) if one is not None]
    named = {str(row.pk): row for row in Credential.objects.for_user(person).filter(pk__in=ids)}
    listed = [
        Row(
            provider=place[0],
            label=label(place[0]),
            place=place[1],
            name=_name(place[1], named.get(place[1])),
            figures=whole.get(place, Figures()),
            degraded=degradation(recent.get(place, Figures()), whole.get(place, Figures())),
            last_fault=faults.get(place),
            open_calls=under_way.get(place, 0),
            now=states.get(place),
            may_try=place[1] in named or place[1] in NAMES,
        )
        for place in places
    ]
    return sorted(listed, key=lambda row: (row.label, -row.figures.calls, row.place))


def calls(place: Place, period: str, now: datetime, *, only_failed: bool) -> list[LedgerLine]:
    """The newest LISTED calls that the figures of this credential count, or those of them that failed."""
    credential = _uuid(place)
    lines = attempts(now - PERIODS[period]).filter(provider=place[0], credential=credential)
    if credential is None:
        lines = lines.filter(credential_scope=place[1])
    if only_failed:
        lines = lines.filter(FAILED)
    return list(lines.order_by("-accounted_at", "-id")[:LISTED])


def try_now(person: User, place: Place) -> str | None:
    """Asks the provider, for free, whether this credential works, and lets calls through again if it does.

    Returns "" when it does, else why not; None when there is no such credential for this person. Waits that
    the provider asked for end either way: the next call is the probe.
    """
    credential_id = _uuid(place)
    if credential_id is not None:
        row = Credential.objects.for_user(person).filter(pk=credential_id, provider=place[0]).first()
        check = partial(checking.check_again, row) if row is not None else None
    else:
        choice = _keyless(person, place)
        check = partial(_checked, choice) if choice is not None else None
    if check is None:
        return None
    guards = guards_of(place)
    for guard in guards:
        guard.try_again()
    why = check()
    for guard in guards:
        if not why:
            guard.breaker.close()
    return why


def label(provider: str) -> str:
    """The provider's name; its slug when it is not known any more."""
    known = registry.provider(provider)
    return known.label if known is not None else provider


def guards_of(place: Place) -> list[Guard]:
    """This process's guards of a credential, at whatever address."""
    return [one for one in everywhere() if (one.key.provider, one.key.credential) == place]


def is_well(state: Snapshot) -> bool:
    """Whether nothing keeps calls from this credential."""
    return state.state == "closed" and not state.cooling and not state.waiting


def _keyless(person: User, place: Place) -> CredentialChoice | None:
    """The way to a provider for which there is no row: with the environment's key, or none."""
    if registry.provider(place[0]) is None:
        return None
    found = credentials.for_call(person.pk, None, place[0])
    return next((one for one in found if one.id is None and one.scope == place[1]), None)


def _checked(choice: CredentialChoice) -> str:
    try:
        async_to_sync(registry.adapter(choice.provider).check)(choice.access)
    except AuthenticationError as error:
        return error.safe_message
    except ProviderError as error:
        return checking.advice(error, choice.provider)
    return ""


def _last_faults(since: datetime) -> dict[Place, Fault]:
    """The newest failed call of each credential. One query."""
    failed = attempts(since).filter(FAILED).order_by()
    newest = failed.values("provider", "credential", "credential_scope").annotate(newest=Max("id"))
    return {
        (line.provider, id_text(line.credential) or line.credential_scope): Fault(
            at=line.written_at,
            kind=line.error,
            model=line.model_asked,
            request_id=line.vendor_request_id,
        )
        for line in LedgerLine.objects.filter(pk__in=newest.values("newest"))
    }


def _open_calls() -> dict[Place, int]:
    """How many calls that began with each credential are under way, in all processes. One query."""
    found: dict[Place, int] = {}
    holds = Hold.objects.filter(state=Hold.State.OPEN).order_by()
    for held in holds.values("provider", "credential", "credential_scope").annotate(count=Count("pk")):
        found[held["provider"], id_text(held["credential"]) or held["credential_scope"]] = held["count"]
    return found


def _states() -> dict[Place, Snapshot]:
    """Of several guards of one credential, whose address was changed, the one in trouble counts."""
    snapshots = sorted((one.snapshot() for one in everywhere()), key=lambda state: not is_well(state))
    return {(state.key.provider, state.key.credential): state for state in snapshots}


def _uuid(place: Place) -> UUID | None:
    try:
        return UUID(place[1])
    except ValueError:
        return None


def _name(place: str, row: Credential | None) -> str:
    if row is not None:
        return row.label or f"Key ending in {row.hint}"
    return NAMES.get(place, "A key of somebody's own")
