"""The audit log: who changed rights, keys, budgets and policy, and who signed in.

An event is written in the transaction of its change, so that neither exists without the other. How events
hold together: accounts.audit.chain. What is read from outside: *Manage → Audit* and `manage.py audit`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from accounts.audit.chain import append
from accounts.client import address
from accounts.models import AuditEvent, User
from accounts.names import NAME_LENGTH, one_line

MOST_FACTS = 4_000  # characters of one side; longer lists are cut, and say so
EMAIL = re.compile(r"([^\s@,;<>\"']{1,64})@([^\s@,;<>\"']{1,190})")
# Names of fields that hold secrets, and forms that keys of vendors and our own tokens have.
SECRET_NAME = re.compile(r"secret|password|api_?key|cookie|^token$", re.IGNORECASE)
SECRET_TEXT = re.compile(
    r"(?<![0-9A-Za-z])(?:sk|pk|rk|ghp|gho|ghu|xox[abp]|whsec|pat|parley)[-_][\w-]{12,}|-----BEGIN "
)


class Verb(StrEnum):
    """What can have happened: the noun, and the verb in the past."""

    ORGANISATION_FOUNDED = "organisation.founded"
    ORGANISATION_RENAMED = "organisation.renamed"
    RETENTION_CHANGED = "retention.changed"
    CONVERSATIONS_REMOVED = "conversations.removed"
    MAIL_CHANGED = "mail.changed"
    MAIL_REMOVED = "mail.removed"
    PERSON_CREATED = "person.created"
    PERSON_INVITED = "invitation.sent"
    INVITATION_RESENT = "invitation.sent_again"
    INVITATION_REVOKED = "invitation.revoked"
    INVITATION_ACCEPTED = "invitation.accepted"
    PERSON_ROLE_CHANGED = "person.role_changed"
    PERSON_DEACTIVATED = "person.deactivated"
    PERSON_ACTIVATED = "person.activated"
    PERSON_ANONYMISED = "person.anonymised"
    TEAM_CREATED = "team.created"
    TEAM_RENAMED = "team.renamed"
    MEMBERSHIP_CHANGED = "membership.changed"
    MEMBERSHIP_ENDED = "membership.ended"
    CREDENTIAL_ADDED = "credential.added"
    CREDENTIAL_REPLACED = "credential.replaced"
    CREDENTIAL_CHANGED = "credential.changed"
    CREDENTIAL_PAUSED = "credential.paused"
    CREDENTIAL_RESUMED = "credential.resumed"
    CREDENTIAL_REVOKED = "credential.revoked"
    CREDENTIAL_FAILED = "credential.failed"
    CREDENTIAL_OPENED_WRONGLY = "credential.opened-wrongly"
    KEYS_ROTATED = "keys.rotated"
    TOKEN_MADE = "token.made"  # noqa: S105 - a verb
    TOKEN_CHANGED = "token.changed"  # noqa: S105 - a verb
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - a verb
    POLICY_CHANGED = "policy.changed"
    BUDGET_MADE = "budget.made"
    BUDGET_CHANGED = "budget.changed"
    MORE_ASKED = "request.made"
    MORE_APPROVED = "request.approved"
    MORE_REFUSED = "request.refused"
    MODEL_CHANGED = "model.changed"
    DEFAULT_CHANGED = "model.made_default"
    PRICE_SET = "price.set"
    PRICES_ENDED = "price.ended"
    CHAIN_SET = "chain.set"
    ENDPOINT_SAVED = "endpoint.saved"
    ENDPOINT_REMOVED = "endpoint.removed"
    ALERTS_CHANGED = "alerts.changed"
    WEBHOOK_ADDED = "webhook.added"
    WEBHOOK_SECRET_MADE = "webhook.secret_made"  # noqa: S105 - a verb
    WEBHOOK_SWITCHED = "webhook.switched"
    WEBHOOK_REMOVED = "webhook.removed"
    RECONCILE_CHANGED = "reconcile.changed"
    AUDIT_PRUNED = "audit.pruned"
    SIGNED_IN = "signin.succeeded"
    SIGN_IN_FAILED = "signin.failed"
    SIGNED_OUT = "session.ended"
    SESSION_REVOKED = "session.revoked"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - a verb
    EMAIL_CHANGED = "person.email_changed"
    SIGN_IN_PROVIDER_SAVED = "sso.provider_saved"
    SIGN_IN_PROVIDER_SWITCHED = "sso.provider_switched"
    SIGN_IN_PROVIDER_REMOVED = "sso.provider_removed"
    CONNECTION_MADE = "sso.connected"
    CONNECTION_ENDED = "sso.disconnected"
    MFA_ADDED = "mfa.added"
    MFA_REMOVED = "mfa.removed"
    RECOVERY_CODES_MADE = "mfa.recovery_codes_made"
    RECOVERY_CODE_USED = "mfa.recovery_code_used"
    MFA_UNREADABLE = "mfa.unreadable"


class NotForTheLog(ValueError):
    """A secret was about to be written into the audit log. The text names the field, never the value."""


def record(
    verb: Verb,
    *,
    actor: User | UUID | None,
    kind: str,
    id: UUID | str | None = None,
    name: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    via: str = "",
) -> AuditEvent:
    """Writes one event. To be called inside the transaction of the change, after it.

    `actor`, or their id, is None where no person did it; `via` says what did ("command", "vendor"), or
    through what the person acted. `kind`, `id` and `name` are the object's. `before` and `after` hold the
    facts that changed: texts, numbers, truth values, None, and lists of these. A text that looks like a
    secret, which a name that somebody chose may do, is written as "…". Raises NotForTheLog for a fact that is
    called like one.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError(
            "An audit event belongs into the transaction of its change."
        )
    return append(
        actor=actor.pk if isinstance(actor, User) else actor,
        via=via,
        verb=verb.value,
        kind=kind,
        object="" if id is None else str(id),
        name="" if kind == "person" else _said(one_line(name))[:NAME_LENGTH],
        before=facts(before),
        after=facts(after),
        address=address(),
    )


def changed(
    before: Mapping[str, object], after: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Both sides without what is the same on both."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def facts(values: Mapping[str, object] | None) -> str:
    """One side of an event as JSON."""
    if not values:
        return ""
    plain = {name: _plain(name, value) for name, value in values.items()}
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True)
    if len(text) <= MOST_FACTS:
        return text
    lengths = {name: len(value) for name, value in plain.items() if isinstance(value, list)}
    cut = {name: value[:20] if isinstance(value, list) else _short(value) for name, value in plain.items()}
    return json.dumps({**cut, "shortened": True, "lengths": lengths}, ensure_ascii=False, sort_keys=True)


def masked(text: str) -> str:
    """The text with the addresses of people cut to their first letter."""
    return EMAIL.sub(lambda found: f"{found[1][0]}…@{found[2]}", text)


def _plain(name: str, value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        items = value if isinstance(value, list | tuple) else sorted(value, key=str)
        return [_plain(name, item) for item in items]
    text = one_line(str(value))
    if SECRET_NAME.search(name):
        raise NotForTheLog(f"The field {name!r} looks like a secret and does not belong into the audit log.")
    return _said(text)


def _said(text: str) -> str:
    return masked("…" if SECRET_TEXT.search(text) else text)


def _short(value: object) -> object:
    return f"{value[:300]}…" if isinstance(value, str) and len(value) > 300 else value
