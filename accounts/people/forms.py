"""The forms about people and teams. They check shape; what is allowed is decided by accounts.people.rules."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms

from accounts.models import Membership, Team, User
from accounts.names import NAME_LENGTH
from accounts.people import languages

ROLES = {
    "member": ("Member", "Chats, and sees what they themselves use"),
    "admin": ("Admin", "Manages people, keys, budgets, models and rules"),
    "owner": ("Owner", "An admin who can also make and change owners"),
}
TEAM_ROLES = {
    "member": ("Member", "Uses the team's keys and its pool"),
    "manager": ("Manager", "Invites people to this team and manages its keys"),
}


class InviteForm(forms.Form):
    """`by` sees the roles and teams that they may give."""

    email = forms.EmailField(label="E-mail", max_length=254)
    role = forms.ChoiceField(required=False)
    team = forms.ModelChoiceField(Team.objects.none(), required=False, label="Team", empty_label="No team")
    team_role = forms.ChoiceField(
        required=False, choices=[(name, words[0]) for name, words in TEAM_ROLES.items()]
    )

    def __init__(self, data: Any = None, *, by: User, **more: Any) -> None:
        super().__init__(data, **more)
        self.fields["email"].widget.attrs["class"] = self.fields["team"].widget.attrs["class"] = "input"
        self.fields["team"].queryset = Team.objects.managed_by(by).order_by("name")  # type: ignore[attr-defined]
        ranks = ["member", "admin", "owner"] if by.role == User.Role.OWNER else ["member", "admin"]
        self.offered = [(name, *ROLES[name]) for name in (ranks if by.is_admin else ["member"])]
        self.fields["role"].choices = [(name, label) for name, label, _ in self.offered]  # type: ignore[attr-defined]
        if not by.is_admin:
            self.fields["team"].required = True
            self.fields["team"].empty_label = None  # type: ignore[attr-defined]

    def clean_role(self) -> str:
        return self.cleaned_data["role"] or User.Role.MEMBER

    def clean_team_role(self) -> str:
        return self.cleaned_data["team_role"] or Membership.Role.MEMBER


class TeamForm(forms.Form):
    name = forms.CharField(
        label="Name", max_length=NAME_LENGTH, widget=forms.TextInput(attrs={"class": "input"})
    )


class PeopleForm(forms.Form):
    """The filters of the list of people."""

    STATES = {"": "Active", "off": "Deactivated", "all": "Active and deactivated"}
    SORTS = ("name", "role", "seen")

    q = forms.CharField(required=False, max_length=80)
    role = forms.ChoiceField(required=False, choices=[("", ""), *((name, name) for name in ROLES)])
    team = forms.ModelChoiceField(Team.objects.order_by("name"), required=False)
    state = forms.ChoiceField(required=False, choices=STATES.items())
    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in SORTS])
    page = forms.IntegerField(required=False, min_value=1, max_value=100_000)


class ProfileForm(forms.Form):
    """What people say of themselves."""

    display_name = forms.CharField(
        label="Name",
        max_length=NAME_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "name"}),
        help_text="What others read. Empty: the first part of your e-mail.",
    )
    timezone = forms.ChoiceField(
        label="Time zone",
        choices=[(name, name.replace("_", " ")) for name in sorted(available_timezones())],
        widget=forms.Select(attrs={"class": "input"}),
    )
    language = forms.ChoiceField(
        label="Language I write and read answers in",
        required=False,
        choices=[("", "As the browser does"), *languages.choices()],
        widget=forms.Select(attrs={"class": "input"}),
    )
