"""Looks by the clock at keys and providers, and raises alerts. Each watch may run again at any time.

*Keys*: a team's or the organisation's credential that is marked as invalid or has expired; a credential whose
last ATTEMPTS attempts of the day were refused because the account behind it cannot pay; the environment's key
where they were refused for the account or the key. Told when it begins and again only after it was over, once
a day at most. A person's own key is that person's affair.

*Providers*: health_figures.degradation of the last minutes against the last day, of a key that is not itself
refused. Told once a day for each provider.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse

from accounts.keys import credentials
from accounts.models import Credential
from usage.alerts.alerts import raise_alert
from usage.alerts.delivery import deliver
from usage.clock import database_now, organisation_day
from usage.health import health
from usage.health.figures import LEAST_CALLS, RECENT, Figures, Place, attempts, degradation, figures, id_text
from usage.models import Alert

ATTEMPTS = 3
DAY = timedelta(hours=24)
REFUSED_KEY, REFUSED_ACCOUNT = "authentication_error", "billing_error"
WHY = {
    REFUSED_KEY: "The provider refuses the key.",
    REFUSED_ACCOUNT: "The account at the provider cannot pay, or its spend limit is reached.",
}
ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class _Failing:
    """One way to a provider that does not work now."""

    place: Place
    title: str
    body: str
    link: str

    @property
    def subject(self) -> str:
        return "/".join(self.place)


def keys() -> None:
    """Every key that serves more than one person."""
    now = database_now()
    failing = {one.subject: one for one in _failing(now)}
    known = Alert.objects.filter(kind=Alert.Kind.CREDENTIAL, over_at=None)
    known.exclude(subject__in=failing).update(over_at=now)
    told = set(known.values_list("subject", flat=True))
    raised = [
        raise_alert(
            kind=Alert.Kind.CREDENTIAL,
            subject=subject,
            period=f"{organisation_day(now)}",
            title=one.title,
            body=one.body,
            link=one.link,
        )
        for subject, one in failing.items()
        if subject not in told
    ]
    if any(raised):
        deliver()


def providers() -> None:
    """Every provider that was asked lately."""
    now = database_now()
    if attempts(now - RECENT)[:LEAST_CALLS].count() < LEAST_CALLS:
        return
    whole, recent = figures(now, DAY)
    refused = {one.place for one in _failing(now)}
    raised = False
    for place, lately in sorted(recent.items()):
        worse = degradation(lately, whole.get(place, Figures()))
        if worse and place not in refused:
            raised |= _tell_provider(place[0], worse, now)
    if raised:
        deliver()


def _tell_provider(provider: str, worse: str, now: datetime) -> bool:
    label = health.label(provider)
    alert = raise_alert(
        kind=Alert.Kind.PROVIDER,
        subject=provider,
        period=f"{organisation_day(now)}",
        title=f"{label} became worse",
        body=(
            f"In the last {RECENT.seconds // 60} minutes: {worse}. Calls go on with another key or a "
            "fallback model where there is one. It is not told again today."
        ),
        link=f"{reverse('usage:health')}?period=hour",
    )
    return alert is not None


def _failing(now: datetime) -> Iterator[_Failing]:
    shared = Credential.objects.for_calls().filter(person=None).exclude(state=Credential.State.REVOKED)
    rows = {str(row.pk): row for row in shared.select_related("team")}
    for row in rows.values():
        why = _stored_trouble(row, now)
        if why:
            yield _of_row(row, why)
    for place, kind in _refused(now):
        stored = rows.get(place[1])
        if stored is not None:
            if kind == REFUSED_ACCOUNT and not _stored_trouble(stored, now):
                yield _of_row(stored, WHY[kind])
        elif place[1] == ENVIRONMENT:
            label = health.label(place[0])
            yield _Failing(
                place,
                f"The key from the environment for {label} does not work",
                f"{WHY[kind]} The last {ATTEMPTS} attempts met with this. Whoever runs this server can "
                "change the key.",
                f"{reverse('usage:health')}?{urlencode({'provider': place[0], 'key': place[1]})}",
            )


def _stored_trouble(row: Credential, now: datetime) -> str:
    if row.state == Credential.State.INVALID:
        return row.last_error or "The provider refuses it."
    return credentials.EXPIRED if row.has_expired(now) else ""


def _of_row(row: Credential, why: str) -> _Failing:
    thing = "login" if row.is_grant else "key"
    whose = f"The {thing} of the team {row.team.name}" if row.team is not None else f"The {thing}"
    name = f"“{row.label}”" if row.label else f"ending in {row.hint}" if row.hint else ""
    act = "Connect it again" if row.is_grant else "Enter a new one"
    return _Failing(
        (row.provider, str(row.pk)),
        " ".join(f"{whose} {name} for {health.label(row.provider)} does not work".split()),
        f"{why} Until then calls that need it fail. {act} under Manage, Keys.",
        reverse("accounts:keys"),
    )


def _refused(now: datetime) -> Iterator[tuple[Place, str]]:
    """The places whose last ATTEMPTS attempts of the day were refused, and the last refusal's kind."""
    today = attempts(now - DAY).order_by()
    refusals = today.filter(outcome="failed", error__in=WHY).exclude(credential_scope="person")
    places = refusals.values_list("provider", "credential", "credential_scope").distinct()
    for provider, credential, scope in places:
        same = today.filter(
            Q(credential=credential) if credential else Q(credential=None, credential_scope=scope)
        )
        newest = same.filter(provider=provider).order_by("-accounted_at", "-id")
        last = list(newest.values_list("error", flat=True)[:ATTEMPTS])
        if len(last) == ATTEMPTS and all(error in WHY for error in last):
            yield (provider, id_text(credential) or scope), last[0]
