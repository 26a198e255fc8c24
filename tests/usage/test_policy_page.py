"""Manage → Policy: rules seen and changed, what a change takes, and why somebody may or may not."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import AuditEvent, Membership, Policy, Team, User
from accounts.policies import store
from accounts.policies.features import Feature
from providers.access import Secret

from .budgeting import budget
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in
from .moving_on import HAIKU, OPUS
from .ruled import everyone_else, organisation, rule, team

ORGANISATION = "/manage/policy/organisation/"
OTHERS = "/manage/policy/everyone-else/"
ALL_FEATURES = ["thinking", "web_search", "code_execution", "long_context"]
NO_OPUS = {"which": "except", "models": [OPUS], "features": ALL_FEATURES}


@pytest.fixture(autouse=True)
def _keyed(nothing_changed: None, settings: Any) -> None:
    settings.PROVIDER_ENVIRONMENT = {
        "anthropic": {"api_key": Secret("sk-ant-test"), "base_url": "https://api.anthropic.com"}
    }


def save(client: Client, path: str, fields: dict[str, Any]) -> str:
    """Saves a rule, through the page that says what it takes; returns what that page said."""
    response = client.post(path, fields)
    if response.status_code == 302:
        return ""
    assert response.status_code == 200, response.content.decode()
    text = html.unescape(response.content.decode())
    sure = re.search(r'name="sure" value="(\w+)"', text)
    assert sure
    assert client.post(path, {**fields, "sure": sure[1]}).status_code == 302
    return text


def path_of(found: Team) -> str:
    return f"/manage/policy/teams/{found.pk}/"


def test_where_nothing_was_decided_the_page_says_that_all_is_allowed(admin: User) -> None:
    text = page(signed_in(admin), "/manage/policy/")
    assert "All models, also those to come." in text
    assert "Every feature." in text


def test_a_rule_is_shown_before_it_is_saved_with_what_it_takes(admin: User, member: User) -> None:
    client = signed_in(admin)
    design = team("Design", member)
    response = client.post(path_of(design), NO_OPUS)
    assert response.status_code == 200
    assert "This takes Opus 5.5 from 1 person in 1 team." in response.content.decode()
    assert not Policy.objects.exists()
    said = save(client, path_of(design), NO_OPUS)
    assert "Not saved yet." in said
    assert Policy.objects.get().refs == [OPUS]
    text = page(client, "/manage/policy/")
    assert "All models but Opus 5.5; also those to come." in text


def test_another_choice_than_the_one_shown_is_shown_again(admin: User, member: User) -> None:
    client = signed_in(admin)
    text = client.post(ORGANISATION, NO_OPUS).content.decode()
    sure = re.search(r'name="sure" value="(\w+)"', text)
    assert sure
    other = {**NO_OPUS, "models": [HAIKU], "sure": sure[1]}
    assert "This takes Haiku 5.5 from 3 people." in client.post(ORGANISATION, other).content.decode()
    assert not Policy.objects.exists()


def test_what_gives_people_more_is_saved_at_once(admin: User) -> None:
    organisation(rule("except", [OPUS]))
    response = signed_in(admin).post(ORGANISATION, {"which": "all", "features": ALL_FEATURES})
    assert response.status_code == 302
    assert store.current().organisation == rule()


def test_features_that_are_not_checked_are_refused(admin: User) -> None:
    client = signed_in(admin)
    said = save(client, ORGANISATION, {"which": "all", "features": ["thinking"]})
    assert "This takes web search, running code and long context from 2 people." in said
    assert store.current().organisation.refused == {
        Feature.WEB_SEARCH,
        Feature.CODE_EXECUTION,
        Feature.LONG_CONTEXT,
    }
    assert "Without web search, running code and long context." in page(client, "/manage/policy/")


def test_what_the_form_does_not_show_stays(admin: User) -> None:
    organisation(rule(refused=[Feature.FAST], granted=[Feature.SERVICE_TIER]))
    save(signed_in(admin), ORGANISATION, NO_OPUS)
    kept = store.current().organisation
    assert kept.refused == {Feature.FAST}
    assert kept.granted == {Feature.SERVICE_TIER}


def test_only_features_that_can_be_asked_for_are_on_the_page(admin: User) -> None:
    text = page(signed_in(admin), ORGANISATION)
    assert set(re.findall(r'name="features" value="(\w+)"', text)) == set(ALL_FEATURES)


def test_a_feature_that_nobody_knows_is_refused(admin: User) -> None:
    response = signed_in(admin).post(ORGANISATION, {"which": "all", "features": ["service_tier"]})
    assert response.status_code == 422
    assert not Policy.objects.exists()


def test_all_but_nothing_is_refused_with_a_sentence(admin: User) -> None:
    response = signed_in(admin).post(ORGANISATION, {"which": "except", "features": ALL_FEATURES})
    assert response.status_code == 422
    assert "Check the models or providers that are not allowed" in response.content.decode()


def test_a_team_gives_its_rule_back(admin: User, member: User) -> None:
    client = signed_in(admin)
    design = team("Design", member, decided=rule("except", [OPUS]))
    assert client.post(path_of(design), {"which": "inherit"}).status_code == 302
    assert not store.current().teams
    assert "What goes for everyone else." in page(client, "/manage/policy/")


def test_a_model_that_is_gone_stays_in_its_rule(admin: User) -> None:
    organisation(rule("except", ["anthropic/claude-of-yore"]))
    text = page(signed_in(admin), ORGANISATION)
    assert 'value="anthropic/claude-of-yore" checked' in text


def test_who_changed_a_rule_and_what_it_was_is_in_the_log(admin: User) -> None:
    save(signed_in(admin), ORGANISATION, NO_OPUS)
    event = AuditEvent.objects.get(verb="policy.changed")
    assert event.actor == admin.pk
    assert OPUS in event.after
    assert "models and features of the organisation" in page(signed_in(admin), "/manage/audit/")


def test_the_pages_take_few_queries_however_many_teams(
    admin: User, member: User, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = signed_in(admin)
    for number in range(12):
        team(f"Team {number}", member, decided=rule("except", [OPUS]))
    page(client, "/manage/policy/")
    with django_assert_max_num_queries(8):
        page(client, "/manage/policy/")
    with django_assert_max_num_queries(16):
        page(client, f"/manage/policy/explain/?person={member.pk}&model={OPUS}")


def explained(client: Client, person: User, **asked: Any) -> str:
    query = "&".join(f"{name}={value}" for name, value in {"model": OPUS, **asked}.items())
    text = page(client, f"/manage/policy/explain/?person={person.pk}&{query}")
    answer = re.sub(r"<[^>]+>", " ", text.partition('aria-labelledby="answer"')[2])
    return " ".join(html.unescape(answer).split())


def test_every_rule_that_took_part_is_named_in_order_and_links_to_its_form(admin: User, member: User) -> None:
    client = signed_in(admin)
    design = team("Design", member, decided=rule("except", [OPUS]))
    said = explained(client, member, feature="thinking")
    assert "Mo may not use Opus 5.5 with thinking." in said
    assert said.index("The rule of the organisation allows it.") < said.index(
        "The rule of the team “Design” refuses it."
    )
    text = page(client, f"/manage/policy/explain/?person={member.pk}&model={OPUS}")
    for href in (path_of(design), ORGANISATION, f"/manage/people/{member.pk}/"):
        assert f'href="{href}"' in text


def test_a_team_that_refuses_what_another_allows_does_not_count(admin: User, member: User) -> None:
    team("Design", member, decided=rule("except", [OPUS]))
    team("Research", member, decided=rule())
    said = explained(signed_in(admin), member)
    assert "Mo may use Opus 5.5." in said
    assert "The rule of the team “Design” refuses it. Another team is enough." in said


def test_the_paying_team_takes_part(admin: User, member: User) -> None:
    design = team("Design", member, decided=rule("except", [OPUS]))
    team("Research", member, decided=rule())
    said = explained(signed_in(admin), member, team=design.pk)
    assert "Mo may not use Opus 5.5." in said
    assert "The rule of the team “Design”, which pays, refuses it." in said
    assert "Research" not in said


def test_a_missing_key_and_a_full_budget_are_named_beside_the_rules(
    admin: User, member: User, settings: Any
) -> None:
    settings.PROVIDER_ENVIRONMENT = {}
    said = explained(signed_in(admin), member)
    assert "Mo may use Opus 5.5, but a call would be refused now." in said
    assert "There is no key for Anthropic" in said


def test_a_budget_with_room_is_no_hindrance(admin: User, member: User) -> None:
    budget(name="Everything")
    assert "Mo may use Opus 5.5." in explained(signed_in(admin), member)


def test_a_deactivated_person_may_use_nothing(admin: User, member: User) -> None:
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert "Mo may not use Opus 5.5." in explained(signed_in(admin), member)


def test_a_model_that_is_not_asked_about_is_refused_in_the_form(admin: User, member: User) -> None:
    text = page(signed_in(admin), f"/manage/policy/explain/?person={member.pk}&model=nobody/none")
    assert "may use" not in text.partition('class="form"')[2].partition("</form>")[2]


def test_the_page_of_a_person_lists_models_by_the_team_that_allows_them(admin: User, member: User) -> None:
    everyone_else(rule("except", [OPUS]))
    team("Design", member, decided=rule("only", [HAIKU], refused=[Feature.WEB_SEARCH]))
    text = html.unescape(page(signed_in(admin), f"/manage/people/{member.pk}/"))
    assert "May use Haiku 5.5" in text
    assert "Allowed by team Design." in text
    assert "May not use web search" in text
    assert f"/manage/policy/explain/?person={member.pk}" in text


def test_everybody_sees_what_they_may_use_themselves_and_why(member: User) -> None:
    team("Design", member, decided=rule("except", [OPUS]))
    team("Secret plans", decided=rule())
    client = signed_in(member)
    text = html.unescape(page(client, "/usage/allowed/"))
    assert "May not use Opus 5.5" in text
    assert "The rule of the team “Design” refuses it." in text
    assert "Secret plans" not in text
    text = html.unescape(page(client, f"/usage/allowed/?model={OPUS}&feature=thinking"))
    assert "Mo may not use Opus 5.5 with thinking." in text
    assert "/manage/" not in text.partition('id="main"')[2]
    assert "/usage/allowed/" in page(client, "/settings/profile/")


def test_nobody_learns_of_others_by_their_own_page(member: User, admin: User) -> None:
    design = team("Design", admin, decided=rule("except", [OPUS]))
    text = page(signed_in(member), f"/usage/allowed/?model={OPUS}&person={admin.pk}&team={design.pk}")
    assert "Mo may use Opus 5.5." in text
    assert "which pays" not in text


def test_the_command_explains_as_the_page_does(member: User) -> None:
    team("Design", member, decided=rule("except", [OPUS]))
    out = StringIO()
    call_command("policy", "explain", user=member.email, model=OPUS, feature=["thinking"], stdout=out)
    assert "NO  Opus 5.5: The rule of the team “Design” refuses it." in out.getvalue()
    assert "Mo may not use Opus 5.5 with thinking." in out.getvalue()
    out = StringIO()
    call_command("policy", "list", stdout=out)
    assert "Design: All models but Opus 5.5; also those to come. Every feature." in out.getvalue()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"user": "nobody@example.org"}, "There is no account"),
        ({"model": "anthropic/none"}, "Nothing is known of the model"),
        ({"team": "Nobody"}, "There is no team"),
    ],
)
def test_the_command_says_what_it_does_not_know(member: User, asked: dict[str, str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("policy", "explain", **{"user": member.email, "model": OPUS, **asked})


def test_who_leaves_a_team_loses_what_it_allowed(admin: User, member: User) -> None:
    everyone_else(rule("except", [OPUS]))
    team("Research", member, decided=rule())
    assert store.standing(member.pk).allows(OPUS)
    Membership.objects.all().delete()
    assert not store.standing(member.pk).allows(OPUS)
