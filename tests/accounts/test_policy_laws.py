"""The laws by which rules come together, for any rules, teams and models."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from accounts.policies.features import ABOUT, Feature
from accounts.policies.rules import NO_RULES, Item, Rule, Rules, whole
from accounts.policies.standing import Source, Standing

PROVIDERS = ("anthropic", "openai")
REFS = tuple(f"{provider}/{model}" for provider in PROVIDERS for model in ("large", "small", "new"))
TEAMS = tuple(UUID(int=number) for number in range(1, 5))

features = st.frozensets(st.sampled_from(Feature), max_size=6)
rules = st.builds(
    Rule,
    which=st.sampled_from(("all", "only", "except")),
    models=st.frozensets(st.sampled_from((*REFS, *map(whole, PROVIDERS))), max_size=4),
    refused=features,
    granted=features,
)
every = st.builds(
    Rules,
    organisation=rules,
    others=st.none() | rules,
    teams=st.dictionaries(st.sampled_from(TEAMS), rules, max_size=4),
    stamp=st.just(UUID(int=9)),
)
items: st.SearchStrategy[Item] = st.sampled_from(REFS) | st.sampled_from(Feature)
some_teams = st.frozensets(st.sampled_from(TEAMS), max_size=4).map(lambda found: tuple(sorted(found)))
standings = st.builds(
    Standing, active=st.just(True), teams=some_teams, paying=st.none() | st.sampled_from(TEAMS), rules=every
)


@given(items)
def test_where_nothing_was_decided_everything_is_allowed_but_what_must_be_granted(item: Item) -> None:
    granted = isinstance(item, Feature) and ABOUT[item].granted
    assert Standing(True, (), None, NO_RULES).allows(item) is not granted


@given(standings, items)
def test_what_the_organisation_refuses_nobody_gets(standing: Standing, item: Item) -> None:
    if not standing.rules.organisation.allows(item, founds=True):
        assert not standing.allows(item)


@given(standings, items)
def test_rights_add_up_over_teams(standing: Standing, item: Item) -> None:
    standing = replace(standing, paying=None)
    alone = [replace(standing, teams=(team,)).allows(item) for team in standing.teams]
    if standing.teams:
        assert standing.allows(item) is any(alone)


@given(standings, items, st.sampled_from(TEAMS))
def test_a_further_team_takes_nothing_away(standing: Standing, item: Item, team: UUID) -> None:
    standing = replace(standing, paying=None)
    if standing.teams and standing.allows(item):
        assert replace(standing, teams=tuple(sorted({*standing.teams, team}))).allows(item)


@given(standings, items)
def test_who_is_in_no_team_has_what_goes_for_everyone_else(standing: Standing, item: Item) -> None:
    alone = replace(standing, teams=(), paying=None)
    others = standing.rules.others
    wanted = standing.rules.organisation.allows(item, founds=True) and (others is None or others.allows(item))
    assert alone.allows(item) is wanted


@given(standings, items)
def test_a_team_without_a_rule_inherits(standing: Standing, item: Item) -> None:
    (*_, team) = TEAMS
    bare = replace(
        standing.rules, teams={key: one for key, one in standing.rules.teams.items() if key != team}
    )
    in_it = Standing(True, (team,), None, bare)
    assert in_it.allows(item) is Standing(True, (), None, bare).allows(item)


@given(standings, items)
def test_the_paying_team_decides_for_its_own_people(standing: Standing, item: Item) -> None:
    for team in standing.teams:
        paid = replace(standing, paying=team)
        assert paid.allows(item) is Standing(True, (team,), None, standing.rules).allows(item)


@given(standings, items)
def test_a_team_that_one_is_not_in_gives_nothing_by_paying(standing: Standing, item: Item) -> None:
    if standing.paying is not None and standing.paying not in standing.teams and standing.allows(item):
        assert replace(standing, paying=None).allows(item)
        assert Standing(True, (standing.paying,), None, standing.rules).allows(item)


@given(standings, items, items)
def test_each_item_is_judged_by_itself(standing: Standing, one: Item, other: Item) -> None:
    judged = [standing.judge(item) for item in (one, other)]
    assert [found.allowed for found in judged] == [standing.allows(one), standing.allows(other)]


@given(standings, items)
def test_the_reasons_come_to_the_decision(standing: Standing, item: Item) -> None:
    judged = standing.judge(item)
    assert judged.allowed is standing.allows(item)
    first, *rest = judged.reasons
    assert first.source is Source.ORGANISATION
    paying = [reason for reason in rest if reason.team == standing.paying is not None][:1]
    own = [reason for reason in rest if reason not in paying]
    assert judged.allowed is (
        first.allows
        and all(reason.allows for reason in paying)
        and (not own or any(reason.allows for reason in own))
    )


@given(rules, st.sampled_from(PROVIDERS))
def test_a_new_model_is_allowed_unless_only_others_are_or_its_provider_is_excepted(
    one: Rule, provider: str
) -> None:
    wanted = {
        "all": True,
        "only": whole(provider) in one.models,
        "except": whole(provider) not in one.models,
    }
    assert one.allows(f"{provider}/made-tomorrow") is wanted[one.which]


@given(standings, items)
def test_a_narrower_rule_of_the_organisation_gives_nobody_more(standing: Standing, item: Item) -> None:
    before = standing.rules.organisation
    narrower = replace(before, refused=before.refused | {Feature.THINKING}, granted=frozenset())
    after = replace(standing, rules=replace(standing.rules, organisation=narrower))
    assert standing.allows(item) or not after.allows(item)
