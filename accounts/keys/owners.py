"""To whom a credential belongs, and who may change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from accounts.models import Credential, LoginAttempt, Organisation, Team, User
from accounts.models.credential import Scope

EVERYONE = "Everyone here"  # whom a credential of the organisation serves


@dataclass(frozen=True, slots=True)
class Owner:
    """Exactly one of the three is there."""

    person: User | None = None
    team: Team | None = None
    organisation: Organisation | None = None

    @classmethod
    def of(cls, credential: Credential) -> Self:
        return cls(credential.person, credential.team, credential.organisation)

    @classmethod
    def of_attempt(cls, attempt: LoginAttempt) -> Self | None:
        """For whom a login was begun; None where that owner is gone, or the person may not change its keys
        any more.
        """
        person, found = attempt.person, None
        match attempt.scope:
            case "person" if person.is_active:
                return cls(person=person)
            case "team":
                found = cls(team=attempt.team) if attempt.team is not None else None
            case "organisation":
                organisation = Organisation.current()
                found = cls(organisation=organisation) if organisation is not None else None
        return found if found is not None and found.may_be_changed_by(person) else None

    @property
    def scope(self) -> Scope:
        if self.person is not None:
            return "person"
        return "team" if self.team is not None else "organisation"

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of a credential of this owner."""
        return {"person": self.person, "team": self.team, "organisation": self.organisation}

    @property
    def filters(self) -> dict[str, Any]:
        """What its credentials are found by."""
        return {name: one for name, one in self.columns.items() if one is not None}

    @property
    def name(self) -> str:
        """What the page calls it."""
        if self.team is not None:
            return self.team.name
        return EVERYONE if self.person is None else self.person.display

    def may_be_changed_by(self, person: User) -> bool:
        """As CredentialQuerySet.for_user says of rows."""
        if self.person is not None:
            return person.is_active and self.person.pk == person.pk
        if self.team is not None:
            return person.is_active and Team.objects.managed_by(person).filter(pk=self.team.pk).exists()
        return person.is_admin

    def facts(self) -> dict[str, object]:
        """What the audit log holds of it."""
        one = self.person or self.team
        return {"owner": self.scope, **({f"{self.scope}_id": str(one.pk)} if one is not None else {})}
