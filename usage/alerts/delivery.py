"""Brings alerts to those who are to be told: by mail and to webhooks, at least once each.

An alert is committed before anybody is told, its deliveries are rows before anything is sent, and a delivery
is claimed before it is tried: whatever is lost in between is found again. One claim is one attempt; a claim
that comes to nothing, because its process was lost, runs out after CLAIM. A failed attempt is made again
after each of PAUSES, or later where the receiver asked for that, and given up after the last.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from smtplib import SMTPException
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from accounts.mail import stored as mail
from accounts.models import Organisation
from accounts.sealing.sealing import SealBroken
from providers import outbound
from providers.access import Secret
from usage import letters
from usage.alerts import webhooks
from usage.alerts.settings import wishes
from usage.alerts.webhook_post import Answer, body_of, post
from usage.clock import database_now
from usage.models import Alert, Delivery, Webhook
from usage.models.alert import ERROR_LENGTH

PAUSES = tuple(
    timedelta(minutes=minutes) for minutes in (0.5, 2, 10, 30, 60, 120, 240, 480, 480)
)  # 10 attempts within a day
JITTER = 0.1  # of a pause, added at random
CLAIM = timedelta(minutes=5)  # longer than AT_ONCE attempts take
AT_ONCE = 10
GONE = "It answered 410: gone. It was switched off."
OFF = "The webhook was switched off or removed."
NO_ADMIN = "This is no longer the address of an owner or admin."

UNSIGNED = "Its secret cannot be opened any more. Make a new one."
NO_MAIL = "This server can no longer send mail: no mail server is set up."
SETTINGS = "Manage, Alerts, Settings"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Message:
    """What is posted for a delivery; `refused` where that is known to be in vain."""

    row: Delivery
    url: str = ""
    body: bytes = b""
    keys: Sequence[Secret] = ()
    refused: Answer | None = None


def deliver() -> None:
    """Sends everything that waits and is due. Several processes may do so at once."""
    route()
    while claimed := _claim(Delivery.objects.all()):
        _send(claimed)


def deliver_one(delivery_id: UUID) -> Delivery:
    """Sends this one now, if it is due and nobody else is at it; returns what became of it."""
    _send(_claim(Delivery.objects.filter(pk=delivery_id)))
    return Delivery.objects.select_related("alert").get(pk=delivery_id)


def make_due(delivery_id: UUID) -> bool:
    """A delivery that was given up waits anew, from the first attempt on; a long pause ends now. False where
    there is nothing of this to be done.
    """
    now = database_now()
    one = Delivery.objects.filter(pk=delivery_id)
    given_up = one.filter(state=Delivery.State.FAILED)
    if given_up.update(state=Delivery.State.WAITING, attempts=0, next_at=now, ended_at=None):
        return True
    # What is due sooner may be an attempt that is under way.
    pausing = one.filter(state=Delivery.State.WAITING, next_at__gt=now + CLAIM)
    return pausing.update(next_at=now) == 1


def route() -> None:
    """Makes the deliveries of the alerts that have none yet, for those who want them now."""
    unrouted = list(Alert.objects.unrouted().order_by("id"))
    if not unrouted:
        return
    wished = wishes()
    hooks = list(Webhook.objects.filter(enabled=True).defer("secret", "previous"))
    people = list(letters.admins()) if mail.is_set_up() else []
    addresses = [person.email for person in people if wished.mails(person.pk)]
    for alert in unrouted:
        mailed = addresses if alert.kind in wished.mail_kinds else []
        told = [
            Delivery(alert=alert, channel=Delivery.Channel.MAIL, target=address) for address in mailed
        ] + [
            Delivery(
                alert=alert,
                channel=Delivery.Channel.WEBHOOK,
                target=str(hook.pk),
                webhook=hook,
                name=hook.name,
            )
            for hook in hooks
            if hook.hears(alert.kind)
        ]
        with transaction.atomic():
            if Alert.objects.unrouted().filter(pk=alert.pk).update(routed_at=database_now()):
                Delivery.objects.bulk_create(told, ignore_conflicts=True)


def _claim(among: QuerySet[Delivery]) -> list[Delivery]:
    """Those of them that are due and that nobody else has claimed, AT_ONCE at most, with what they are of."""
    now, mine = database_now(), []
    due = among.filter(state=Delivery.State.WAITING, next_at__lte=now).order_by("next_at", "id")
    for row in due.select_related("alert", "webhook")[:AT_ONCE]:
        unclaimed = due.filter(pk=row.pk, attempts=row.attempts).order_by()
        if unclaimed.update(attempts=row.attempts + 1, next_at=now + CLAIM):
            row.attempts += 1
            mine.append(row)
    return mine


def _send(claimed: Sequence[Delivery]) -> None:
    hooks = [row for row in claimed if row.channel == Delivery.Channel.WEBHOOK]
    if hooks:
        for row, answer in async_to_sync(_post_all)(_messages(hooks)):
            _note(row, answer)
    away = ""
    for row in claimed:
        if row.channel == Delivery.Channel.MAIL:
            answer, away = (Answer(error=away), away) if away else _mail(row)
            _note(row, answer)


def _messages(hooks: Sequence[Delivery]) -> list[_Message]:
    organisation = Organisation.current()
    name = organisation.name if organisation is not None else ""
    return [_message(row, name) for row in hooks]


def _message(row: Delivery, organisation: str) -> _Message:
    hook = row.webhook
    if hook is None or not hook.enabled:
        return _Message(row, refused=Answer(error=OFF, gone=True))
    try:
        keys = webhooks.keys_of(hook)
    except SealBroken:
        keys = []
    if not keys:
        return _Message(row, refused=Answer(error=UNSIGNED))
    return _Message(row, hook.url, body_of(row.alert, organisation), keys)


async def _post_all(messages: Sequence[_Message]) -> list[tuple[Delivery, Answer]]:
    """All at once."""
    answers = await asyncio.gather(*map(_post, messages))
    return [(message.row, answer) for message, answer in zip(messages, answers, strict=True)]


async def _post(message: _Message) -> Answer:
    if message.refused is not None:
        return message.refused
    try:
        return await post(message.url, str(message.row.alert_id), message.body, message.keys)
    except Exception as error:  # one receiver's address must not keep the others from their news
        log.warning("Delivery %s could not be sent: %s", message.row.pk, type(error).__name__)
        return Answer(error=outbound.NOT_REACHED)


def _mail(row: Delivery) -> tuple[Answer, str]:
    """What became of it, and why no other letter can be sent now either, "" where they may be."""
    if not mail.is_set_up():
        return Answer(error=NO_MAIL), NO_MAIL
    if not letters.admins().filter(email=row.target).exists():
        return Answer(error=NO_ADMIN, gone=True), ""
    alert = row.alert
    lines = [alert.body]
    if alert.link:
        lines.append("See it here: " + letters.address(alert.link, "Manage, Alerts"))
    lines.append("Which alerts come by mail: " + letters.address(reverse("usage:alert_settings"), SETTINGS))
    try:
        letters.send(alert.title, lines, [row.target])
    except Exception as error:  # whatever ails the mail server, it is tried again
        # Its own words may hold addresses, or what was sent to it.
        why = f"The mail server did not take it ({type(error).__name__})."
        unreachable = isinstance(error, OSError) and not isinstance(error, SMTPException)
        return Answer(error=why), why if unreachable else ""
    return Answer(), ""


def _note(row: Delivery, answer: Answer) -> None:
    """Stores the end of a claimed attempt, unless the claim ran out and somebody else has claimed it."""
    now = database_now()
    mine = Delivery.objects.filter(pk=row.pk, state=Delivery.State.WAITING, attempts=row.attempts)
    if not answer.error:
        mine.update(state=Delivery.State.SENT, ended_at=now, error="")
        return
    log.warning("Delivery %s, attempt %d: %s", row.pk, row.attempts, answer.error)
    error = answer.error[:ERROR_LENGTH]
    if answer.gone or row.attempts > len(PAUSES):
        mine.update(state=Delivery.State.FAILED, ended_at=now, error=error)
    else:
        pause = PAUSES[row.attempts - 1] * (1 + JITTER * random.random())  # noqa: S311 - no secret
        mine.update(next_at=now + max(pause, timedelta(seconds=answer.wait)), error=error)
    if answer.gone and row.webhook is not None and row.webhook.enabled:
        webhooks.end(webhook=row.webhook, trouble=GONE)
