"""Pasting a key: tested with the vendor first, stored sealed, never shown again."""

from __future__ import annotations

import logging
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts import actions
from accounts.keys import credentials
from accounts.models import Credential, User

from .conftest import GOOD_KEY, PASSWORD, Vendor, signed_in


def test_an_accepted_key_is_stored_for_the_organisation(owner: User, vendor: Vendor) -> None:
    response = signed_in(owner).post("/setup/key/", {"key": f"  {GOOD_KEY}\n"})
    stored = Credential.objects.get()
    assert response.headers["Location"] == "/"
    assert vendor.seen == [("/v1/models", GOOD_KEY)]
    assert (stored.scope, stored.provider, stored.hint) == ("organisation", "anthropic", "7731")
    assert (stored.vendor_account, stored.base_url) == ("org-lighthouse", vendor.base_url)
    assert stored.secret is not None
    assert stored.secret.reveal() == GOOD_KEY


def test_a_new_key_takes_the_place_of_the_old_one(owner: User, vendor: Vendor) -> None:
    client = signed_in(owner)
    client.post("/setup/key/", {"key": GOOD_KEY})
    client.post("/setup/key/", {"key": GOOD_KEY})
    states = list(Credential.objects.order_by("id").values_list("state", "secret"))
    assert states[0] == ("revoked", None)
    assert states[1][0] == "active"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "does not accept this key"),
        (403, "does not let it list models"),
        (429, "is busy"),
        (500, "is busy"),
        (529, "is busy"),
    ],
)
def test_a_key_that_the_vendor_does_not_take_is_not_stored(
    owner: User, vendor: Vendor, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.status = status
    response = signed_in(owner).post("/setup/key/", {"key": "sk-ant-canary-wrong-5512"})
    page = response.content.decode()
    assert response.status_code == 200
    assert said in page
    assert not Credential.objects.exists()
    assert "canary-wrong" not in page
    assert "canary-wrong" not in caplog.text


def test_a_vendor_that_cannot_be_reached_is_said(owner: User, vendor: Vendor) -> None:
    vendor.shutdown()
    vendor.server_close()
    page = signed_in(owner).post("/setup/key/", {"key": GOOD_KEY}).content.decode()
    assert "could not reach Anthropic" in page
    assert not Credential.objects.exists()


def test_an_answer_that_is_not_the_vendors_is_said(owner: User, vendor: Vendor) -> None:
    vendor.body = b"<html>Welcome to the hotel network</html>"
    page = signed_in(owner).post("/setup/key/", {"key": GOOD_KEY}).content.decode()
    assert "Nothing was stored" in page
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    "text", ["sk ant with spaces", "sk-ant-ünicode", "sk-ant-\x07bell", "short", "", "x" * 501]
)
def test_what_cannot_be_a_key_is_not_sent_anywhere(owner: User, vendor: Vendor, text: str) -> None:
    assert signed_in(owner).post("/setup/key/", {"key": text}).status_code == 200
    assert vendor.seen == []


def test_extra_fields_are_ignored(owner: User, vendor: Vendor) -> None:
    extra = {
        "base_url": "https://evil.example",
        "provider": "evil",
        "person": str(owner.pk),
        "state": "revoked",
    }
    signed_in(owner).post("/setup/key/", {"key": GOOD_KEY, **extra})
    stored = Credential.objects.get()
    assert (stored.base_url, stored.provider, stored.state) == (vendor.base_url, "anthropic", "active")
    assert stored.person is None


def test_placeholders_in_a_key_are_sent_as_typed(owner: User, vendor: Vendor) -> None:
    signed_in(owner).post("/setup/key/", {"key": "${HOME}{{token}}os.environ/X"})
    assert vendor.seen[0][1] == "${HOME}{{token}}os.environ/X"


def test_an_admin_may_enter_a_key_and_others_find_no_such_page(owner: User, member: User) -> None:
    admin = actions.create_user(email="ada@example.org", password=PASSWORD, role="admin")
    assert signed_in(admin).get("/setup/key/").status_code == 200
    assert signed_in(member).get("/setup/key/").status_code == 404
    assert signed_in(member).post("/setup/key/", {"key": GOOD_KEY}).status_code == 404
    assert Client().get("/setup/key/").headers["Location"] == "/login/?next=/setup/key/"


def test_get_changes_nothing(owner: User, vendor: Vendor) -> None:
    signed_in(owner).get("/setup/key/", {"key": GOOD_KEY})
    assert vendor.seen == []
    assert not Credential.objects.exists()


def test_the_key_is_in_no_page_log_text_or_dump(
    owner: User, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = signed_in(owner)
    client.post("/setup/key/", {"key": GOOD_KEY})
    stored = Credential.objects.get()
    dump = StringIO()
    call_command("dumpdata", "accounts", stdout=dump)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_credential")
        rows = repr(
            [[bytes(cell) if isinstance(cell, memoryview) else cell for cell in row] for row in cursor]
        )
    shown = [
        repr(stored),
        str(stored),
        repr(stored.secret),
        f"{stored.secret}",
        repr(vars(stored)),
        caplog.text,
    ]
    shown += [dump.getvalue(), rows, client.get("/setup/key/").content.decode()]
    assert all("canary-good" not in text for text in shown)
    assert "7731" in shown[-1]


def test_a_key_that_can_no_longer_be_opened_is_asked_for_again(owner: User, vendor: Vendor) -> None:
    client = signed_in(owner)
    client.post("/setup/key/", {"key": GOOD_KEY})
    Credential.objects.update(secret=b"\x01" + bytes(60))
    assert credentials.for_call(owner.pk, None, "anthropic") == []
    page = client.get("/setup/key/").content.decode()
    assert "is not used any more" in page
    assert "can no longer be opened" in page
