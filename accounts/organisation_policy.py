"""What an organisation has decided, by name, in its one row.

Each part of Parley owns one name and says what its value means; nobody writes the column but `change`.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import Organisation, User


def decided(name: str, default: Any = None) -> Any:
    """What was decided under this name. One query."""
    organisation = Organisation.current()
    return default if organisation is None else organisation.policy.get(name, default)


def change(*, by: User | None, name: str, value: Any, via: str = "") -> bool:
    """Decides anew; says whether anything changed. `value` is plain JSON without secrets, None to have none.

    Two changes at once, of different names too, both stand.
    """
    with transaction.atomic():
        organisation = Organisation.objects.select_for_update().get()
        before = organisation.policy.get(name)
        if before == value:
            return False
        if value is None:
            organisation.policy.pop(name, None)
        else:
            organisation.policy[name] = value
        organisation.save(update_fields=["policy"])
        sides = [side if isinstance(side, dict) else {name: side} for side in (before, value)]
        old, new = audit.changed(*sides)
        audit.record(Verb.POLICY_CHANGED, actor=by, via=via, kind="policy", id=name, before=old, after=new)
    return True
