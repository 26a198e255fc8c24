"""Many invitations from one file: email, name of the team, role, read in full before anybody is invited.

email,team,role
ada@example.org,Design,member
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import Team, User
from accounts.names import clean_email, clean_name
from accounts.people import rules
from accounts.people.invitations import Invited, invite

MOST = 500  # rows of one file
MOST_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file. `problem` says why nobody would be invited by it, "" where somebody would."""

    number: int
    email: str
    team: Team | None
    role: str
    problem: str


class Unreadable(Exception):
    """The file as a whole is not understood. The text says why."""


def read(by: User, data: bytes) -> list[Row]:
    """What each line would do. Nothing is written. Raises Unreadable."""
    if len(data) > MOST_BYTES:
        raise Unreadable("The file is larger than 200 kB. Split it.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8 text. Save it as “CSV UTF-8”.") from None
    reader = csv.reader(io.StringIO(text), dialect=_dialect(text))
    try:
        lines = [[cell.strip() for cell in line] for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise Unreadable(f"The file is no CSV: {error}.") from None
    if not lines or lines[0][0].casefold() not in {"email", "e-mail"}:
        raise Unreadable(
            "The first line must name the columns: email,team,role. Team and role may be left out."
        )
    names = [name.casefold() for name in lines[0]]
    if len(lines) - 1 > MOST:
        raise Unreadable(f"The file has more than {MOST} lines. Split it.")
    teams = {team.name.casefold(): team for team in Team.objects.all()}
    taken = set(User.objects.values_list("email", flat=True))
    rows: list[Row] = []
    for number, line in enumerate(lines[1:], start=2):
        cells = dict(zip(names, line, strict=False))
        row = _row(by, number, cells, teams, taken)
        taken.add(row.email)
        rows.append(row)
    return rows


def invite_all(by: User, rows: list[Row]) -> tuple[list[Invited], list[Row]]:
    """Invites by every row without a problem; returns the invitations, and the rows that failed meanwhile."""
    done: list[Invited] = []
    failed: list[Row] = []
    for row in rows:
        if row.problem:
            continue
        try:
            done.append(invite(by=by, email=row.email, role=row.role, team=row.team))
        except (ValidationError, rules.NotAllowed) as error:
            words = error.messages[0] if isinstance(error, ValidationError) else str(error)
            failed.append(Row(row.number, row.email, row.team, row.role, words))
    return done, failed


def _row(by: User, number: int, cells: dict[str, str], teams: dict[str, Team], taken: set[str]) -> Row:
    email = clean_email(cells.get("email") or cells.get("e-mail") or "")
    role = (cells.get("role") or User.Role.MEMBER).casefold()
    name = clean_name(cells.get("team", ""))
    team = teams.get(name.casefold())
    problem = ""
    try:
        validate_email(email)
    except ValidationError:
        problem = "This is no address."
    if not problem and email in taken:
        problem = "This address has an account, or stands further up."
    elif not problem and name and team is None:
        problem = f"There is no team “{name}”."
    elif not problem and role not in User.Role.values:
        problem = f"There is no role “{role}”: use {', '.join(User.Role.values)}."
    elif not problem:
        problem = rules.may_invite(by, role, team)
    return Row(number, email, team, role, problem)


def _dialect(text: str) -> type[csv.Dialect]:
    """With commas, or with the semicolons of spreadsheets in many languages."""
    first = text.partition("\n")[0]

    class Separated(csv.excel):
        delimiter = ";" if first.count(";") > first.count(",") else ","

    return Separated
