"""Access tokens: a person's own under Settings; in Manage those of a person or a team, and who may have some.

A token's text is shown in the answer that made it, and never again.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import AccessToken, Membership, Team, User
from accounts.people import rules
from accounts.people.rules import NotAllowed
from accounts.rights import admins_only, manage_page, managers_too, person_of
from accounts.sign_in.confirming import confirmed
from accounts.tokens import policy as token_policies
from accounts.tokens.actions import Made
from accounts.tokens.policy import TokenPolicy
from usage.access_tokens import actions, lines, snippets
from usage.access_tokens.forms import SCOPES, WHO, NewTokenForm, TokenForm, TokenPolicyForm
from usage.offers import offers

HERE = "tokens"
ENDS = "Programs that use it are refused from now on. What runs with it is stopped within seconds."


@require_safe
@never_cache
@login_required
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens. In the address: `sort`, and `ended` to see revoked ones too."""
    return _listed(request)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed()
@sensitive_variables("made")
def new_token(request: HttpRequest) -> HttpResponse:
    """Makes a token, and shows it on the page that answers."""
    person, policy = person_of(request), TokenPolicy.current()
    if not policy.allows(person):
        messages.error(request, "The organisation does not let you have access tokens.")
        return redirect("usage:tokens")
    offered = [offer for offer in offers.offered(person) if offer.usable]
    form = NewTokenForm(
        request.POST if request.method == "POST" else None, person=person, policy=policy, offers=offered
    )
    if form.is_bound and form.is_valid():
        asked = form.cleaned_data
        try:
            made = actions.make(
                person=person,
                name=asked["name"],
                scopes=asked["scopes"],
                models=asked["models"],
                team=asked["team"],
                expires_at=asked["expires_at"],
                monthly_nano=asked["limit"],
                by=person,
                token_id=asked["slip"],
            )
        except NotAllowed as reason:
            form.add_error(None, str(reason))
        else:
            if made is None:
                messages.info(request, "It was made already. Its text was shown then.")
                return redirect("usage:tokens")
            return _listed(request, made)
    context = {
        "form": form,
        "scopes": SCOPES,
        "policy": policy,
        "has_teams": Membership.objects.filter(user=person).exists(),
    }
    status = 422 if form.is_bound else 200
    return manage_page(request, "usage/token_new.html", context, here=HERE, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed("POST")
def token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """One of one's own: another name, an earlier end, a budget."""
    person = person_of(request)
    found = get_object_or_404(AccessToken.objects.for_user(person).live().select_related("user"), pk=token_id)
    budget = actions.own_budget(found)
    form = TokenForm(request.POST if request.method == "POST" else None, token=found, budget=budget)
    if form.is_bound and form.is_valid():
        asked = form.cleaned_data
        try:
            changed = actions.change(
                token=found,
                name=asked["name"],
                expires_at=asked["expires_at"],
                monthly_nano=asked["limit"],
                by=person,
            )
        except NotAllowed as reason:
            form.add_error("until", str(reason))
        else:
            if changed:
                messages.success(request, "Saved. It holds from the next call on.")
            return redirect("usage:tokens")
    context = {"form": form, "line": lines.one(found), "month": lines.month()}
    status = 422 if form.is_bound else 200
    return manage_page(request, "usage/token.html", context, here=HERE, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Asks first."""
    found = get_object_or_404(AccessToken.objects.for_user(person_of(request)).live(), pk=token_id)
    return _revoking(
        request, found, back=reverse("usage:tokens"), template="usage/token_revoke.html", here=HERE
    )


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def revoke_persons_token(request: HttpRequest, person_id: UUID, token_id: UUID) -> HttpResponse:
    """Admins end tokens of anybody; those of owners only owners. Asks first."""
    rows = AccessToken.objects.live().filter(user=person_id).select_related("user")
    found, by = get_object_or_404(rows, pk=token_id), person_of(request)
    back = reverse("usage:person", args=[person_id])
    if by.pk != person_id and (reason := rules.may_change(by, found.user)):
        messages.error(request, reason)
        return redirect(back)
    return _revoking(request, found, back=back, template="manage/token_revoke.html", here="people")


@require_http_methods(["GET", "HEAD", "POST"])
@managers_too
def revoke_teams_token(request: HttpRequest, team_id: UUID, token_id: UUID) -> HttpResponse:
    """Managers end tokens for which their team pays. Asks first."""
    team = get_object_or_404(Team.objects.managed_by(person_of(request)), pk=team_id)
    rows = AccessToken.objects.live().filter(paying_team=team).select_related("user")
    found, back = get_object_or_404(rows, pk=token_id), reverse("usage:team", args=[team.pk])
    return _revoking(request, found, back=back, template="manage/token_revoke.html", here="teams")


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def token_policy(request: HttpRequest) -> HttpResponse:
    """Who may have tokens, and for how long."""
    now = TokenPolicy.current()
    form = TokenPolicyForm(request.POST if request.method == "POST" else None, policy=now)
    if form.is_bound and form.is_valid():
        if token_policies.change(policy=form.policy(), by=person_of(request)):
            messages.success(request, "Saved. Who may have tokens holds at once.")
        return redirect("usage:people")
    live = AccessToken.objects.usable()
    context = {
        "form": form,
        "who": WHO,
        "live": live.count(),
        "of_members": live.filter(user__role=User.Role.MEMBER).count(),
        "endless": live.filter(expires_at=None).count(),
    }
    status = 422 if form.is_bound else 200
    return manage_page(request, "manage/token_policy.html", context, here="people", status=status)


@sensitive_variables("made", "context")
def _listed(request: HttpRequest, made: Made | None = None) -> HttpResponse:
    person, policy = person_of(request), TokenPolicy.current()
    sort = request.GET.get("sort", "name")
    ended = "ended" in request.GET
    context = {
        "lines": lines.of_person(person, sort if sort in lines.SORTS else "name", ended=ended),
        "sort": sort if sort in lines.SORTS else "name",
        "ended": ended,
        "some_ended": ended or AccessToken.objects.for_user(person).exclude(revoked_at=None).exists(),
        "month": lines.month(),
        "policy": policy,
        "may_make": policy.allows(person),
        "address": snippets.address(request),
        "model": snippets.model(),
        "is_open": snippets.front_door_is_open(),
        "made": made,
    }
    return manage_page(request, "usage/tokens.html", context, here=HERE)


def _revoking(
    request: HttpRequest, found: AccessToken, *, back: str, template: str, here: str
) -> HttpResponse:
    if request.method == "POST":
        if actions.revoke(token=found, by=person_of(request)):
            messages.success(request, f"The token “{found.name}” is revoked. {ENDS}")
        return redirect(back)
    context = {"line": lines.one(found), "month": lines.month(), "back": back}
    return manage_page(request, template, context, here=here)
