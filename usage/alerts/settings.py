"""How this organisation is told of alerts: thresholds of budgets, kinds that go by mail, and who wants it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from accounts.audit import audit
from accounts.audit.audit import Verb
from usage.models import Alert, AlertSettings
from usage.models.alert import THRESHOLDS, known_kinds

MOST_THRESHOLDS = 6
HIGHEST = 200  # percent: budgets that warn, or go on with a cheaper model, can be passed
MAILED = [kind for kind in Alert.Kind.values if kind != Alert.Kind.TEST]


@dataclass(frozen=True, slots=True)
class Wishes:
    """`thresholds` in percent, ascending. `unmailed` are the ids of admins who want no mail."""

    thresholds: tuple[int, ...]
    mail_kinds: frozenset[str]
    unmailed: frozenset[str]

    def mails(self, person: UUID) -> bool:
        return str(person) not in self.unmailed


def wishes() -> Wishes:
    """What was set, or what is usual. One query."""
    return _wishes(AlertSettings.objects.first() or AlertSettings(thresholds=THRESHOLDS, mail_kinds=MAILED))


def change(*, by: UUID, thresholds: Iterable[int], mail_kinds: Iterable[str], mail_me: bool) -> None:
    """Sets what counts for everybody, and whether this admin gets mail; the others' wish stays."""
    with transaction.atomic():
        AlertSettings.objects.get_or_create(
            only=True, defaults={"thresholds": THRESHOLDS, "mail_kinds": MAILED}
        )
        row = AlertSettings.objects.select_for_update().get()
        before = _facts(row, by)
        row.thresholds = sorted(set(thresholds))
        row.mail_kinds = known_kinds(list(mail_kinds))
        others = [person for person in row.unmailed if person != str(by)]
        row.unmailed = others if mail_me else [*others, str(by)]
        row.save()
        old, new = audit.changed(before, _facts(row, by))
        if new:
            audit.record(Verb.ALERTS_CHANGED, actor=by, kind="alerts", before=old, after=new)


def _facts(row: AlertSettings, by: UUID) -> dict[str, object]:
    """What the audit log says of it: what counts for everybody, and this admin's own wish."""
    return {
        "thresholds": list(row.thresholds),
        "mailed": sorted(row.mail_kinds),
        "mail_to_themselves": str(by) not in row.unmailed,
    }


def _wishes(row: AlertSettings) -> Wishes:
    return Wishes(tuple(row.thresholds), frozenset(row.mail_kinds), frozenset(row.unmailed))
