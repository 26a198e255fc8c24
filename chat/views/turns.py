"""Turns of a conversation: read, asked for in every way, stopped."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.rights import person_of

from .. import actions, drain, pages
from ..forms import EditForm, OnceForm, RetryForm, SendForm
from ..models import Message
from . import replies
from .fetched import conversation_of, given_id, message_of

USER, ASSISTANT = Message.Role.USER, Message.Role.ASSISTANT


@require_GET
@never_cache
@login_required
def turns(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """What follows the turn that the page has last; or what comes before its first."""
    found = conversation_of(request, conversation_id)
    if (first := request.GET.get("before")) is not None:
        if (first_id := given_id(first)) is None:
            raise Http404
        earlier = pages.before(found, person_of(request), message_of(request, found.id, first_id))
        return replies.turns(request, found, earlier.turns, earlier=earlier.earlier)
    known = given_id(request.GET.get("after", ""))
    return replies.excerpt(request, found, pages.after(found, person_of(request), known))


@require_GET
@never_cache
@login_required
def turn(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    message = message_of(request, conversation_id, message_id)
    found = message.conversation
    return replies.turns(request, found, pages.turns_of([message], found, person_of(request)))


@require_POST
@login_required
@drain.new_work
def send(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """The person's next turn; answers with it and the answer that begins."""
    found = conversation_of(request, conversation_id)
    form = SendForm(request.POST)
    if (refused := replies.refused(request, form, team=found.team_id)) is not None:
        return refused
    make = partial(actions.send, user=person_of(request), conversation=found, **form.cleaned_data)
    return replies.sent(request, make)


@require_POST
@login_required
@drain.new_work
def edit(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """A person's turn in other words, beside the one that is there; answers as `send` does."""
    question = message_of(request, conversation_id, message_id, USER)
    form, team = EditForm(request.POST), question.conversation.team_id
    if (refused := replies.refused(request, form, team=team)) is not None:
        return refused
    return replies.sent(
        request, partial(actions.edit, user=person_of(request), question=question, **form.cleaned_data)
    )


@require_POST
@login_required
@drain.new_work
def retry(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Another answer, beside the one that is there; answers with its turn."""
    answer = message_of(request, conversation_id, message_id, ASSISTANT)
    form, team = RetryForm(request.POST), answer.conversation.team_id
    if (refused := replies.refused(request, form, model=answer.model, team=team)) is not None:
        return refused
    make = partial(
        actions.retry,
        user=person_of(request),
        answer=answer,
        model=form.cleaned_data["model"] or answer.model,
        client_id=form.cleaned_data["client_id"],
    )
    return replies.sent(request, make)


@require_POST
@login_required
@drain.new_work
def go_on(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Continue: a new turn after an answer that was cut."""
    answer = message_of(request, conversation_id, message_id, ASSISTANT)
    form, team = OnceForm(request.POST), answer.conversation.team_id
    if (refused := replies.refused(request, form, model=answer.model, team=team)) is not None:
        return refused
    return replies.sent(
        request, partial(actions.go_on, user=person_of(request), answer=answer, **form.cleaned_data)
    )


@require_POST
@login_required
def stop(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    answer = message_of(request, conversation_id, message_id, ASSISTANT)
    actions.stop(conversation=answer.conversation, message=answer.id)
    return HttpResponse(status=204)
