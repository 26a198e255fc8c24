"""An alert is one row, whoever raises it how often; it reaches everybody who is to be told, come what may."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from smtplib import SMTPRecipientsRefused
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.db import connection, transaction

from accounts.models import User
from usage.alerts import alerts
from usage.alerts import settings as alert_settings
from usage.alerts.alerts import KEPT, raise_alert
from usage.alerts.delivery import AT_ONCE, PAUSES, deliver
from usage.clock import database_now
from usage.models import Alert, Delivery

from .alerting import alert, ends, later
from .managing import admin as admin
from .managing import member as member
from .managing import nothing_changed as nothing_changed
from .managing import owner as owner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


@pytest.fixture
def mailing(settings: Any) -> None:
    settings.EMAIL_CONFIGURED, settings.PUBLIC_URL = True, "https://chat.example.org"


class Refusing(EmailBackend):
    """A mail server that refuses one address."""

    def send_messages(self, messages: Any) -> int:
        if messages[0].to == ["olga@example.org"]:
            raise SMTPRecipientsRefused({"olga@example.org": (550, b"hunter2 is no mailbox")})
        return super().send_messages(messages)


class Away(EmailBackend):
    """A mail server that cannot be reached."""

    tries = 0

    def send_messages(self, messages: Any) -> int:
        Away.tries += 1
        raise ConnectionRefusedError("10.0.0.9 port 25")


def test_of_eight_who_raise_the_same_alert_at_once_one_does() -> None:
    barrier = Barrier(8)

    def raising(_: int) -> bool:
        try:
            barrier.wait(10)
            return raise_alert(kind="drift", subject="a", period="1", title="T", body="B") is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(raising, range(8))) == 1
    assert Alert.objects.count() == 1
    assert raise_alert(kind="drift", subject="a", period="2", title="T", body="B") is not None


def test_it_lives_and_dies_with_the_transaction_in_which_it_was_raised() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        alert(period="x")
        raise ZeroDivisionError
    assert Alert.objects.count() == 0
    with transaction.atomic():
        alert(period="x")
        assert raise_alert(kind="drift", subject="anthropic", period="x", title="T", body="B") is None
        # The transaction is still good, on PostgreSQL too.
        alert(period="y")
    assert Alert.objects.count() == 2


def test_what_is_too_long_is_cut_and_what_is_no_alert_is_refused() -> None:
    made = alert(title="Long\nlines " * 100, body="b" * 5000)
    assert (len(made.title), len(made.body)) == (200, 2000)
    assert "\n" not in made.title
    for wrong in ({"kind": "gossip"}, {"subject": ""}, {"period": "p" * 201}):
        with pytest.raises(ValueError, match="No alert"):
            alert(**wrong)


def test_mail_goes_once_to_every_owner_and_admin_who_wants_it(
    owner: User, admin: User, member: User, mailing: None
) -> None:
    alert(title="Everyone: 80 % of the limit is used")
    deliver()
    deliver()
    assert sorted(letter.to[0] for letter in mail.outbox) == [admin.email, owner.email]
    letter = mail.outbox[0]
    assert letter.subject == "Everyone: 80 % of the limit is used"
    assert "“so far”" in str(letter.body)
    assert "https://chat.example.org/manage/usage/" in str(letter.body)
    alert_settings.change(by=admin.pk, thresholds=[80], mail_kinds=["drift"], mail_me=False)
    alert(title="Second"), alert(kind="spend", title="Third")
    deliver()
    assert [(letter.to, letter.subject) for letter in mail.outbox[2:]] == [([owner.email], "Second")]


def test_without_a_mail_server_nothing_waits_for_one(owner: User) -> None:
    alert()
    deliver()
    assert (Delivery.objects.count(), len(mail.outbox)) == (0, 0)
    assert Alert.objects.unrouted().count() == 0


def test_a_letter_that_one_mailbox_refuses_keeps_no_other_from_its_reader(
    owner: User, admin: User, mailing: None, settings: Any
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"
    alert()
    deliver()
    assert [letter.to for letter in mail.outbox] == [[admin.email]]
    refused = Delivery.objects.get(state="waiting")
    assert (refused.target, refused.attempts) == (owner.email, 1)
    assert refused.error == "The mail server did not take it (SMTPRecipientsRefused)."
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    later()
    deliver()
    assert [letter.to for letter in mail.outbox] == [[admin.email], [owner.email]]


def test_a_mail_server_that_is_away_is_asked_once_a_round_and_for_a_day(
    owner: User, admin: User, mailing: None, settings: Any
) -> None:
    settings.EMAIL_BACKEND, Away.tries = f"{__name__}.Away", 0
    alert()
    deliver()
    assert Away.tries == 1
    assert ends() == [("waiting", 1)] * 2
    for _ in PAUSES:
        assert Delivery.objects.filter(next_at__gt=database_now()).count() == 2
        later()
        deliver()
    assert ends() == [("failed", len(PAUSES) + 1)] * 2
    assert timedelta(hours=20) < sum(PAUSES, timedelta()) < timedelta(hours=25)
    later()
    deliver()
    assert Away.tries == len(PAUSES) + 1


def test_who_is_no_admin_any_more_gets_no_late_letter(owner: User, admin: User, mailing: None) -> None:
    alert()
    Delivery.objects.bulk_create(
        Delivery(alert=Alert.objects.get(), channel="mail", target=person.email) for person in (owner, admin)
    )
    User.objects.filter(pk=admin.pk).update(role="member")
    deliver()
    assert [letter.to for letter in mail.outbox] == [[owner.email]]
    assert Delivery.objects.get(target=admin.email).state == "failed"


def test_several_who_deliver_at_once_send_each_letter_once(owner: User, mailing: None) -> None:
    for _ in range(2 * AT_ONCE + 3):
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
    assert len(mail.outbox) == Alert.objects.count() == Delivery.objects.filter(state="sent").count()


def test_the_first_who_sees_an_alert_stays() -> None:
    first, second = uuid4(), uuid4()
    one, _ = alert(), alert()
    assert alerts.see(by=first, alert=one.pk) == 1
    assert alerts.see(by=second) == 1
    assert alerts.see(by=second) == 0
    assert set(Alert.objects.values_list("seen_by", flat=True)) == {first, second}
    assert Alert.objects.get(pk=one.pk).seen_by == first


def test_after_a_year_an_alert_and_its_deliveries_are_gone(owner: User, mailing: None) -> None:
    old, young = alert(), alert()
    deliver()
    Alert.objects.filter(pk=old.pk).update(created_at=database_now() - KEPT - timedelta(days=1))
    alerts.prune()
    assert list(Alert.objects.all()) == [young]
    assert set(Delivery.objects.values_list("alert", flat=True)) == {young.pk}


def test_the_command_lists_them_with_who_was_told(owner: User, mailing: None) -> None:
    def said(*options: str) -> str:
        out = StringIO()
        call_command("alerts", "list", *options, stdout=out)
        return out.getvalue()

    assert said() == "No alerts.\n"
    one = alert(title="First"), alert(title="Second")
    deliver()
    alerts.see(by=owner.pk, alert=one[0].pk)
    assert said().index("drift: Second") < said().index("drift: First")
    assert "1 sent; seen by Olga" in said()
    assert "First" not in said("--unseen")
    assert "1 sent; not seen" in said("--unseen")
