"""Webhooks: signed so that libraries of Standard Webhooks take them, sent until taken, never elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.core import serializers
from django.db import connection

from accounts.models import Organisation
from providers import addresses
from providers.access import Secret
from providers.outbound import NOT_REACHED
from usage.alerts import webhook_post, webhooks
from usage.alerts.delivery import AT_ONCE, CLAIM, GONE, OFF, PAUSES, deliver
from usage.clock import database_now
from usage.models import Delivery, Webhook

from .alerting import SOMEBODY, alert, ends, later, webhook
from .receiving import Receiver, receiver, verified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

ROOT = Path(__file__).resolve().parents[2]
KEYS = live_settings.DATA_DIR


@pytest.fixture
def hooked() -> Iterator[Receiver]:
    with receiver() as mine:
        yield mine


def test_the_example_of_the_specification_has_its_signature() -> None:
    """The vector of the reference libraries' own tests."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = webhook_post.headers_of(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_alert_is_posted_signed_with_all_that_is_promised(hooked: Receiver, settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.example.org"
    Organisation.objects.create(name="Lighthouse")
    _, secret = webhook(hooked)
    made = alert(title="Zoë in “نور”: 80 % of the limit is used")
    deliver()
    (post,) = hooked.posts
    assert post.json == {
        "id": str(made.pk),
        "kind": "drift",
        "title": "Zoë in “نور”: 80 % of the limit is used",
        "body": "By 0.7 %, “so far”.",
        "link": "https://chat.example.org/manage/usage/",
        "at": made.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "organisation": "Lighthouse",
    }
    assert post.headers["content-type"] == "application/json"
    assert post.headers["webhook-id"] == str(made.pk)
    assert verified(post, secret, now=time.time())
    # And by hand, from the words of the specification alone.
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert post.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert ends() == [("sent", 1)]


def test_the_check_that_the_documentation_shows_takes_ours_and_nothing_else(hooked: Receiver) -> None:
    shown = re.search(r"```python\n(.*?)```", (ROOT / "docs/alerts.md").read_text(), re.DOTALL)
    assert shown is not None
    names: dict[str, Any] = {}
    exec(shown[1], names)  # noqa: S102 - our own documentation
    is_ours = names["is_ours"]
    hook, secret = webhook(hooked)
    webhooks.rotate(by=SOMEBODY, webhook=hook)
    alert(), deliver()
    (post,) = hooked.posts
    assert is_ours(post.headers, post.body, secret)
    assert not is_ours(post.headers, post.body + b" ", secret)
    assert not is_ours(post.headers | {"webhook-id": "other"}, post.body, secret)
    old = str(int(post.headers["webhook-timestamp"]) - 301)
    assert not is_ours(post.headers | {"webhook-timestamp": old}, post.body, secret)
    assert not is_ours(post.headers, post.body, webhook_post.new_secret().reveal())


def test_a_receiver_that_was_down_gets_the_same_message_when_it_is_up(hooked: Receiver) -> None:
    hooked.answers = [503, 500, 204]
    _, secret = webhook(hooked)
    alert()
    for round_ in range(3):
        deliver()
        deliver()  # it is not due again
        assert len(hooked.posts) == round_ + 1
        later()
    assert ends() == [("sent", 3)]
    assert len({post.headers["webhook-id"] for post in hooked.posts}) == 1
    assert len({post.body for post in hooked.posts}) == 1
    assert all(verified(post, secret, now=time.time()) for post in hooked.posts)
    assert Delivery.objects.get().error == ""


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (404, "It answered 404."),
        (302, "It answered 302: elsewhere. Redirects are not followed."),
        (b"", "The connection broke before an answer came."),
        (b"\x16\x03\x01\x00garbage\r\n\r\n", "What came back is no HTTP answer."),
        (b"HTTP/1.1 500 Oh\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", "What came back is no HTTP answer."),
    ],
)
def test_whatever_a_receiver_answers_is_a_failure_that_is_tried_again(
    hooked: Receiver, answer: int | bytes, says: str
) -> None:
    hooked.answers, hooked.headers = [answer], {"location": f"http://{hooked.host}/elsewhere"}
    webhook(hooked)
    alert()
    deliver()
    assert [post.path for post in hooked.posts] == ["/hooks/T0P-5ECRET-PATH"]
    row = Delivery.objects.get()
    assert (row.state, row.attempts, row.error) == ("waiting", 1, says)
    assert row.next_at > database_now()


def test_what_cannot_be_sent_is_given_up_after_a_day(hooked: Receiver) -> None:
    hooked.answers = [500]
    webhook(hooked)
    alert()
    waits = []
    for _ in range(len(PAUSES) + 1):
        before = database_now()
        deliver()
        waits.append(Delivery.objects.get().next_at - before)
        later()
    assert ends() == [("failed", len(PAUSES) + 1)]
    assert len(hooked.posts) == len(PAUSES) + 1
    for wait, pause in zip(waits, PAUSES, strict=False):
        assert pause <= wait < 1.1 * pause + timedelta(seconds=5)


def test_a_receiver_says_how_long_to_wait_or_that_it_is_gone(hooked: Receiver) -> None:
    hooked.answers, hooked.headers = [429, 410], {"retry-after": "7200"}
    hook, _ = webhook(hooked)
    alert(), deliver()
    assert Delivery.objects.get().next_at > database_now() + timedelta(hours=1, minutes=59)
    later()
    deliver()
    hook.refresh_from_db()
    assert ends() == [("failed", 2)]
    assert (hook.enabled, hook.trouble) == (False, GONE)
    alert(), deliver()
    assert len(hooked.posts) == 2


def test_one_bad_receiver_keeps_no_other_from_its_news(hooked: Receiver) -> None:
    hooked.answers = [204]
    for url in ("https://" + "a" * 300 + ".example/", "http://127.0.0.1:1/", "https://[::1/", "gopher://x/"):
        webhook(hooked, url=url, name=url[:30])
    webhook(hooked, name="Good")
    alert()
    deliver()
    assert len(hooked.posts) == 1
    assert Delivery.objects.get(name="Good").state == "sent"
    assert set(Delivery.objects.exclude(name="Good").values_list("error", flat=True)) == {NOT_REACHED}


def test_a_private_address_is_not_called_unless_the_operator_lists_it() -> None:
    with receiver(listed=False) as mine:
        webhook(mine)
        alert()
        deliver()
        assert mine.posts == []
        assert Delivery.objects.get().error == NOT_REACHED
        addresses.allow(addresses.private_hosts([mine.host]))
        later()
        deliver()
        assert len(mine.posts) == 1


def test_each_hears_of_its_own_kinds_and_while_it_is_on(hooked: Receiver) -> None:
    webhook(hooked, name="Money", kinds=["budget", "spend"])
    off, _ = webhook(hooked, name="Off")
    alert(kind="budget", title="B"), alert(kind="provider", title="P")
    deliver()
    assert sorted(post.json["title"] for post in hooked.posts) == ["B", "B", "P"]
    alert(kind="provider", title="Late")
    hooked.answers = [500]
    deliver()
    webhooks.switch(by=SOMEBODY, webhook=off, on=False)
    later()
    deliver()
    assert Delivery.objects.get(alert__title="Late").error == OFF
    assert Delivery.objects.get(alert__title="Late").state == "failed"
    assert len(hooked.posts) == 4


def test_after_a_rotation_both_secrets_sign_for_a_day(hooked: Receiver) -> None:
    hook, old = webhook(hooked)
    new = webhooks.rotate(by=SOMEBODY, webhook=hook).reveal()
    assert old != new
    alert(), deliver()
    for secret in (old, new):
        assert verified(hooked.posts[0], secret, now=time.time())
    Webhook.objects.update(previous_until=database_now() - timedelta(seconds=1))
    alert(), deliver()
    assert verified(hooked.posts[1], new, now=time.time())
    assert not verified(hooked.posts[1], old, now=time.time())


def test_a_secret_serves_its_own_address_alone(hooked: Receiver) -> None:
    """Somebody who can write to the database does not get a signature for another receiver."""
    hook, _ = webhook(hooked)
    Webhook.objects.filter(pk=hook.pk).update(url=hooked.url + "/other")
    alert(), deliver()
    assert hooked.posts == []
    assert "Make a new one" in Delivery.objects.get().error
    secret = webhooks.rotate(by=SOMEBODY, webhook=hook).reveal()
    later()
    deliver()
    assert verified(hooked.posts[0], secret, now=time.time())


def test_secrets_and_addresses_are_in_no_log_repr_or_dump(
    hooked: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hooked.answers = [500, b"", 410]
    hook, secret = webhook(hooked)
    alert()
    for _ in range(3):
        deliver()
        later()
    assert len(hooked.posts) == 3
    dump = serializers.serialize("json", [*Webhook.objects.all(), *Delivery.objects.all()])
    stored = Delivery.objects.get()
    for text in (caplog.text, dump, repr(hook), str(hook), repr(stored), str(stored), stored.error):
        assert secret not in text
        assert secret.removeprefix("whsec_") not in text
    # The path of an address may be a secret of its receiver.
    for text in (caplog.text, repr(hook), str(hook), repr(stored), stored.error):
        assert "5ECRET" not in text


def test_several_who_deliver_at_once_post_each_message_once(hooked: Receiver) -> None:
    webhook(hooked)
    for _ in range(AT_ONCE + 5):
        alert()
    barrier = Barrier(4)

    def delivering(_: int) -> None:
        try:
            barrier.wait(10)
            deliver()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(delivering, range(4)))
    assert len(hooked.posts) == len({post.headers["webhook-id"] for post in hooked.posts}) == AT_ONCE + 5


def test_a_process_that_is_killed_between_sending_and_noting_loses_nothing(hooked: Receiver) -> None:
    _, secret = webhook(hooked)
    alert()
    names = {name: os.environ[name] for name in os.environ if not name.startswith(("PARLEY_", "DATABASE_"))}
    environment = {
        **names,
        "DJANGO_SETTINGS_MODULE": "tests.process_settings",
        "PARLEY_DATA_DIR": str(KEYS),
        "PARLEY_PRIVATE_HOSTS": hooked.host,
    }
    if url := os.environ.get("PARLEY_TEST_DATABASE_URL"):
        environment["DATABASE_URL"] = url
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.usage.delivering", str(connection.settings_dict["NAME"])],
        cwd=ROOT,
        env=environment,
    )
    hooked.on_post = process.kill
    assert process.wait(60) == -signal.SIGKILL
    hooked.on_post = lambda: None
    assert len(hooked.posts) == 1
    assert ends() == [("waiting", 1)]
    assert database_now() < Delivery.objects.get().next_at <= database_now() + CLAIM
    deliver()
    assert len(hooked.posts) == 1  # the claim of the lost process has not run out
    later()
    deliver()
    assert ends() == [("sent", 2)]
    first, second = hooked.posts
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert verified(second, secret, now=time.time())
