"""What the chat answers: turns with the numbers that tell the page where they belong, and notices.

X-Parley-Version   the conversation's version, which the turns are not older than
X-Parley-After     the turn of the page that these follow directly, whatever it shows after that one; empty:
                   they are the beginning of what is shown; without this header they are appended
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.rights import person_of
from usage import policy
from usage.offers import offers

from .. import pages, wishes
from ..forms import first_error
from ..models import Conversation
from ..once import Conflict, Sent
from ..pages import Excerpt, Turn


def turns(request: HttpRequest, found: Conversation, shown: list[Turn], **more: Any) -> HttpResponse:
    """Turns that are appended, or take the places of older ones of the same ids."""
    context = {"conversation": found, "turns": shown, "person": request.user, **more}
    response = render(request, "chat/_turns.html", context)
    response.headers["X-Parley-Version"] = str(found.version)
    return response


def excerpt(request: HttpRequest, found: Conversation, shown: Excerpt, **more: Any) -> HttpResponse:
    """Turns whose place on the page is known."""
    response = turns(request, found, shown.turns, earlier=shown.earlier, **more)
    response.headers["X-Parley-After"] = str(shown.after or "")
    return response


def sent(request: HttpRequest, make: Callable[[], Sent]) -> HttpResponse:
    """The turns that an action makes, or a notice that says why it makes none."""
    try:
        made = make()
    except Conflict as conflict:
        return refusal(request, conflict)
    user, conversation, parent = person_of(request), made.conversation, made.first.parent_id
    if made.again:  # the conversation may have gone on since: the page gets what is shown there now
        return excerpt(request, conversation, pages.after(conversation, user, parent))
    shown = pages.just_sent(made, user)
    if made.at_head:
        return turns(request, conversation, shown)
    return excerpt(request, conversation, Excerpt(shown, parent))


def refused(
    request: HttpRequest, *forms: Form, model: str | None = None, team: UUID | None = None
) -> HttpResponse | None:
    """Why nothing can be asked of a model now, as a notice; the text stays where it was written.

    `model` is who would answer, where the first form does not say; `team` is who would pay.
    """
    return unsettable(request, *forms, team=team) or _unusable(
        request, forms[0].cleaned_data.get("model") or model or "", team
    )


def unsettable(request: HttpRequest, *forms: Form, team: UUID | None = None) -> HttpResponse | None:
    """Why these forms cannot be taken: for what is wrong in them, or what the rules keep from this person."""
    if (wrong := invalid(request, *forms)) is not None:
        return wrong
    asked = [feature for form in forms for feature in wishes.features(form.cleaned_data)]
    reason = policy.refused_features(person_of(request).pk, asked, team)
    return notice(request, "not_allowed", reason, 403) if reason else None


def invalid(request: HttpRequest, *forms: Form) -> HttpResponse | None:
    if all([form.is_valid() for form in forms]):
        return None
    return notice(request, "invalid", first_error(*forms), 400)


def refusal(request: HttpRequest, conflict: Conflict) -> HttpResponse:
    return notice(request, "conflict", str(conflict), 409)


def notice(request: HttpRequest, code: str, text: str, status: int) -> HttpResponse:
    return render(request, "chat/_notice.html", {"code": code, "text": text}, status=status)


def _unusable(request: HttpRequest, model: str, team: UUID | None) -> HttpResponse | None:
    if offers.lately_usable(person_of(request), model, team):
        return None
    offer = offers.find(person_of(request), model, team)
    if offer is not None and offer.usable:
        return None
    reason = offer.reason if offer is not None else "This model is not on offer. Choose another one."
    return notice(request, "model", reason, 409)
