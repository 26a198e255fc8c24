"""What is looked at by the clock: when it becomes an alert, in which words, and that it is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.urls import reverse

from accounts.models import Credential, Organisation, Team, User
from config.duties import DUTIES
from providers.access import Secret
from usage.alerts import settings as alert_settings
from usage.alerts import watch_money, watch_providers
from usage.budgets import actions as budget_actions
from usage.clock import database_now
from usage.models import Alert, Budget

from .limits import DOLLAR, budget, used
from .limits import support as support
from .lines import failed, line
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


def told() -> list[str]:
    """Titles, in the order of their telling."""
    return list(Alert.objects.order_by("id").values_list("title", flat=True))


def test_each_threshold_is_told_once_in_a_period(owner: User) -> None:
    one = budget(owner)
    for spent, expected in (
        (15, []),
        (16, ["Everyone: 80 % of the limit is used"]),
        (19, ["Everyone: 80 % of the limit is used"]),
        (20, ["Everyone: 80 % of the limit is used", "Everyone: 100 % of the limit is used"]),
        (30, ["Everyone: 80 % of the limit is used", "Everyone: 100 % of the limit is used"]),
    ):
        used(one, spent * DOLLAR)
        watch_money.budgets()
        watch_money.budgets()
        assert told() == expected, spent
    first, last = Alert.objects.order_by("id")
    assert first.body.startswith("Used: $16.00 of $20.00 per month (80 %). At the limit new calls are ")
    assert last.body.startswith("Used: $20.00 of $20.00 per month (100 %). New calls are refused. The limit ")
    assert "applies to the organisation. It begins anew on 1 " in last.body
    assert last.link == reverse("usage:budget", args=[one.pk])


def test_a_budget_that_jumps_is_told_at_its_highest_threshold_alone(owner: User) -> None:
    alert_settings.change(by=owner.pk, thresholds=[50, 80, 100], mail_kinds=[], mail_me=True)
    one = budget(owner)
    used(one, 24 * DOLLAR)
    watch_money.budgets()
    assert told() == ["Everyone: 100 % of the limit is used"]
    assert "(120 %)" in Alert.objects.get().body


def test_a_raised_limit_tells_nothing_again(owner: User) -> None:
    one = budget(owner)
    used(one, 20 * DOLLAR)
    watch_money.budgets()
    Budget.objects.filter(pk=one.pk).update(limit=100 * DOLLAR)
    for spent in (50, 85, 100):
        used(one, spent * DOLLAR)
        watch_money.budgets()
    assert told() == ["Everyone: 100 % of the limit is used"]


def test_a_new_period_is_told_anew_and_an_old_one_never(owner: User) -> None:
    one = budget(owner)
    used(one, 20 * DOLLAR)
    one.periods.update(begins_at=database_now() - timedelta(days=60), ends_at=database_now())
    watch_money.budgets()
    assert told() == []
    one.periods.create(begins_at=database_now(), settled=20 * DOLLAR)
    one.periods.create(begins_at=database_now() + timedelta(days=1), settled=20 * DOLLAR)
    watch_money.budgets()
    assert told() == ["Everyone: 100 % of the limit is used"]


def test_of_a_budget_of_each_member_the_person_is_named(owner: User, member: User, support: Team) -> None:
    each = budget(owner, name="Support each", scope="member", scope_id=support.pk, mode="warn")
    used(each, 20 * DOLLAR, subject=member.pk)
    each.periods.create(subject=UUID(int=5), begins_at=each.created_at, settled=17 * DOLLAR)
    own = budget(owner, name="A person", scope="person", scope_id=member.pk, measure="requests", limit=10)
    used(own, 9)
    watch_money.budgets()
    assert sorted(told()) == [
        "A person: 80 % of the limit is used",
        "Support each: Mo has used 100 % of the limit",
        "Support each: Somebody who left has used 80 % of the limit",
    ]
    body = Alert.objects.get(title__contains="Mo ").body
    assert body.startswith("Used: $20.00 of $20.00 per month (100 %). Calls go on, with a warning.")
    assert "applies to each member of the team “Support”" in body
    of_person = Alert.objects.get(title__startswith="A person").body
    assert of_person.startswith("Used: 9 of 10 requests per month (90 %).")
    assert "The limit applies to Mo." in of_person


def test_what_is_off_or_has_no_threshold_is_not_told(owner: User) -> None:
    one = budget(owner, limit=10**18)
    used(one, 2 * 10**18)
    budget_actions.switch(budget=one, on=False)
    watch_money.budgets()
    budget_actions.switch(budget=one, on=True)
    alert_settings.change(by=owner.pk, thresholds=[], mail_kinds=[], mail_me=True)
    watch_money.budgets()
    assert told() == []
    alert_settings.change(by=owner.pk, thresholds=[200], mail_kinds=[], mail_me=True)
    watch_money.budgets()
    assert told() == ["Everyone: 200 % of the limit is used"]


def test_an_alert_of_a_watch_is_sent_at_once(owner: User, settings: Any) -> None:
    settings.EMAIL_CONFIGURED = True
    used(budget(owner), 20 * DOLLAR)
    watch_money.budgets()
    assert [letter.subject for letter in mail.outbox] == ["Everyone: 100 % of the limit is used"]


def spent_before(now: datetime, *weeks: float, by: timedelta = timedelta(microseconds=1)) -> None:
    """So many dollars on the same weekday of the weeks before, the latest first, so long before this time of
    the day."""
    for back, dollars in enumerate(weeks, start=1):
        moment = now - timedelta(weeks=back) - by
        if dollars:
            line(accounted_at=moment, day=moment.date(), cost_nano=round(dollars * DOLLAR))


@pytest.mark.parametrize(
    ("before", "today", "is_told"),
    [
        ((10, 10, 10, 10), 20, True),
        ((10, 10, 10, 10), 19.99, False),  # less than twice
        ((2, 2, 2, 2), 6.99, False),  # twice, but less than the floor above
        ((2, 2, 2, 2), 7, True),
        ((100, 10, 10, 10), 20, True),  # one dear day hides nothing
        ((100, 100, 10, 10), 60, False),  # the mean of the middle two is 55
        ((0, 10, 0, 0), 100, False),  # one day is no habit
        ((0, 10, 0, 12), 22, True),
        ((0, 0, 0, 0), 100, False),
    ],
)
def test_spend_is_unusual_against_the_median_of_the_same_weekday(
    before: tuple[float, ...], today: float, is_told: bool, db: None
) -> None:
    now = database_now()
    spent_before(now, *before)
    line(accounted_at=now - timedelta(microseconds=1), day=now.date(), cost_nano=round(today * DOLLAR))
    # What was spent later on those days, or on other days, is not compared with.
    spent_before(now, 500, 500, 500, 500, by=-timedelta(minutes=5))
    spent_before(now - timedelta(days=1), 300, 300, 300, 300)
    watch_money.spend()
    watch_money.spend()
    assert len(told()) == int(is_told)


def test_the_words_of_unusual_spend(db: None) -> None:
    now = database_now()
    spent_before(now, 10, 14, 12)
    line(accounted_at=now - timedelta(microseconds=1), day=now.date(), cost_nano=48 * DOLLAR)
    watch_money.spend()
    one = Alert.objects.get()
    assert one.title == "Unusual spend today: $48.00"
    assert one.body.startswith(f"Usual on a {now:%A} until ")
    assert "(UTC) is $12.00, the median of 3 of the last 4 weeks: $10.00, $14.00, $12.00, the" in one.body
    assert f"from={now.astimezone(UTC):%Y-%m-%d}" in one.link


def credential(**fields: Any) -> Credential:
    values: dict[str, Any] = {
        "provider": "anthropic",
        "base_url": "https://api.anthropic.com",
        "secret": Secret("sk-ant-canary-1234567"),
        "hint": "4567",
        "label": "Main key",
    }
    if not {"team", "person"} & set(fields):
        values["organisation"] = Organisation.objects.get()
    return Credential.objects.create(**values | fields)


def test_a_key_that_does_not_work_is_told_until_it_was_well_again(owner: User, member: User) -> None:
    team = Team.objects.create(name="Blue")
    main, spare = credential(), credential(label="", hint="9999")
    credential(person=member, state="invalid", last_error="Refused.")
    credential(state="revoked", secret=None)
    watch_providers.keys()
    assert told() == []
    Credential.objects.filter(pk=main.pk).update(state="invalid", last_error="The key is revoked.")
    Credential.objects.filter(pk=spare.pk).update(expires_at=database_now())
    credential(team=team, kind="oauth", label="", hint="", state="invalid", provider="openai")
    for _ in range(2):
        watch_providers.keys()
        assert sorted(told()) == [
            "The key ending in 9999 for Anthropic does not work",
            "The key “Main key” for Anthropic does not work",
            "The login of the team Blue for OpenAI does not work",
        ]
    one = Alert.objects.get(title__contains="Main key")
    assert one.body.startswith("The key is revoked. Until then calls that need it fail.")
    assert "canary" not in one.body
    # Another day, and it still does not work: that is known.
    Alert.objects.update(period="2026-01-01")
    watch_providers.keys()
    assert len(told()) == 3
    Credential.objects.filter(pk=main.pk).update(state="active")
    watch_providers.keys()
    one.refresh_from_db()
    assert one.over_at is not None
    Credential.objects.filter(pk=main.pk).update(state="invalid")
    watch_providers.keys()
    assert len(told()) == 4
    # Well and not well again within the day.
    Alert.objects.filter(over_at=None).update(over_at=database_now())
    watch_providers.keys()
    assert Alert.objects.filter(title__contains="Main key").count() == 2


def test_three_refusals_in_a_row_are_a_key_that_does_not_work(owner: User) -> None:
    stored = credential()
    own = {"credential": UUID(int=9), "credential_scope": "person"}
    for ago in (30, 20, 10):
        failed("billing_error", ago=ago, credential=stored.pk, credential_scope="organisation")
        failed("authentication_error", ago=ago, **own)
        failed("authentication_error", ago=ago + 1, provider="openai")
    for ago in (30, 20):
        failed("authentication_error", ago=ago)
    watch_providers.keys()
    assert sorted(told()) == [
        "The key from the environment for OpenAI does not work",
        "The key “Main key” for Anthropic does not work",
    ]
    assert "cannot pay" in Alert.objects.get(title__contains="Main").body
    line(ago=1, provider="openai")
    watch_providers.keys()
    assert Alert.objects.get(over_at__isnull=False).title.startswith(
        "The key from the environment for OpenAI"
    )


def test_a_provider_that_became_worse_is_told_once_a_day(owner: User) -> None:
    for _ in range(60):
        line(ago=5000)
    watch_providers.providers()
    assert told() == []
    for _ in range(12):
        failed(ago=60)
    watch_providers.providers()
    watch_providers.providers()
    (one,) = Alert.objects.all()
    assert (one.title, one.subject) == ("Anthropic became worse", "anthropic")
    assert one.body.startswith("In the last 15 minutes: 12 of the last 12 calls failed. ")
    Alert.objects.update(period="2026-01-01")
    watch_providers.providers()
    assert len(told()) == 2


def test_a_refused_key_is_not_also_a_provider_that_became_worse(owner: User) -> None:
    for _ in range(60):
        line(ago=5000)
    for _ in range(12):
        failed("authentication_error", ago=60)
    watch_providers.providers()
    watch_providers.keys()
    assert told() == ["The key from the environment for Anthropic does not work"]


def test_every_watch_and_the_deliverer_are_duties() -> None:
    seconds = {duty.do: duty.every.total_seconds() for duty in DUTIES if duty.every is not None}
    assert seconds[watch_money.budgets] == 60
    assert seconds[watch_money.spend] == 3600
    assert {watch_providers.keys, watch_providers.providers} <= set(seconds)
