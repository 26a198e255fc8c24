"""Seals everything under newer keys, while the servers run.

    master   every data key is wrapped anew by the first of the given master keys; what they seal stays
    data     a new data key is made, and every sealed value is sealed anew with it; the old one is removed
             when nothing stands under it any more

Each step is one conditional write of one row, which leaves the row whole whenever the process is killed: what
was written opens, what was not still stands under a key that is still there. So a rotation that was cut short
is finished by the next one, two at once do no harm, and a value that somebody changes meanwhile stays as they
wrote it. A new wrap or seal is opened and compared before the old one is overwritten.

Every server must have been given the new master key before a master rotation begins: docs/keys.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import BinaryField, F, Func
from django.utils import timezone

from accounts.audit import audit
from accounts.audit import chain as audit_chain
from accounts.audit.audit import Verb
from accounts.models import DataKey
from accounts.sealing import places as sealed_places
from accounts.sealing import sealing
from accounts.sealing.places import SealedPlace
from accounts.sealing.sealing import SealBroken, SealedField

BATCH = 100  # values read at once; each is written by itself
# A value that was sealed just before its key retired is stored within this time: no transaction takes longer.
GRACE = timedelta(minutes=10)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Report:
    """What a rotation did. `unopened` names the values that do not open, which keep their old data key."""

    wrapped: int = 0
    resealed: int = 0
    finished_earlier: bool = False
    removed: int = 0
    waiting: int = 0
    unopened: list[str] = field(default_factory=list)


def rotate_master() -> Report:
    """Wraps every data key anew that another master key than the first wraps, and signs the audit log's
    checkpoints anew. Raises KeysMissing when one does not unwrap.
    """
    report = Report()
    for row in DataKey.objects.order_by("id"):
        report.wrapped += _wrap_anew(row)
    audit_chain.sign_anew()
    if report.wrapped:
        _record("master", report.wrapped)
    return report


def rotate_data() -> Report:
    """Makes a new data key and seals every value with it. Where an earlier rotation was cut short, that one
    is finished, with the data key that it had made.
    """
    report = Report()
    report.resealed, report.unopened = _reseal_everything()
    if report.resealed:
        report.finished_earlier = True
    else:
        _make_active()
        report.resealed, report.unopened = _reseal_everything()
    _record("data", report.resealed)
    _remove(report)
    return report


def finish() -> Report:
    """Seals what still stands under a retired data key, and removes the retired ones that nothing stands
    under. Done by the clock as well: a value may be stored shortly after its key retired.
    """
    report = Report()
    if DataKey.objects.filter(state=DataKey.State.RETIRED).exists():
        report.resealed, report.unopened = _reseal_everything()
        _remove(report)
    return report


def _wrap_anew(row: DataKey) -> bool:
    """Whether this process wrote the new wrap."""
    first = settings.MASTER_KEYS[0]
    if row.master_key == sealing.master_key_name(first):
        return False
    key = sealing.unwrap(row)
    new = DataKey(
        id=row.id, wrapped=sealing.wrap(key, row.id, first), master_key=sealing.master_key_name(first)
    )
    if sealing.unwrap(new) != key:
        raise sealing.SealBroken
    unchanged = DataKey.objects.filter(pk=row.pk, wrapped=bytes(row.wrapped))
    return unchanged.update(wrapped=new.wrapped, master_key=new.master_key) == 1


def _make_active() -> None:
    """A new data key seals from now on; the one before it retires."""
    with transaction.atomic():
        retiring = DataKey.objects.filter(state=DataKey.State.ACTIVE)
        retiring.update(state=DataKey.State.RETIRED, retired_at=timezone.now())
        try:
            with transaction.atomic():
                sealing.new_data_key().save(force_insert=True)
        except IntegrityError:  # another rotation was first: its key seals
            log.info("Another rotation has made a data key")


def _reseal_everything() -> tuple[int, list[str]]:
    """Seals every value that stands under another data key than the active one; how many, and what of the
    rest does not open.
    """
    sealed, unopened = 0, []
    for place in places():
        done = place.reseal(BATCH)
        while done:
            sealed += done
            done = place.reseal(BATCH)
        retired = DataKey.objects.filter(state=DataKey.State.RETIRED)
        if left := sum(place.under(row.id) for row in retired):
            unopened.append(f"{left} of {place.name}")
    return sealed, unopened


def _remove(report: Report) -> None:
    """Removes the data keys that retired long enough ago and under which nothing stands."""
    for row in DataKey.objects.filter(state=DataKey.State.RETIRED):
        if any(place.under(row.id) for place in places()):
            continue
        if row.retired_at is not None and row.retired_at > timezone.now() - GRACE:
            report.waiting += 1
            continue
        report.removed += DataKey.objects.filter(pk=row.pk, state=DataKey.State.RETIRED).delete()[0]
        log.info("Removed data key %d: nothing stands under it", row.pk)


def places() -> Iterator[SealedPlace]:
    """Every sealed column of every model, and what other code has registered."""
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            if isinstance(column, SealedField) and column.model is model:
                yield _column(model, column)
    yield from sealed_places.registered()


def _column(model: type[models.Model], column: SealedField) -> SealedPlace:
    """The place that is one sealed column. Rows that do not open are looked at once."""
    rows = model._base_manager.filter(**{f"{column.name}__isnull": False}).annotate(
        sealed_under=Func(F(column.attname), 2, 4, function="SUBSTR", output_field=BinaryField())
    )
    broken: set[object] = set()

    def reseal(most: int) -> int:
        active = sealing.active_key().to_bytes(4)
        while True:
            found = list(rows.exclude(sealed_under=active).exclude(pk__in=broken).order_by("pk")[:most])
            done = 0
            for row in found:
                try:
                    done += _reseal(row, column)
                except SealBroken:
                    broken.add(row.pk)
            if done or not found:
                return done

    def under(number: int) -> int:
        return int(rows.filter(sealed_under=number.to_bytes(4)).count())

    return SealedPlace(f"{model._meta.db_table}.{column.column}", reseal, under)


def _reseal(row: models.Model, column: SealedField) -> bool:
    """Whether this process wrote it: not where somebody else has changed the value meanwhile."""
    old, context = bytes(row.__dict__[column.attname]), column.context(row)
    text = sealing.open_sealed(old, context)
    new = sealing.seal(text, context)
    if sealing.open_sealed(new, context) != text:
        raise SealBroken
    unchanged = type(row)._base_manager.filter(pk=row.pk, **{column.attname: old})
    return unchanged.update(**{column.attname: new}) == 1


def _record(what: str, values: int) -> None:
    with transaction.atomic():
        audit.record(
            Verb.KEYS_ROTATED, actor=None, via="command", kind="keys", id=what, after={"sealed": values}
        )
