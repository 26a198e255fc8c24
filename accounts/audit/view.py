"""The audit log as its page, its file and its filters show it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils import timezone

from accounts.models import AuditEvent, User
from accounts.models.audit import AuditEventQuerySet
from accounts.spreadsheets import safe

PAGE = 50
LONGEST_FILE = 20_000  # events of one file
NOBODY = {"": "Parley itself", "command": "A command on the server", "vendor": "The vendor"}
# The nouns of accounts.audit.audit.Verb as an admin reads them; a noun that is missing is shown as it is.
NOUNS = {
    "alerts": "Alerts",
    "audit": "Audit log",
    "budget": "Budgets",
    "chain": "Models",
    "conversations": "Conversations",
    "credential": "Keys",
    "endpoint": "Models",
    "invitation": "Invitations",
    "keys": "Keys",
    "mail": "Mail",
    "membership": "Teams",
    "mfa": "Second factors",
    "model": "Models",
    "organisation": "Organisation",
    "passkey": "Second factors",
    "password": "Sign-in",
    "person": "People",
    "policy": "Policy",
    "price": "Models",
    "reconcile": "Keys",
    "request": "Budgets",
    "retention": "Conversations",
    "session": "Sign-in",
    "signin": "Sign-in",
    "sso": "Single sign-on",
    "team": "Teams",
    "token": "Access tokens",
    "webhook": "Alerts",
}


class TooMany(Exception):
    """More events than one file holds."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What one field was and is; "" where there was or is nothing."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Line:
    """One event in words. `about` names what it was done to."""

    event: AuditEvent
    who: str
    what: str
    about: str
    facts: list[Fact]


@dataclass(frozen=True, slots=True)
class Page:
    lines: list[Line]
    older: int | None


class AuditForm(forms.Form):
    """The filters of an address. Days are the organisation's."""

    first = forms.DateField(required=False, label="From")
    last = forms.DateField(required=False, label="To")
    who = forms.UUIDField(required=False, label="Person")
    noun = forms.CharField(required=False, label="About", max_length=24)
    q = forms.CharField(required=False, label="Search", max_length=80)
    before = forms.IntegerField(required=False, min_value=1)

    def events(self) -> AuditEventQuerySet:
        """The newest first, from `before` on. The form is valid."""
        found, asked = AuditEvent.objects.newest_first(), self.cleaned_data
        zone = timezone.get_default_timezone()
        if asked["first"]:
            found = found.filter(at__gte=datetime.combine(asked["first"], time(), zone))
        if asked["last"]:
            found = found.filter(at__lt=datetime.combine(asked["last"] + timedelta(days=1), time(), zone))
        if asked["who"]:
            found = found.filter(Q(actor=asked["who"]) | Q(object=str(asked["who"])))
        if asked["noun"]:
            found = found.filter(_about(asked["noun"]))
        if asked["q"]:
            found = found.filter(_said(asked["q"]))
        if asked["before"]:
            found = found.filter(number__lt=asked["before"])
        return found


def page(events: AuditEventQuerySet) -> Page:
    """The first PAGE of them. Two queries."""
    rows = list(events[: PAGE + 1])
    return Page(lines(rows[:PAGE]), rows[PAGE - 1].number if len(rows) > PAGE else None)


def lines(events: Iterable[AuditEvent]) -> list[Line]:
    """With the names that people have now. One query."""
    rows = list(events)
    ids = {row.actor for row in rows if row.actor} | {
        id for row in rows if row.kind == "person" and (id := _uuid(row.object))
    }
    names = {person.pk: person.display for person in User.objects.filter(pk__in=ids)}
    return [_line(row, names) for row in rows]


def file(events: AuditEventQuerySet) -> str:
    """All of them as CSV. Raises TooMany for more than LONGEST_FILE: a log is not cut in silence."""
    rows = list(events[: LONGEST_FILE + 1])
    if len(rows) > LONGEST_FILE:
        raise TooMany
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    columns = ("who", "who id", "via", "verb", "kind", "id", "name", "before", "after", "address", "digest")
    writer.writerow(["number", "at (UTC)", *columns])
    for line in lines(rows):
        event = line.event
        row = [line.who, event.actor or "", event.via, event.verb, event.kind, event.object]
        row += [line.about, event.before, event.after, event.address, event.digest]
        at = event.at.strftime("%Y-%m-%d %H:%M:%S.%f")
        writer.writerow([event.number, at, *(safe(str(text)) for text in row)])
    return out.getvalue()


def headings() -> list[str]:
    """What the filter offers: each heading once."""
    return sorted(set(NOUNS.values()))


def _about(heading: str) -> Q:
    wanted = [noun for noun, words in NOUNS.items() if words == heading] or [heading]
    found = Q()
    for noun in wanted:
        found |= Q(verb__startswith=f"{noun}.")
    return found


def _said(text: str) -> Q:
    people = User.objects.filter(Q(display_name__icontains=text) | Q(email__icontains=text))
    ids = list(people.values_list("pk", flat=True)[:200])
    found = Q(actor__in=ids) | Q(object__in=[str(id) for id in ids])
    for column in ("verb", "name", "object", "before", "after", "address"):
        found |= Q(**{f"{column}__icontains": text})
    return found


def _line(event: AuditEvent, names: dict[UUID, str]) -> Line:
    who = names.get(event.actor, "A person who is gone") if event.actor else NOBODY.get(event.via, event.via)
    about = event.name
    if event.kind == "person":
        id = _uuid(event.object)
        about = names.get(id, "a person who is gone") if id else ""
    elif event.kind == "policy":
        about = event.object.replace("_", " ")
    return Line(event, who, words(event.verb), about, _facts(event))


def words(verb: str) -> str:
    """ "credential.added" as "Credential added"."""
    text = verb.replace("sso.", "single sign-on: ").replace(".", " ").replace("_", " ")
    return text[:1].upper() + text[1:]


def _facts(event: AuditEvent) -> list[Fact]:
    before, after = _loaded(event.before), _loaded(event.after)
    return [
        Fact(name.replace("_", " "), _shown(before.get(name)), _shown(after.get(name)))
        for name in {**before, **after}
    ]


def _loaded(text: str) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _shown(value: Any) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_shown(item) or "–" for item in value)
    return str(value)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
