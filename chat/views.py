"""The chat's pages and partials. Each fetches through the person: what is not theirs is not found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from usage import offers

from . import actions, drain, pages, transcript
from .forms import SendForm, SettingsForm, first_error
from .models import Conversation, Message


def person(request: HttpRequest) -> User:
    return cast(User, request.user)


@require_GET
@never_cache
@login_required
def new(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/page.html", pages.page(person(request), None))


@require_GET
@never_cache
@login_required
def conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    found = get_object_or_404(Conversation.objects.for_user(person(request)), id=conversation_id)
    return render(request, "chat/page.html", pages.page(person(request), found))


@require_POST
@login_required
def start(request: HttpRequest) -> HttpResponse:
    """Begins a conversation and answers with its whole stage."""
    form, settings = SendForm(request.POST), SettingsForm(request.POST)
    if (refused := _refused(request, form, settings)) is not None:
        return refused
    try:
        sent = actions.start(
            user=person(request),
            text=form.cleaned_data["text"],
            model=form.cleaned_data["model"],
            settings=settings.chosen(),
            client_id=form.cleaned_data["client_id"],
        )
    except actions.Conflict as conflict:
        return _notice(request, "conflict", str(conflict), 409)
    response = render(request, "chat/_stage.html", pages.page(person(request), sent.conversation))
    response.headers["HX-Push-Url"] = f"/c/{sent.conversation.id}/"
    return response


@require_POST
@login_required
def send(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """The person's next turn; answers with it and the answer that begins."""
    found = get_object_or_404(Conversation.objects.for_user(person(request)), id=conversation_id)
    form = SendForm(request.POST)
    if (refused := _refused(request, form)) is not None:
        return refused
    return _made(
        request,
        partial(
            actions.send,
            user=person(request),
            conversation=found,
            parent=form.cleaned_data["parent"],
            text=form.cleaned_data["text"],
            model=form.cleaned_data["model"],
            client_id=form.cleaned_data["client_id"],
        ),
    )


@require_POST
@login_required
def go_on(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Continue: a new turn after an answer that was cut."""
    answer = _answer(request, conversation_id, message_id)
    return _made(request, partial(actions.go_on, user=person(request), answer=answer))


@require_POST
@login_required
def retry(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Another answer beside one that failed; answers with its turn, which takes the failed one's place."""
    answer = _answer(request, conversation_id, message_id)
    return _made(request, partial(actions.retry, user=person(request), answer=answer))


@require_POST
@login_required
def stop(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    answer = _answer(request, conversation_id, message_id)
    actions.stop(conversation=answer.conversation, message=answer.id)
    return HttpResponse(status=204)


@require_POST
@login_required
def configure(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    found = get_object_or_404(Conversation.objects.for_user(person(request)), id=conversation_id)
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return _notice(request, "invalid", first_error(form), 400)
    actions.configure(conversation=found, settings=form.chosen())
    context = {
        "conversation": found,
        "chosen": pages.chosen(found, offers.offered(person(request))),
        "usual_tokens": transcript.MAX_TOKENS,
        "saved": True,
    }
    return render(request, "chat/_settings.html", context)


@require_GET
@never_cache
@login_required
def turns(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """The turns after the one that the page has last; all of them when that one is on another branch."""
    found = get_object_or_404(Conversation.objects.for_user(person(request)), id=conversation_id)
    path = found.path()
    last = next((n for n, message in enumerate(path) if str(message.id) == request.GET.get("after")), None)
    newer = path[last + 1 :] if last is not None else path
    response = _turns(request, found, pages.turns_of(newer, found.head_id))
    if last is None:
        response.headers["X-Parley-Whole"] = "1"
    return response


@require_GET
@never_cache
@login_required
def turn(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    found = get_object_or_404(Conversation.objects.for_user(person(request)), id=conversation_id)
    message = get_object_or_404(found.messages, id=message_id)
    return _turns(request, found, pages.turns_of([message], found.head_id))


@require_GET
@never_cache
@login_required
def sidebar(request: HttpRequest) -> HttpResponse:
    context = {"sidebar": pages.sidebar(person(request)), "current": request.GET.get("current", "")}
    return render(request, "chat/_sidebar_list.html", context)


def _answer(request: HttpRequest, conversation_id: UUID, message_id: UUID) -> Message:
    mine = Message.objects.for_user(person(request)).select_related("conversation")
    return get_object_or_404(mine, id=message_id, conversation=conversation_id, role=Message.Role.ASSISTANT)


def _made(request: HttpRequest, make: Callable[[], actions.Sent]) -> HttpResponse:
    """The turns that an action makes, or a notice that says why it makes none."""
    if drain.draining():
        return _draining(request)
    try:
        sent = make()
    except actions.Conflict as conflict:
        return _notice(request, "conflict", str(conflict), 409)
    return _turns(request, sent.conversation, pages.just_sent(sent, person(request)))


def _turns(request: HttpRequest, found: Conversation, turns: list[pages.Turn]) -> HttpResponse:
    context = {"conversation": found, "turns": turns, "person": request.user}
    response = render(request, "chat/_turns.html", context)
    response.headers["X-Parley-Version"] = str(found.version)
    return response


def _refused(
    request: HttpRequest, form: SendForm, settings: SettingsForm | None = None
) -> HttpResponse | None:
    """Why nothing can be sent now, as a notice; the text stays in the composer."""
    if drain.draining():
        return _draining(request)
    if not form.is_valid() or (settings is not None and not settings.is_valid()):
        return _notice(request, "invalid", first_error(form, *([settings] if settings else [])), 400)
    if not offers.lately_usable(person(request), form.cleaned_data["model"]):
        offer = offers.find(person(request), form.cleaned_data["model"])
        if offer is None or not offer.usable:
            reason = offer.reason if offer is not None else "This model is not on offer. Choose another one."
            return _notice(request, "model", reason, 409)
    return None


def _draining(request: HttpRequest) -> HttpResponse:
    return _notice(
        request,
        "draining",
        "The server is restarting. Your message is kept here; send it again in a moment.",
        503,
    )


def _notice(request: HttpRequest, code: str, text: str, status: int) -> HttpResponse:
    return render(request, "chat/_notice.html", {"code": code, "text": text}, status=status)
