"""Manage, Alerts: for whom it is, what it lists, what can be set, and that a secret is shown once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from accounts.ids import uuid7
from accounts.models import User
from providers.outbound import NOT_REACHED
from usage.alerts import alerts
from usage.alerts import settings as alert_settings
from usage.alerts.delivery import deliver
from usage.models import Alert, Delivery, Webhook

from .alerting import alert, later, webhook
from .limits import words
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner
from .managing import page, signed_in
from .receiving import Receiver, receiver, verified

LIST = "/manage/alerts/"
SETTINGS = "/manage/alerts/settings/"
NEW = "/manage/alerts/webhooks/new/"


@pytest.fixture
def hooked(nothing_changed: None) -> Iterator[Receiver]:
    with receiver() as mine:
        yield mine


def values(hooked: Receiver, **more: Any) -> dict[str, Any]:
    return {"id": uuid7(), "name": "Pager", "url": hooked.url, "kinds": ["budget", "spend"], **more}


def shown_secrets(markup: str) -> list[str]:
    return re.findall(r"whsec_[A-Za-z0-9+/=]+", markup)


def test_it_is_for_admins_alone(client: Any, owner: User, member: User, hooked: Receiver) -> None:
    hook, _ = webhook(hooked)
    made = alert()
    deliver()
    reads = [LIST, SETTINGS, NEW, reverse("usage:webhook", args=[hook.pk])]
    acts = ("rotate_webhook", "switch_webhook", "remove_webhook", "test_webhook")
    writes = [reverse(f"usage:{name}", args=[hook.pk]) for name in acts]
    writes += [SETTINGS, NEW, reverse("usage:see_alerts")]
    writes += [reverse("usage:send_again", args=[Delivery.objects.get().pk])]
    for path in reads:
        assert client.get(path).status_code == 302
        assert signed_in(member).get(path).status_code == 404
        assert signed_in(owner).get(path).status_code == 200
    for path in writes:
        assert client.post(path).status_code == 302
        assert signed_in(member).post(path, {"alert": made.pk}).status_code == 404
    assert Webhook.objects.filter(pk=hook.pk, enabled=True, previous=None).exists()
    assert Alert.objects.unseen().count() == 1


def test_an_empty_list_says_what_will_be_told_and_what_to_do(owner: User) -> None:
    text = words(page(signed_in(owner), LIST))
    assert "No alerts yet Here it is said when a budget has used 80 % or 100 % of its limit, a day" in text
    assert "Choose who is told" in text
    assert "Mark all" not in text


def test_the_newest_come_first_and_can_be_chosen_by_kind(owner: User) -> None:
    alert(title="First of drift"), alert(kind="budget", title="Then <b>budget</b>"), alert(title="Last")
    client = signed_in(owner)
    whole = page(client, LIST)
    assert [whole.index(title) for title in ("Last", "Then &lt;b&gt;budget", "First of drift")] == sorted(
        whole.index(title) for title in ("Last", "Then &lt;b&gt;budget", "First of drift")
    )
    only = page(client, f"{LIST}?kind=budget")
    assert "Then &lt;b&gt;budget" in only
    assert "First of drift" not in only
    assert "No alert fits." in page(client, f"{LIST}?kind=spend")
    assert "First of drift" in page(client, f"{LIST}?kind=gossip&page=x")
    for _ in range(40):
        alert()
    assert "31 to 43 of 43" in words(page(client, f"{LIST}?page=2"))
    assert "page=1" in page(client, f"{LIST}?page=2&kind=drift")


def test_alerts_are_seen_one_by_one_or_all_at_once(owner: User, admin: User) -> None:
    one, _ = alert(title="One"), alert(title="Two")
    client = signed_in(owner)
    assert "2 not seen" in words(page(client, "/manage/health/"))
    back = f"{LIST}?kind=drift"
    answer = client.post(reverse("usage:see_alerts"), {"alert": one.pk, "back": back})
    assert answer["location"] == back
    assert "By Olga" in words(page(client, LIST))
    unseen = page(client, f"{LIST}?only=unseen")
    assert "Two" in unseen
    assert ">One<" not in unseen
    answer = signed_in(admin).post(reverse("usage:see_alerts"), {"back": "https://evil.example/"})
    assert answer["location"] == LIST
    assert Alert.objects.unseen().count() == 0
    assert "not seen" not in words(page(client, "/manage/health/"))
    assert client.post(reverse("usage:see_alerts"), {"alert": "x"}).status_code == 404


def test_a_failed_delivery_says_why_and_can_be_sent_now(owner: User, hooked: Receiver) -> None:
    hooked.answers = [500]
    webhook(hooked)
    alert()
    for _ in range(4):
        deliver()
        later()
    hooked.answers = [204]
    Delivery.objects.update(state="failed")
    client = signed_in(owner)
    text = page(client, LIST)
    assert "1 failed" in text
    assert "It answered 500." in text
    assert "5ECRET" not in text
    again = reverse("usage:send_again", args=[Delivery.objects.get().pk])
    assert again in text
    assert "Pager took it." in client.post(again, follow=True).content.decode()
    assert "It is on its way already." in client.post(again, follow=True).content.decode()
    assert len({post.headers["webhook-id"] for post in hooked.posts}) == 1
    assert "1 sent" in page(client, LIST)


def test_settings_are_kept_and_each_admin_has_a_wish_of_their_own(owner: User, admin: User) -> None:
    client = signed_in(owner)
    assert 'value="80, 100"' in page(client, SETTINGS)
    client.post(SETTINGS, {"thresholds": "100, 50 90%", "mail_kinds": ["budget"], "mail_me": "on"})
    signed_in(admin).post(SETTINGS, {"thresholds": "50,90, 100", "mail_kinds": ["budget", "drift"]})
    wished = alert_settings.wishes()
    assert (wished.thresholds, wished.mail_kinds) == ((50, 90, 100), {"budget", "drift"})
    assert wished.mails(owner.pk)
    assert not wished.mails(admin.pk)
    shown = page(signed_in(admin), SETTINGS)
    assert 'value="50, 90, 100"' in shown
    assert re.search(r'name="mail_kinds" value="drift"[^>]* checked', shown)
    assert not re.search(r'name="mail_me"[^>]* checked', shown)
    assert "sends no mail" in shown


@pytest.mark.parametrize("typed", ["80.5", "0", "201", "eighty", "-5", "1,2,3,4,5,6,7", "99999"])
def test_a_threshold_that_is_none_stays_as_typed(owner: User, typed: str) -> None:
    answer = signed_in(owner).post(SETTINGS, {"thresholds": typed, "mail_kinds": ["budget"]})
    assert answer.status_code == 422
    assert f'value="{typed}"' in answer.content.decode()
    assert alert_settings.wishes().thresholds == (80, 100)


def test_a_secret_is_shown_when_it_is_made_and_never_again(owner: User, hooked: Receiver) -> None:
    client, typed = signed_in(owner), values(hooked)
    first = client.post(NEW, typed)
    assert first.status_code == 200
    assert "no-store" in first["cache-control"]
    (secret,) = shown_secrets(first.content.decode())
    hook = Webhook.objects.get()
    one = reverse("usage:webhook", args=[hook.pk])
    twice = client.post(NEW, typed, follow=True)
    assert Webhook.objects.count() == 1
    for markup in (twice.content.decode(), page(client, one), page(client, SETTINGS), page(client, LIST)):
        assert shown_secrets(markup) == []
        assert "5ECRET" not in markup
    said = client.post(reverse("usage:test_webhook", args=[hook.pk]), follow=True).content.decode()
    assert "Pager took it." in said
    (post,) = hooked.posts
    assert verified(post, secret, now=int(post.headers["webhook-timestamp"]))
    assert post.json["kind"] == "test"
    assert Alert.objects.unseen().count() == 0
    assert (hook.kinds, hook.created_by) == (["budget", "spend"], owner.pk)


def test_a_rotation_that_is_sent_twice_is_one(owner: User, hooked: Receiver) -> None:
    hook, old = webhook(hooked)
    client, one = signed_in(owner), reverse("usage:webhook", args=[hook.pk])
    version = re.search(r'name="version" value="(\d+)"', page(client, one))
    assert version is not None
    rotate = reverse("usage:rotate_webhook", args=[hook.pk])
    (new,) = shown_secrets(client.post(rotate, {"version": version[1]}).content.decode())
    again = client.post(rotate, {"version": version[1]}, follow=True).content.decode()
    assert "has a new secret already" in again
    assert shown_secrets(again) == []
    client.post(reverse("usage:test_webhook", args=[hook.pk]))
    for secret in (old, new):
        assert verified(hooked.posts[0], secret, now=int(hooked.posts[0].headers["webhook-timestamp"]))


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://user:pass@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://höhle.example/",
        "ftp://hooks.example.com/",
        "nonsense",
    ],
)
def test_an_address_that_may_not_be_called_is_refused_as_it_is_typed(owner: User, url: str) -> None:
    typed = {"id": uuid7(), "name": "Pager", "url": url, "kinds": ["budget"]}
    answer = signed_in(owner).post(NEW, typed)
    assert answer.status_code == 422
    assert words(answer.content.decode()).count("field-error") == 0
    assert "An address holds no" in answer.content.decode() or NOT_REACHED in answer.content.decode()
    assert Webhook.objects.count() == 0


def test_a_webhook_of_all_kinds_hears_also_of_those_to_come(owner: User, hooked: Receiver) -> None:
    client = signed_in(owner)
    client.post(NEW, values(hooked, kinds=alert_settings.MAILED))
    assert Webhook.objects.get().kinds == []
    assert "Everything" in page(client, SETTINGS)
    none = client.post(NEW, values(hooked, kinds=[]))
    assert none.status_code == 422


def test_a_test_that_fails_says_so_and_an_off_webhook_is_marked(owner: User, hooked: Receiver) -> None:
    hooked.answers = [500, 410]
    hook, _ = webhook(hooked)
    client, one = signed_in(owner), reverse("usage:webhook", args=[hook.pk])
    test = reverse("usage:test_webhook", args=[hook.pk])
    said = client.post(test, follow=True).content.decode()
    assert "Pager did not take it. It answered 500. It is tried again by itself." in said
    client.post(test)
    assert "It answered 410: gone." in page(client, one)
    client.post(reverse("usage:switch_webhook", args=[hook.pk]), {"on": "1"})
    assert "410: gone" not in page(client, SETTINGS)
    assert "Remove" in page(client, reverse("usage:remove_webhook", args=[hook.pk]))
    client.post(reverse("usage:remove_webhook", args=[hook.pk]))
    assert Webhook.objects.count() == 0
    assert Delivery.objects.filter(name="Pager").count() == 2


def test_the_list_asks_the_database_as_often_for_many_as_for_few(
    owner: User, hooked: Receiver, django_assert_num_queries: Any
) -> None:
    webhook(hooked), webhook(hooked, name="Other")
    for _ in range(25):
        alert()
    deliver()
    alerts.see(by=owner.pk)
    alert()
    client = signed_in(owner)
    page(client, LIST)  # the first page also asks whether anybody was here before
    # session, person, organisation, marks; count, alerts, deliveries, people, whether any is unseen
    with django_assert_num_queries(9):
        page(client, LIST)
    # session, person, organisation, marks; settings, webhooks, their last deliveries
    with django_assert_num_queries(7):
        page(client, SETTINGS)
