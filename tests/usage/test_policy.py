"""What the rules of models and features refuse to calls, through every door to a model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.ids import uuid7
from accounts.models import AuditEvent, Membership, Policy, Team, User
from accounts.policies import store
from accounts.policies.features import Feature
from providers import catalogue
from providers.simulator.server import ThreadServer
from providers.types import CODE_EXECUTION, WEB_SEARCH, MessageRequest
from usage import metering, policy
from usage.caller import Caller
from usage.calls import counts
from usage.errors import CallRefused
from usage.models import Hold

from .budgeting import budget
from .conftest import SONNET, Pauses, asking, database, lines, made, open_holds
from .moving_on import HAIKU, OPUS, chain, once
from .ruled import everyone_else, of, organisation, rule, team
from .test_revoked import at_the_vendor

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]

SEARCH = {"type": WEB_SEARCH, "name": "web_search", "max_uses": 1}
CODE = {"type": CODE_EXECUTION, "name": "code_execution"}
TOOL = {"name": "look", "input_schema": {"type": "object"}}
NO_OPUS = rule("except", [OPUS])
Ask = Callable[[Caller, MessageRequest], Awaitable[object]]


async def call(caller: Caller, request: MessageRequest) -> object:
    return await metering.complete(caller, request, purpose="chat", call_id=uuid7())


async def title(caller: Caller, request: MessageRequest) -> object:
    return await metering.complete(caller, request, purpose="title", call_id=uuid7())


async def count(caller: Caller, request: MessageRequest) -> object:
    counts.cache.clear()
    return await metering.count(caller, request)


async def refusal(ask: Ask, caller: Caller, request: MessageRequest, vendor: ThreadServer) -> str:
    """The call is refused: nothing asked, nothing held, nothing written."""
    with pytest.raises(CallRefused) as refused:
        await ask(caller, request)
    assert refused.value.code == "not_allowed"
    assert not await database(Hold.objects.exists)
    assert await database(lines) == []
    assert not [seen for seen in vendor.app.counters.recent if seen["method"] == "POST"]
    return refused.value.message


@pytest.mark.parametrize("ask", [call, title, count])
async def test_a_refused_model_is_refused_at_every_door(
    ask: Ask, caller: Caller, vendor: ThreadServer
) -> None:
    await database(lambda: organisation(NO_OPUS))
    said = await refusal(ask, caller, asking(OPUS), vendor)
    assert said == (
        "Opus 5.5 is not allowed by the rule of the organisation. "
        "Ask an admin, who can change that under Manage, Policy."
    )
    assert await ask(caller, asking())


async def test_an_alias_of_a_refused_model_is_refused(caller: Caller, vendor: ThreadServer) -> None:
    spec = next(spec for spec in catalogue.specs("anthropic") if spec.aliases and not spec.restricted)
    await database(lambda: organisation(rule("except", [spec.ref])))
    await refusal(call, caller, asking(f"anthropic/{spec.aliases[0]}"), vendor)


@pytest.mark.parametrize("role", ["owner", "admin"])
async def test_admins_are_not_exempt(role: str, caller: Caller, person: User, vendor: ThreadServer) -> None:
    await database(lambda: User.objects.filter(pk=person.pk).update(role=role))
    await database(lambda: organisation(NO_OPUS))
    await refusal(call, caller, asking(OPUS), vendor)


async def test_a_whole_provider_can_be_kept_with_the_models_that_it_makes_later(
    caller: Caller, vendor: ThreadServer
) -> None:
    await database(lambda: organisation(rule("only", ["openai/*"])))
    await refusal(call, caller, asking(), vendor)
    await database(lambda: organisation(rule("only", ["anthropic/*"])))
    assert await call(caller, asking())


async def test_one_team_of_several_is_enough(caller: Caller, person: User, vendor: ThreadServer) -> None:
    design = await database(lambda: team("Design", person, decided=NO_OPUS))
    said = await refusal(call, caller, asking(OPUS), vendor)
    assert "Opus 5.5 is not allowed in your team “Design”." in said
    research = await database(lambda: team("Research", person, decided=rule("only", [OPUS])))
    assert await call(caller, asking(OPUS))
    assert await call(caller, asking())  # which Design may use
    await database(lambda: of(research, NO_OPUS))
    with pytest.raises(CallRefused, match="in any of your teams, “Design” and “Research”"):
        await call(caller, asking(OPUS))
    await database(lambda: of(design, None))
    assert await call(caller, asking(OPUS))


async def test_a_model_can_be_kept_for_one_team(caller: Caller, person: User, vendor: ThreadServer) -> None:
    await database(lambda: everyone_else(NO_OPUS))
    assert "to people in no team" in await refusal(call, caller, asking(OPUS), vendor)
    await database(lambda: team("Research", person, decided=rule()))
    assert await call(caller, asking(OPUS))


async def test_the_rule_of_the_paying_team_counts(caller: Caller, person: User, vendor: ThreadServer) -> None:
    design = await database(lambda: team("Design", person, decided=NO_OPUS))
    research = await database(lambda: team("Research", person, decided=rule()))
    said = await refusal(call, replace(caller, team_id=design.pk), asking(OPUS), vendor)
    assert "the team “Design”, which pays for this" in said
    assert await call(replace(caller, team_id=research.pk), asking(OPUS))
    assert await call(caller, asking(OPUS))


async def test_a_paying_team_that_the_person_has_left_gives_nothing(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    await database(lambda: team("Design", person, decided=NO_OPUS))
    research = await database(lambda: team("Research", decided=rule()))
    await refusal(call, replace(caller, team_id=research.pk), asking(OPUS), vendor)


THINKING: dict[str, Any] = {"thinking": {"type": "adaptive"}}


@pytest.mark.parametrize(
    ("feature", "fields"),
    [
        (Feature.THINKING, THINKING),
        (Feature.THINKING, {"output_config": {"effort": "max"}, "thinking": {"type": "between_tools"}}),
        (Feature.THINKING, {"extra": THINKING}),
        (Feature.WEB_SEARCH, {"tools": [SEARCH]}),
        (Feature.WEB_SEARCH, {"extra": {"tools": [SEARCH]}}),
        (Feature.WEB_FETCH, {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
        (Feature.CODE_EXECUTION, {"tools": [CODE]}),
        (Feature.TOOLS, {"tools": [TOOL]}),
        (Feature.TOOLS, {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
        (Feature.FAST, {"extra": {"speed": "fast"}}),
        (Feature.REGION, {"extra": {"inference_geo": "us"}}),
        (Feature.BETAS, {"extra": {"betas": ["context-1m-2025-08-07"]}}),
        (
            Feature.FILES,
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}
                ]
            },
        ),
    ],
)
async def test_a_refused_feature_is_refused_wherever_it_stands_in_the_request(
    caller: Caller, vendor: ThreadServer, feature: Feature, fields: dict[str, Any]
) -> None:
    await database(lambda: organisation(rule(refused=[feature])))
    quiet = replace(asking(), thinking={"type": "between_tools"})
    said = await refusal(call, caller, replace(quiet, **fields), vendor)
    assert "is not allowed by the rule of the organisation" in said
    await refusal(count, caller, replace(quiet, **fields), vendor)
    assert await call(caller, quiet)


@pytest.mark.parametrize(
    ("feature", "fields"),
    [
        (Feature.SERVICE_TIER, {"extra": {"service_tier": "auto"}}),
        (Feature.FALLBACKS, {"extra": {"fallbacks": [{"model": "claude-opus-5-5"}]}}),
        (Feature.MCP_SERVERS, {"extra": {"mcp_servers": [{"url": "https://m.test"}]}}),
        (Feature.MCP_SERVERS, {"tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}]}),
        (Feature.CONTAINERS, {"extra": {"container": "c_1"}}),
        (Feature.OTHER, {"tools": [{"type": "advisor_20260301", "name": "advisor"}]}),
        (Feature.OTHER, {"extra": {"model": "claude-opus-5-5"}}),
        (Feature.OTHER, {"extra": {"max_tokens": 99_999}}),
    ],
)
async def test_what_must_be_granted_is_refused_until_the_organisation_grants_it(
    caller: Caller, person: User, vendor: ThreadServer, feature: Feature, fields: dict[str, Any]
) -> None:
    spec = catalogue.spec(SONNET)
    assert spec is not None
    request = replace(asking(), **fields)
    assert "nobody was granted it" in await refusal(call, caller, request, vendor)
    await database(lambda: team("Design", person, decided=rule(granted=[feature])))
    await refusal(call, caller, request, vendor)
    await database(lambda: organisation(rule(granted=[feature])))
    standing = await database(lambda: policy.may_use(person.pk, spec, request))
    assert standing.allows(feature)


async def test_a_conversation_that_runs_code_goes_on_in_its_container(caller: Caller, person: User) -> None:
    spec = catalogue.spec(SONNET)
    assert spec is not None
    request = replace(asking(), tools=[CODE], extra={"container": "c_1"})
    assert await database(lambda: policy.may_use(person.pk, spec, request))


async def test_a_long_prompt_is_refused_where_long_context_is(caller: Caller, vendor: ThreadServer) -> None:
    await database(lambda: organisation(rule(refused=[Feature.LONG_CONTEXT])))
    assert await call(caller, asking(HAIKU))
    text = "word " * 80_000
    long = replace(asking(HAIKU), messages=[{"role": "user", "content": text}])
    with pytest.raises(CallRefused, match="Long context is not allowed"):
        await call(caller, long)
    await database(lambda: organisation(rule()))
    assert await call(caller, long)


async def test_a_model_that_always_thinks_goes_with_thinking(caller: Caller, vendor: ThreadServer) -> None:
    await database(lambda: organisation(rule(refused=[Feature.THINKING])))
    assert "Thinking is not allowed" in await refusal(call, caller, asking(OPUS), vendor)


async def test_a_fallback_that_the_person_may_not_use_is_passed_over(caller: Caller) -> None:
    await chain(OPUS, HAIKU)
    await database(lambda: organisation(NO_OPUS))
    done = await made(caller, asking(**once(529)))
    assert done.call.route.model == "claude-haiku-5-5"
    await database(lambda: organisation(rule("only", [SONNET])))
    alone = await made(caller, asking(**once(529)), retries=Pauses(most=0))
    assert alone.error is not None


async def test_a_budgets_cheaper_model_that_the_person_may_not_use_does_not_answer(
    caller: Caller,
) -> None:
    await database(lambda: budget(mode="cheaper", cheaper_model=HAIKU, limit=1))
    assert (await made(caller, asking())).call.route.model == "claude-haiku-5-5"
    await database(lambda: organisation(rule("except", [HAIKU])))
    with pytest.raises(CallRefused) as refused:
        await call(caller, asking())
    assert refused.value.code == "over_budget"


async def test_a_change_counts_from_the_next_call_and_what_runs_goes_on(
    caller: Caller, vendor: ThreadServer
) -> None:
    begun = asyncio.Event()

    async def answer() -> str:
        text, request = "", asking(text="Still here.", gates={"decided": 4})
        async with metering.call(caller, request, purpose="chat", call_id=uuid7()) as running:
            async for event in running:
                if event["type"] == "content_block_delta":
                    begun.set()
                    text += event["delta"].get("text", "")
        return text

    running = asyncio.create_task(answer())
    await begun.wait()
    await database(lambda: organisation(rule("except", [SONNET])))
    with pytest.raises(CallRefused):
        await call(caller, asking())
    await at_the_vendor(vendor, "gates/decided", "POST")
    assert await running == "Still here."


async def test_while_the_rules_change_every_call_is_either_made_or_refused(caller: Caller) -> None:
    async def flip() -> None:
        for turn in range(10):
            decided = NO_OPUS if turn % 2 else rule()
            await asyncio.to_thread(_and_close, lambda decided=decided: organisation(decided))

    async def ask() -> str:
        try:
            await call(caller, asking(OPUS))
        except CallRefused as refused:
            return refused.code
        return "made"

    flipping = asyncio.create_task(flip())
    found = []
    while not flipping.done():
        found += await asyncio.gather(*(ask() for _ in range(4)))
    await flipping
    assert set(found) <= {"made", "not_allowed"}
    with pytest.raises(CallRefused):
        await call(caller, asking(OPUS))
    assert await database(open_holds) == 0


def _and_close(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        connection.close()


async def test_two_first_changes_at_once_both_stand(person: User, caller: Caller) -> None:
    teams = [await database(lambda name=name: team(name, person)) for name in ("Design", "Research")]
    await asyncio.gather(*(asyncio.to_thread(_and_close, lambda one=one: of(one, NO_OPUS)) for one in teams))
    assert await database(Policy.objects.count) == 2
    assert set((await database(store.current)).teams) == {one.pk for one in teams}
    with pytest.raises(CallRefused):
        await call(caller, asking(OPUS))


async def test_a_call_costs_one_query_and_the_rules_are_read_once(
    person: User, django_assert_num_queries: Callable[[int], Any]
) -> None:
    spec = catalogue.spec(SONNET)
    assert spec is not None

    def asked() -> None:
        team("Design", person, decided=NO_OPUS)
        policy.may_use(person.pk, spec, asking())
        with django_assert_num_queries(1):
            policy.may_use(person.pk, spec, asking())

    await database(asked)


@pytest.mark.django_db(transaction=True)
def test_what_a_newer_version_wrote_allows_nothing(person: User) -> None:
    organisation(NO_OPUS)
    Policy.objects.update(refs={"all": "of them"})
    store.change(by=None, scope=store.Scope.OTHERS, rule=rule())
    assert not store.standing(person.pk).allows(SONNET)


@pytest.mark.django_db(transaction=True)
def test_a_team_that_goes_takes_its_rule_along(person: User) -> None:
    made = team("Design", person, decided=NO_OPUS)
    Membership.objects.all().delete()
    Team.objects.filter(pk=made.pk).delete()
    assert not Policy.objects.exists()
    assert store.standing(person.pk).allows(OPUS)


@pytest.mark.django_db(transaction=True)
def test_every_change_is_audited_with_both_sides(person: User) -> None:
    made = team("Design", person)
    store.change(by=person, scope=store.Scope.TEAM, team=made, rule=NO_OPUS)
    store.change(by=person, scope=store.Scope.TEAM, team=made, rule=NO_OPUS)  # nothing changes
    store.change(by=person, scope=store.Scope.TEAM, team=made, rule=None)
    first, second = AuditEvent.objects.filter(verb="policy.changed").order_by("number")
    assert (first.actor, first.name) == (person.pk, "models and features of Design")
    assert '"decided": false' in first.before
    assert OPUS in first.after
    assert OPUS in second.before
    assert UUID(first.object) == made.pk


@pytest.mark.django_db(transaction=True)
def test_a_model_whose_id_looks_like_a_key_can_be_named_in_a_rule(person: User) -> None:
    ref = "openai/sk-like-model-of-the-house"
    organisation(rule("except", [ref]))
    assert not store.standing(person.pk).allows(ref)
    assert ref not in AuditEvent.objects.get(verb="policy.changed").after


@pytest.mark.django_db(transaction=True)
def test_the_benchmark_goes_by_the_rules_of_its_person(
    person: User, vendor: ThreadServer, tmp_path: Any
) -> None:
    organisation(NO_OPUS)
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "Hello."}\n')
    options = {"prompts": file, "yes": True, "email": person.email, "out": tmp_path / "report"}
    with pytest.raises(CommandError, match="is not allowed by the rule of the organisation"):
        call_command("benchmark", models=OPUS, **options)
    assert lines() == []
    assert not Hold.objects.exists()
