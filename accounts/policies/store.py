"""The rules as the database holds them, and a person before them.

Every process remembers the rules that it has read under their stamp. Whoever asks reads the stamp in force
together with the person, in one query: a change counts from the next question on, in every process.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.ids import uuid7
from accounts.models import Membership, Policy, PolicyStamp, Team, User
from accounts.policies.features import Feature
from accounts.policies.rules import NO_RULES, NOTHING_ALLOWED, NOTHING_DECIDED, WHICH, Rule, Rules
from accounts.policies.standing import Standing

Scope = Policy.Scope
NAMES = {Scope.ORGANISATION: "the organisation", Scope.OTHERS: "everyone else"}

_read: Rules = NO_RULES


def standing(user_id: UUID, paying: UUID | None = None) -> Standing:
    """A person as the rules find them now, when this team pays. One query, and another after a change."""
    key = User._meta.pk.get_db_prep_value(user_id, connection)
    with connection.cursor() as cursor:
        cursor.execute(_standing_query(connection.vendor), [key])
        rows = cursor.fetchall()
    if not rows:
        return Standing(False, (), paying, NO_RULES)
    teams = tuple(_uuid(team) for _, team, _ in rows if team is not None)
    return Standing(bool(rows[0][0]), teams, paying, _rules(rows[0][2]))


def current() -> Rules:
    """All rules in force. One query, and another after a change."""
    return _rules(PolicyStamp.objects.values_list("stamp", flat=True).first())


def change(
    *, by: User | None, scope: Scope, team: Team | None = None, rule: Rule | None, via: str = ""
) -> bool:
    """Decides for one scope; None takes its rule away. Says whether anything changed.

    In force from the next call on, everywhere; running ones go on.
    """
    with transaction.atomic():
        _new_stamp()
        row = Policy.objects.filter(scope=scope, team=team).first()
        before = _rule(row) if row is not None else None
        if before == rule or (scope == Scope.ORGANISATION and before is None and rule == NOTHING_DECIDED):
            return False
        if rule is None:
            Policy.objects.filter(scope=scope, team=team).delete()
        else:
            values = {
                "which": rule.which,
                "refs": sorted(rule.models),
                "refused": sorted(rule.refused),
                "granted": sorted(rule.granted),
                "changed_at": timezone.now(),
            }
            Policy.objects.update_or_create(scope=scope, team=team, defaults=values)
        old, new = audit.changed(_facts(before), _facts(rule))
        audit.record(
            Verb.POLICY_CHANGED,
            actor=by,
            via=via,
            kind="models_policy",
            id=scope.value if team is None else team.pk,
            name=f"models and features of {NAMES[scope] if team is None else team.name}",
            before=old,
            after=new,
        )
    return True


@cache
def _standing_query(vendor: str) -> str:
    """Built once: it runs before every call."""
    people, members, stamps = (
        connection.ops.quote_name(model._meta.db_table) for model in (User, Membership, PolicyStamp)
    )
    return f"""
        SELECT p.is_active, m.team_id, (SELECT s.stamp FROM {stamps} s) FROM {people} p
        LEFT JOIN {members} m ON m.user_id = p.id WHERE p.id = %s ORDER BY m.team_id"""  # noqa: S608


def _new_stamp() -> None:
    """Two changes at once come one after the other: the row of the stamp is locked until the commit."""
    stamp = uuid7()
    if not PolicyStamp.objects.filter(only=True).update(stamp=stamp):
        PolicyStamp.objects.update_or_create(only=True, defaults={"stamp": stamp})


def _rules(stamp: Any) -> Rules:
    """Those under this stamp. A stamp never comes back, so what was read under it once is still true."""
    global _read
    if stamp is None:
        return NO_RULES
    known = _uuid(stamp)
    found = _read
    if found.stamp != known:
        _read = found = _all(known)
    return found


def _all(stamp: UUID) -> Rules:
    found: dict[tuple[str, UUID | None], Rule] = {
        (row.scope, row.team_id): _rule(row) for row in Policy.objects.all()
    }
    return Rules(
        organisation=found.get((Scope.ORGANISATION, None), NOTHING_DECIDED),
        others=found.get((Scope.OTHERS, None)),
        teams={team: rule for (_, team), rule in found.items() if team is not None},
        stamp=stamp,
    )


def _rule(row: Policy) -> Rule:
    """What is not understood, as what a newer version has written, allows least."""
    lists = (row.refs, row.refused, row.granted)
    if row.which not in WHICH or not all(isinstance(one, list) for one in lists):
        return NOTHING_ALLOWED
    known = set(Feature)
    return Rule(
        row.which,
        frozenset(row.refs),
        frozenset(Feature(name) for name in row.refused if name in known),
        frozenset(Feature(name) for name in row.granted if name in known),
    )


def _facts(rule: Rule | None) -> dict[str, object]:
    if rule is None:
        return {"decided": False}
    return {
        "decided": True,
        "which": rule.which,
        "models": [_loggable(ref) for ref in sorted(rule.models)],
        "refused": sorted(rule.refused),
        "granted": sorted(rule.granted),
    }


def _loggable(ref: str) -> str:
    """The ids of some models look like keys, which the log refuses; such an id is cut to its end."""
    provider, _, model = ref.partition("/")
    return f"{provider}/…{model[-8:]}" if audit.SECRET_TEXT.search(ref) else ref


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
