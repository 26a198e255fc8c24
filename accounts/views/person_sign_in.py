"""Manage, People: how somebody signs in, and what an admin can do when they have lost the means to."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.models import DeviceSession, User
from accounts.people import rules
from accounts.rights import admins_only, manage_page, person_of
from accounts.sign_in import second_factors, sessions
from accounts.sign_in.confirming import confirmed
from accounts.single_sign_on import connections


@require_safe
@admins_only
def person_sign_in(request: HttpRequest, id: UUID) -> HttpResponse:
    """What they have, and no more: no secret, no address, no place."""
    who = get_object_or_404(User, pk=id)
    context = {
        "who": who,
        "factors": second_factors.of(who),
        "connections": connections.of(who),
        "places": DeviceSession.objects.for_user(who).alive().count(),
        "refusal": rules.may_change(person_of(request), who),
    }
    return manage_page(request, "manage/person_sign_in.html", context, here="people")


@require_POST
@admins_only
@confirmed()
def reset_factors(request: HttpRequest, id: UUID) -> HttpResponse:
    who = get_object_or_404(User, pk=id)
    by = person_of(request)
    if refusal := rules.may_change(by, who):
        messages.error(request, refusal)
    elif second_factors.reset(person=who, by=by):
        messages.success(request, "Their second factors are gone. They can sign in with their password now.")
    return redirect("accounts:person_sign_in", who.pk)


@require_POST
@admins_only
@confirmed()
def disconnect(request: HttpRequest, id: UUID, connection_id: UUID) -> HttpResponse:
    """For somebody who is another one at the provider now, or has lost their account there."""
    who = get_object_or_404(User, pk=id)
    by = person_of(request)
    if refusal := rules.may_change(by, who):
        messages.error(request, refusal)
    elif not connections.disconnect_for(by=by, person=who, id=connection_id):
        raise Http404
    else:
        messages.success(request, "Disconnected. At their next sign-in there they count as new.")
    return redirect("accounts:person_sign_in", who.pk)


@require_POST
@admins_only
def end_sessions(request: HttpRequest, id: UUID) -> HttpResponse:
    who = get_object_or_404(User, pk=id)
    by = person_of(request)
    if refusal := rules.may_change(by, who):
        messages.error(request, refusal)
    else:
        ended = sessions.end_all(person=who, by=by)
        messages.success(request, f"Signed out in {ended} place{'' if ended == 1 else 's'}.")
    return redirect("accounts:person_sign_in", who.pk)
