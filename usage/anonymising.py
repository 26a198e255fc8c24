"""What usage has in words about a person goes when they are anonymised; every number stays."""

from __future__ import annotations

import re

from django.db.models import Q
from django.utils import timezone

from accounts.models import AccessToken
from accounts.people.anonymising import Former
from usage.models import Alert, Budget, Delivery, LimitRequest


def forget(former: Former) -> None:
    """To be called in the transaction that anonymises.

    Requests for more that wait are closed as refused, and what was said in any of theirs is blanked. A budget
    for them alone, or for a token of theirs, is named anew, alerts that name them as well. Mail on its way to
    them is given up.
    """
    now = timezone.now()
    asked = LimitRequest.objects.filter(asked_by=former.id)
    asked.filter(state=LimitRequest.State.OPEN).update(state=LimitRequest.State.REFUSED, decided_at=now)
    asked.update(reason="", answer="")
    Budget.objects.filter(scope=Budget.Scope.PERSON, scope_id=former.id).update(name=former.new_name)
    theirs = AccessToken.objects.filter(user=former.id).values("pk")
    of_tokens = Budget.objects.filter(scope=Budget.Scope.TOKEN, scope_id__in=theirs)
    of_tokens.update(name=f"Token of {former.new_name}")
    mail = Delivery.objects.filter(channel=Delivery.Channel.MAIL, target__iexact=former.email)
    mail.filter(state=Delivery.State.WAITING).update(state=Delivery.State.FAILED, ended_at=now)
    mail.update(target=former.new_email, error="")
    for alert in _naming(former):
        alert.title = _without(former, alert.title)[: _length("title")]
        alert.body = _without(former, alert.body)[: _length("body")]
        alert.save(update_fields=["title", "body"])


def _naming(former: Former) -> list[Alert]:
    said = Q()
    for words in (former.email, former.display):
        said |= Q(title__icontains=words) | Q(body__icontains=words)
    return list(Alert.objects.select_for_update().filter(said).order_by("pk"))


def _without(former: Former, text: str) -> str:
    """The text with the new name in the old one's place, where it stands as a word of its own."""
    for words in (former.email, former.display):
        text = re.sub(rf"(?<!\w){re.escape(words)}(?!\w)", former.new_name, text, flags=re.IGNORECASE)
    return text


def _length(field: str) -> int:
    return Alert._meta.get_field(field).max_length or 0  # type: ignore[union-attr]
