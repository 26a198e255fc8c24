from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import actions
from accounts.models import Team
from usage.models import Budget

from .budgeting import DOLLAR, budget
from .lines import line

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("budget", *arguments, stdout=out)
    return out.getvalue()


def test_a_budget_is_made_and_changed_by_its_name() -> None:
    team = Team.objects.create(name="Blue")
    said = run("set", "Blue each", "--for", "member:blue", "--limit", "12.50", "--timezone", "Europe/Berlin")
    made = Budget.objects.get()
    assert (made.scope, made.scope_id, made.limit) == ("member", team.pk, 12_500_000_000)
    assert (made.measure, made.period, made.timezone, made.mode) == (
        "money",
        "month",
        "Europe/Berlin",
        "block",
    )
    assert "$12.50 per month for each member of the team “Blue”" in said
    run("set", "Blue each", "--limit", "20", "--mode", "warn", "--off")
    made.refresh_from_db()
    assert (made.limit, made.mode, made.enabled) == (20 * DOLLAR, "warn", False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["New"], "--for whom"),
        (["New", "--limit", "1"], "--for whom"),
        (["New", "--for", "organisation", "--limit", "1,5"], "with a point"),
        (["New", "--for", "organisation:x", "--limit", "1"], "--for takes"),
        (["New", "--for", "team", "--limit", "1"], "--for takes"),
        (["New", "--for", "team:Red", "--limit", "1"], "no team 'Red'"),
        (["New", "--for", "person:x@example.org", "--limit", "1"], "no person"),
        (["New", "--for", "token:7", "--limit", "1"], "no id"),
        (["New", "--for", "organisation", "--limit", "1", "--timezone", "Mars"], "time zone is not known"),
        (["New", "--for", "organisation", "--limit", "1", "--mode", "cheaper"], "--cheaper-model"),
        (["Old", "--period", "day"], "cannot be changed (period)"),
        (["Old", "--for", "project:01a1f949-8eec-73b5-a276-de3ce5efee1f"], "cannot be changed"),
    ],
)
def test_what_does_not_fit_is_said_and_changes_nothing(arguments: list[str], says: str) -> None:
    before = budget(name="Old")
    with pytest.raises(CommandError, match=says.replace("(", r"\(").replace(")", r"\)")):
        run("set", *arguments)
    assert list(Budget.objects.values()) == [
        {name: getattr(before, name) for name in Budget.objects.values().get()}
    ]


def test_the_list_says_how_full_each_is() -> None:
    ada = actions.create_user(email="ada@example.org", password="correct horse battery", display_name="Ada")
    team = Team.objects.create(name="Blue")
    line(user=ada.pk, team=team.pk, cost_nano=25 * DOLLAR)
    budget(name="All", measure="requests", limit=4)
    each = budget(name="Each", scope="member", scope_id=team.pk, limit=50 * DOLLAR)
    said = run("list")
    assert "All: 4 requests per month for the organisation, block, strict\n    1 spent, 0 held, 25%" in said
    assert "resets" in said
    assert "Each: $50.00 per month for each member of the team “Blue”" in said
    assert "not used in this period" in said
    each.delete()


def test_a_person_of_a_member_budget_is_named() -> None:
    ada = actions.create_user(email="ada@example.org", password="correct horse battery", display_name="Ada")
    team = Team.objects.create(name="Blue")
    each = budget(name="Each", scope="member", scope_id=team.pk, period="total", limit=50 * DOLLAR)
    each.periods.create(subject=ada.pk, begins_at=each.created_at, settled=10 * DOLLAR, held=DOLLAR)
    assert "    ada@example.org: $10.00 spent, $1.00 held, 22%\n" in run("list")
