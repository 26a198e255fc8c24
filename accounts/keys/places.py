"""The three places where credentials are entered and looked after: the organisation's (Manage), those of the
teams that a person manages, and a person's own. One set of views serves all of them (accounts.views.keys).

A place is open to some people, shows some owners' credentials, and has its addresses under a prefix of its
own. What a person may change is said by CredentialQuerySet.for_user; a place only narrows that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from accounts.keys.owners import Owner
from accounts.models import Credential, LoginAttempt, Organisation, Team, User
from accounts.models.attempt import LoginAttemptQuerySet
from accounts.models.credential import CredentialQuerySet, Scope
from accounts.rights import person_of

P = ParamSpec("P")
ORGANISATION = "organisation"  # the owner in forms and addresses; teams stand there by their ids
VIEWS = ("", "add", "enter", "replace", "change", "revoke", "check", "connect", "login", "ask", "cancel")


@dataclass(frozen=True, slots=True)
class Place:
    """`url` is the beginning of its addresses' names, `here` its name in the navigation, `scopes` whose
    credentials it shows, `sidebar` the template beside it.
    """

    name: Literal["organisation", "teams", "own"]
    url: str
    here: str
    scopes: tuple[Scope, ...]
    heading: str
    lead: str
    empty: str
    sidebar: str

    @property
    def urls(self) -> dict[str, str]:
        """The names of its addresses, by what is done there; "list" is the page itself."""
        return {view or "list": f"accounts:{self.url}{'_' if view else ''}{view}" for view in VIEWS}

    def is_open_to(self, person: User) -> bool:
        match self.name:
            case "organisation":
                return person.is_admin
            case "teams":
                return person.is_active and Team.objects.managed_by(person).exists()
            case "own":
                return person.is_active

    def rows(self, person: User) -> CredentialQuerySet:
        """Those that this person may change here, but for revoked ones."""
        found = Credential.objects.for_user(person).for_calls().exclude(state=Credential.State.REVOKED)
        owned = {f"{scope}__isnull": False for scope in self.scopes}
        if len(owned) == 1:
            return found.filter(**owned)
        return found.filter(person__isnull=True)

    def attempts(self, person: User, session_key: str | None) -> LoginAttemptQuerySet:
        """The logins that this person has begun here in this session."""
        return LoginAttempt.objects.for_session(person, session_key).filter(scope__in=self.scopes)

    def owners(self, person: User) -> dict[str, Owner]:
        """Those to whom a credential can be given here, by the value that stands for each in a form."""
        if self.name == "own":
            return {"": Owner(person=person)}
        found: dict[str, Owner] = {}
        if self.name == "organisation" and (organisation := Organisation.current()) is not None:
            found[ORGANISATION] = Owner(organisation=organisation)
        teams = Team.objects.managed_by(person).order_by("name")
        return found | {str(team.pk): Owner(team=team) for team in teams}


PLACES: dict[str, Place] = {
    place.name: place
    for place in (
        Place(
            name="organisation",
            url="keys",
            here="keys",
            scopes=("organisation", "team"),
            heading="Keys",
            lead="What Parley calls models with. A key is tested before it is kept, stored encrypted, and "
            "never shown again.",
            empty="There is none yet. Keys that you add here serve everyone, or the team that you choose, "
            "within the rules of Manage.",
            sidebar="manage/_sidebar.html",
        ),
        Place(
            name="teams",
            url="team_keys",
            here="own_keys",
            scopes=("team",),
            heading="Keys of your teams",
            lead="What your teams call models with. A key is tested before it is kept, stored encrypted, and "
            "never shown again.",
            empty="There is none yet. A key that you add here serves the members of its team in the team’s "
            "conversations.",
            sidebar="usage/_sidebar.html",
        ),
        Place(
            name="own",
            url="own_keys",
            here="own_keys",
            scopes=("person",),
            heading="Your keys",
            lead="Keys that you bring yourself. They serve you alone, are tested before they are kept, "
            "stored encrypted, and never shown again.",
            empty="There is none. You call models with the keys of your team or organisation.",
            sidebar="usage/_sidebar.html",
        ),
    )
}

View = Callable[Concatenate[HttpRequest, Place, P], HttpResponseBase]


def placed(view: View[P]) -> Callable[..., HttpResponseBase]:
    """Gives a view its place. Strangers are asked to sign in; for people to whom the place is not open it
    does not exist.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, place: str, **kwargs: Any) -> HttpResponseBase:
        here = PLACES[place]
        if not here.is_open_to(person_of(request)):
            raise Http404
        return view(request, here, *args, **kwargs)

    return cast("Callable[..., HttpResponseBase]", never_cache(login_required(guarded)))
