"""Taking over model facts from a file: what would change, and then the change itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import msgspec
from django.db import transaction
from django.utils import timezone

from providers import model_changes, models_dev, registry
from providers.catalogue import ModelSpec
from providers.model_changes import Change
from usage.catalogue import overrides
from usage.models import ImportedModel


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do.

    `gone` are refs that an earlier import described and this file does not; they fall back to the catalogue,
    or are no longer known.
    """

    source: str
    added: list[ModelSpec]
    changed: list[tuple[ModelSpec, list[Change]]]
    gone: list[str]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.gone)


def plan(text: bytes, *, source: str, providers: list[str] | None = None, day: date | None = None) -> Plan:
    """Compares a file in the form of models.dev with what is known now. Raises models_dev.BadForm.

    `providers` are slugs; without them, every provider that this installation knows. New prices are valid
    from `day` (UTC) on, today without one.
    """
    day = day or timezone.now().date()
    wanted = providers if providers is not None else list(registry.providers())
    entries = models_dev.read(text, only=wanted)
    known = overrides.known()
    added: list[ModelSpec] = []
    changed: list[tuple[ModelSpec, list[Change]]] = []
    listed: set[str] = set()
    unchanged = 0
    for provider, models in entries.items():
        for model, entry in models.items():
            # Without an admin's corrections: these stay above whatever is imported.
            old = overrides.spec_without_changes(f"{provider}/{model}")
            # A file may list a dated id of a model that is known by its own.
            listed.add(old.ref if old is not None else f"{provider}/{model}")
            if old is not None and old.id != model:
                continue
            new = models_dev.merged(provider, model, entry, old, day=day, source=source)
            if old is None:
                added.append(new)
            elif found := model_changes.changes(old, new, day=day):
                changed.append((new, found))
            else:
                unchanged += 1
    gone = sorted(
        ref for ref, spec in known.imported.items() if spec.provider in entries and ref not in listed
    )
    return Plan(source, added, changed, gone, unchanged)


def carry_out(plan: Plan) -> None:
    """Stores what the plan says, in one transaction; every process knows it within seconds."""
    now = timezone.now()
    rows = [
        ImportedModel(
            provider=spec.provider,
            model=spec.id,
            spec=msgspec.to_builtins(spec),
            source=plan.source[:200],
            imported_at=now,
        )
        for spec in [*plan.added, *(spec for spec, _ in plan.changed)]
    ]
    with transaction.atomic():
        ImportedModel.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["provider", "model"],
            update_fields=["spec", "source", "imported_at"],
        )
        for ref in plan.gone:
            provider, _, model = ref.partition("/")
            ImportedModel.objects.filter(provider=provider, model=model).delete()
        overrides.changed()
