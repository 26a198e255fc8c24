"""What an admin types of a sign-in provider, and who may make an account."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from accounts.models import Membership, SignInDraft, Team, User
from accounts.names import one_line
from accounts.sign_in.forms import NameField, dressed
from accounts.single_sign_on.identities import GROUP_LENGTH
from accounts.single_sign_on.sign_up import MOST_DOMAINS, domains_in
from accounts.single_sign_on.vendors import VENDORS, issuer_of, typed_of
from providers.access import Secret

EMPTY_RULES = 3  # further lines that the page offers
MOST_RULES = 100
SECRET_AGAIN = "Enter the client secret again: it goes only where it was entered for."  # noqa: S105
VOUCHES_FOR = "Name the domains that you trust it with."


class DomainsField(forms.CharField):
    """Domains that somebody lists; the value is a list."""

    def __init__(self, **kwargs: Any) -> None:
        widget = dressed(
            forms.Textarea(attrs={"rows": 2}), spellcheck="false", autocapitalize="none", rows="2"
        )
        super().__init__(required=False, max_length=MOST_DOMAINS * 200, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | frozenset | set) else value

    def clean(self, value: Any) -> Any:
        return domains_in(super().clean(value) or "")


class ProviderForm(forms.Form):
    """A draft's own fields; the rules for groups are `RuleForms`. Valid, `values` are those to type in."""

    name = NameField(label="Name on the button", widget=dressed(forms.TextInput(), autocomplete="off"))
    issuer = forms.CharField(
        max_length=300, widget=dressed(forms.TextInput(), autocomplete="off", spellcheck="false")
    )
    client_id = forms.CharField(
        label="Client ID",
        max_length=300,
        widget=dressed(forms.TextInput(), autocomplete="off", spellcheck="false"),
    )
    client_secret = forms.CharField(
        label="Client secret",
        required=False,
        max_length=1000,
        widget=dressed(
            forms.PasswordInput(render_value=False), autocomplete="new-password", spellcheck="false"
        ),
    )
    domains = DomainsField(
        label="E-mail domains",
        help_text="Who comes with another address is refused. With none named, every address may sign in, "
        "and it is trusted with none.",
    )
    makes_accounts = forms.BooleanField(required=False)
    vouches = forms.BooleanField(required=False)
    checks_second_factor = forms.BooleanField(required=False)
    groups_claim = forms.CharField(
        label="Claim with the groups",
        required=False,
        max_length=200,
        help_text="Such as groups, or realm_access.roles for what lies deeper.",
        widget=dressed(forms.TextInput(), autocomplete="off", spellcheck="false"),
    )

    def __init__(self, data: Any = None, *, draft: SignInDraft) -> None:
        names = (
            "name",
            "client_id",
            "domains",
            "makes_accounts",
            "vouches",
            "checks_second_factor",
            "groups_claim",
        )
        initial = {name: getattr(draft, name) for name in names}
        initial["issuer"] = typed_of(draft.vendor, draft.issuer)
        super().__init__(data, initial=initial)
        self._draft, vendor = draft, VENDORS[draft.vendor]
        self.fields["issuer"].label, self.fields["issuer"].help_text = vendor.asks, vendor.hint
        # Subjects are those of one issuer: at another address somebody else could be anybody of them.
        if not vendor.asks or draft.provider_id is not None:
            del self.fields["issuer"]
        if not vendor.names_claim:
            del self.fields["groups_claim"]
        if not (vendor.is_openid or vendor.is_saml):
            del self.fields["vouches"]
        secret = self.fields["client_secret"]
        if draft.secret_hint:
            secret.help_text = f"Stored encrypted; it ends in {draft.secret_hint}. Leave it empty to keep it."
        elif draft.has_secret:
            secret.help_text = "Stored encrypted. Leave it empty to keep it."
        else:
            secret.help_text = "Stored encrypted. After this only its last four characters are shown."

    def clean_client_id(self) -> str:
        return _visible(self.cleaned_data["client_id"], "client ID")

    def clean_client_secret(self) -> Secret | None:
        text = self.cleaned_data["client_secret"]
        return Secret(_visible(text, "client secret")) if text else None

    def clean_issuer(self) -> str:
        return issuer_of(self._draft.vendor, self.cleaned_data["issuer"])

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("vouches") and not values.get("domains"):
            self.add_error("domains", VOUCHES_FOR)
        if values.get("client_secret") is None and "client_secret" not in self.errors:
            moved = any(
                getattr(self._draft, name) != values.get(name, getattr(self._draft, name))
                for name in ("issuer", "client_id")
            )
            if moved or not self._draft.has_secret:
                self.add_error("client_secret", SECRET_AGAIN if self._draft.has_secret else "Enter it.")
        return values

    @property
    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "client_secret"}


class RuleForm(forms.Form):
    """One line: whoever is in this group gets this."""

    group = forms.CharField(
        required=False,
        max_length=GROUP_LENGTH,
        widget=dressed(forms.TextInput(), autocomplete="off", spellcheck="false"),
    )
    team = forms.TypedChoiceField(required=False, coerce=UUID, empty_value=None)
    team_role = forms.ChoiceField(required=False, choices=Membership.Role.choices[::-1])
    role = forms.ChoiceField(required=False, choices=[("", "As it is"), (User.Role.ADMIN.value, "Admin")])

    def __init__(self, *args: Any, teams: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].choices = [("", "No team"), *teams]  # type: ignore[attr-defined]
        for name in ("team", "team_role", "role"):
            self.fields[name].widget.attrs["class"] = "input"

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        group = values["group"] = one_line(values.get("group") or "")
        gives = values.get("team") or values.get("role")
        if gives and not group:
            self.add_error("group", "Name the group.")
        if group and not gives and not self.errors:
            self.add_error("team", "Choose what it gives.")
        return values

    @property
    def rule(self) -> dict[str, Any] | None:
        values = self.cleaned_data
        if not values["group"]:
            return None
        team = str(values["team"]) if values["team"] else None
        role = values["team_role"] or Membership.Role.MEMBER.value
        return {"group": values["group"], "team": team, "team_role": role, "role": values["role"]}


def rule_forms(draft: SignInDraft, data: Any = None) -> forms.BaseFormSet[RuleForm]:
    """The lines of a draft, and a few empty ones."""
    teams = [(str(pk), name) for pk, name in Team.objects.order_by("name").values_list("pk", "name")]
    kind = forms.formset_factory(RuleForm, extra=EMPTY_RULES, max_num=MOST_RULES, validate_max=True)
    made: forms.BaseFormSet[RuleForm] = kind(
        data, initial=list(draft.groups), prefix="rules", form_kwargs={"teams": teams}
    )
    return made


def rules_of(made: forms.BaseFormSet[RuleForm]) -> list[dict[str, Any]]:
    return [rule for form in made if (rule := form.rule) is not None]


class SignUpForm(forms.Form):
    mode = forms.ChoiceField(
        choices=[
            ("closed", "Nobody"),
            ("invited", "Who was invited"),
            ("domain", "Also people with certain e-mail addresses"),
            ("sso", "By single sign-on alone"),
        ]
    )
    domains = DomainsField(
        label="E-mail domains", help_text="Such as example.org. Those below it are others."
    )

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("mode") == "domain" and not values.get("domains") and "domains" not in self.errors:
            self.add_error("domains", "Name at least one domain.")
        return values


def _visible(text: str, what: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValidationError(f"This is no {what}. Copy it again, whole and without spaces.")
    return text
