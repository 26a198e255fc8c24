"""Branches of a conversation: shown, deleted, restored, forked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from accounts.rights import person_of

from .. import branches, forks, pages
from ..forms import HeadForm, OnceForm, RestoreForm
from ..models import Message
from ..once import Conflict
from . import replies
from .fetched import conversation_of, message_of


@require_POST
@login_required
def head(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Shows the branch through a message; answers with its turns from there on."""
    found = conversation_of(request, conversation_id)
    form = HeadForm(request.POST)
    if (refused := replies.invalid(request, form)) is not None:
        return refused
    message = message_of(request, found.id, form.cleaned_data["message"])
    try:
        branches.show(message=message)
    except Conflict as conflict:
        return replies.refusal(request, conflict)
    return _from(request, message)


@require_POST
@login_required
def delete(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Hides a message and what is below it; answers with the turns in its place, and a way to undo it."""
    message = message_of(request, conversation_id, message_id)
    try:
        deleted = branches.delete(message=message)
    except Conflict as conflict:
        return replies.refusal(request, conflict)
    return _from(request, message, deleted=deleted)


@require_POST
@login_required
def restore(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Shows a deleted message and what is below it again; answers with the turns from there on.

    The page empties the notice of the deletion itself.
    """
    message = message_of(request, conversation_id, message_id)
    form = RestoreForm(request.POST)
    if (refused := replies.invalid(request, form)) is not None:
        return refused
    try:
        branches.restore(message=message, **form.cleaned_data)
    except Conflict as conflict:
        return replies.refusal(request, conflict)
    return _from(request, message)


@require_POST
@login_required
def fork(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Copies the branch up to a message into a new conversation, and sends the page there."""
    message = message_of(request, conversation_id, message_id)
    form = OnceForm(request.POST)
    if (refused := replies.invalid(request, form)) is not None:
        return refused
    try:
        copy = forks.fork(user=person_of(request), message=message, **form.cleaned_data)
    except Conflict as conflict:
        return replies.refusal(request, conflict)
    return HttpResponse(status=204, headers={"HX-Redirect": f"/c/{copy.id}/"})


def _from(request: HttpRequest, message: Message, **more: Any) -> HttpResponse:
    """The shown branch from the message's place on."""
    found = conversation_of(request, message.conversation_id)
    shown = pages.after(found, person_of(request), message.parent_id)
    return replies.excerpt(request, found, shown, **more)
