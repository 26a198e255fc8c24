"""For how long the audit log is kept, and the nightly work on it."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from accounts import organisation_policy
from accounts.audit import audit, chain
from accounts.audit.audit import Verb
from accounts.clock import database_now
from accounts.models import User

POLICY = "audit_days"
CHOICES = {0: "Always", 180: "Half a year", 365: "One year", 730: "Two years", 2555: "Seven years"}


def kept_days() -> int:
    """0: always."""
    found = organisation_policy.decided(POLICY, 0)
    return found if found in CHOICES else 0


def keep(*, by: User, days: int) -> None:
    """`days` is one of CHOICES."""
    organisation_policy.change(by=by, name=POLICY, value=days)


def nightly() -> None:
    """Signs the end of the chain, and removes what is older than was decided."""
    chain.checkpoint()
    days = kept_days()
    if days and (removed := chain.prune(database_now() - timedelta(days=days))):
        with transaction.atomic():
            audit.record(Verb.AUDIT_PRUNED, actor=None, kind="audit", after={"events": removed, "days": days})
