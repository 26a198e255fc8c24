"""Who may open the manage area, and the frame in which its pages stand."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.http.response import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from accounts.models import Organisation, Team, User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def person_of(request: HttpRequest) -> User:
    """Who asks, in views behind the sign-in."""
    return cast(User, request.user)


def admins_only(view: View[P]) -> View[P]:
    """For owners and admins. Strangers are asked to sign in; for members the page does not exist."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not person_of(request).is_admin:
            raise Http404
        return view(request, *args, **kwargs)

    return cast("View[P]", never_cache(login_required(guarded)))


def owners_only(view: View[P]) -> View[P]:
    """For owners. For admins as for members the page does not exist."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        person = person_of(request)
        if not person.is_admin or person.role != User.Role.OWNER:
            raise Http404
        return view(request, *args, **kwargs)

    return cast("View[P]", never_cache(login_required(guarded)))


def managers_too(view: View[P]) -> View[P]:
    """For owners, admins and whoever manages a team. What they see there is for the view to say."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        person = person_of(request)
        if not person.is_admin and not Team.objects.managed_by(person).exists():
            raise Http404
        return view(request, *args, **kwargs)

    return cast("View[P]", never_cache(login_required(guarded)))


def manage_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, here: str, status: int = 200
) -> HttpResponse:
    """A page of the manage area; `template` extends manage/page.html, `here` names it in the navigation."""
    frame = {"person": request.user, "organisation": Organisation.objects.first(), "here": here}
    return render(request, template, {**frame, **context}, status=status)
