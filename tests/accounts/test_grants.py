"""Grants are renewed in time, once, and what the vendor gave is kept before it is used."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from accounts.keys import actions as key_actions
from accounts.keys import credentials
from accounts.keys.credentials import CredentialChoice
from accounts.keys.owners import Owner
from accounts.keys.stored_grants import StoredGrant
from accounts.logins import grants
from accounts.models import Credential, Organisation, User
from providers.access import Access, Secret
from providers.errors import RateLimited, ServerError
from providers.oauth import ClientRefused, Grant, LoginNeeded, Unanswered
from tests.authorization import AuthorizationServer, authorization_server

from .granted import BASE_URL, choose, granted, store, token

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


@pytest.fixture
def server(settings: Any) -> Iterator[AuthorizationServer]:
    grants.forget()
    with authorization_server() as server:
        settings.OAUTH = {"anthropic": server.client()}
        yield server
    grants.forget()


@pytest.fixture
def grant(server: AuthorizationServer, owner: User) -> Grant:
    return async_to_sync(granted)(server)


def fresh(choice: CredentialChoice) -> CredentialChoice:
    return async_to_sync(grants.fresh)(choice)


def refused(choice: CredentialChoice) -> CredentialChoice | None:
    return async_to_sync(grants.refused)(choice)


def test_a_token_with_time_left_is_used_as_it_is_without_a_query(
    owner: User, server: AuthorizationServer, grant: Grant, django_assert_num_queries: Any
) -> None:
    store(server, grant, left=121)
    choice = choose(owner)
    with django_assert_num_queries(0):
        assert fresh(choice) is choice
    assert server.rotated == 0


@pytest.mark.parametrize("kind", ["api_key", "client", "none", "oauth", "device"])
def test_what_has_no_end_is_left_alone(kind: Any) -> None:
    choice = CredentialChoice(
        None, "anthropic", Access(BASE_URL, Secret("a-made-up-key"), kind), "environment"
    )
    assert fresh(choice) is choice
    assert refused(choice) is None


def test_a_key_that_was_refused_is_not_tried_again(owner: User, server: AuthorizationServer) -> None:
    organisation = Organisation.objects.get()
    key_actions.save_only_credential(
        owner=Owner(organisation=organisation),
        provider="anthropic",
        base_url=BASE_URL,
        secret=Secret("sk-ant-made-up"),
        vendor_account="",
    )
    assert refused(choose(owner)) is None


@pytest.mark.parametrize("left", [119, 29, -5, -86_400])
def test_a_token_that_ends_is_renewed_and_kept(
    owner: User, server: AuthorizationServer, grant: Grant, left: float
) -> None:
    credential = store(server, grant, left=left)
    renewed = fresh(choose(owner))
    assert server.accepts(token(renewed))
    assert token(renewed) != grant.access_token.reveal()
    credential.refresh_from_db()
    assert credential.secret is not None
    stored = StoredGrant.opened(credential.secret)
    assert stored.access_token == renewed.access.secret
    assert stored.refresh_token != grant.refresh_token
    assert credential.hint == token(renewed)[-4:]
    assert credential.fresh_until is not None
    assert credential.fresh_until > datetime.now(UTC) + timedelta(minutes=59)
    assert (credential.renewer, credential.renewing_until, credential.last_error) == (None, None, "")
    assert token(choose(owner)) == token(renewed)
    assert server.rotated == 1


def test_what_is_stored_is_what_the_next_renewal_uses(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    credential = store(server, grant, left=0)
    for expected in (1, 2, 3):
        fresh(choose(owner))
        Credential.objects.filter(pk=credential.pk).update(fresh_until=datetime.now(UTC))
        assert server.rotated == expected


def test_twenty_calls_at_once_make_one_renewal(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    store(server, grant, left=10)
    choice = choose(owner)

    async def all_at_once() -> list[CredentialChoice]:
        return await asyncio.gather(*(grants.fresh(choice) for _ in range(20)))

    found = async_to_sync(all_at_once)()
    assert {token(one) for one in found} == {token(choose(owner))}
    assert server.rotated == 1
    assert [path for path, _ in server.asked].count("/token") == 2  # the login, one renewal


def test_loops_in_several_threads_make_one_renewal(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    store(server, grant, left=10)
    choice = choose(owner)
    found: list[str] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait(10)
        found.append(token(asyncio.run(grants.fresh(choice))))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert server.rotated == 1
    assert set(found) == {token(choose(owner))}


def test_a_caller_that_leaves_does_not_stop_the_renewal(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    store(server, grant, left=10)
    choice = choose(owner)
    asked = threading.Event()
    server.before_answer = lambda path, fields: asked.set()

    async def leave_and_come_back() -> CredentialChoice:
        first = asyncio.create_task(grants.fresh(choice))
        await asyncio.to_thread(asked.wait, 10)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await grants.fresh(choice)

    assert server.accepts(token(async_to_sync(leave_and_come_back)()))
    assert server.rotated == 1


def test_in_good_time_the_old_token_serves_when_the_vendor_fails(
    owner: User, server: AuthorizationServer, grant: Grant, settings: Any
) -> None:
    credential = store(server, grant, left=100)
    choice = choose(owner)
    settings.OAUTH = {"anthropic": server.client(token_url=f"{server.url}/nowhere")}
    with_other = replace_client(credential, settings.OAUTH["anthropic"].identity)
    assert with_other
    assert fresh(choice) is choice
    asked = len(server.asked)
    assert fresh(choice) is choice  # the vendor is left in peace for five seconds
    assert len(server.asked) == asked
    credential.refresh_from_db()
    assert credential.state == "active"
    assert "could not be renewed" in credential.last_error


def test_a_token_that_has_ended_is_not_used_when_the_vendor_fails(
    owner: User, server: AuthorizationServer, grant: Grant, settings: Any
) -> None:
    credential = store(server, grant, left=10)
    settings.OAUTH = {"anthropic": server.client(token_url="http://127.0.0.1:9/token")}
    replace_client(credential, settings.OAUTH["anthropic"].identity)
    with pytest.raises(Exception, match="could not be reached") as caught:
        fresh(choose(owner))
    assert caught.value.retryable  # type: ignore[attr-defined]
    assert not caught.value.sent  # type: ignore[attr-defined]
    credential.refresh_from_db()
    assert (credential.state, credential.renewer) == ("active", None)
    # while the vendor rests the next caller is told at once, and how long
    with pytest.raises(Exception, match="could not be reached") as again:
        fresh(choose(owner))
    assert 0 < again.value.retry_after <= 1.2  # type: ignore[attr-defined]


def test_a_grant_that_was_used_up_elsewhere_has_to_be_connected_again(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    credential = store(server, grant, left=10)
    for each in server.tokens:
        each.revoked = True
    choice = choose(owner)
    with pytest.raises(LoginNeeded) as caught:
        fresh(choice)
    assert not caught.value.retryable
    credential.refresh_from_db()
    assert (credential.state, credential.has_secret) == ("invalid", False)
    assert credentials.for_call(owner.pk, None, "anthropic") == []
    reason = credentials.blocked_reason(owner.pk, None, "anthropic")
    assert reason == (
        "The organisation's Anthropic login cannot be used. The vendor does not accept this login any more. "
        "An owner or admin can connect it again."
    )
    asked = len(server.asked)
    with pytest.raises(LoginNeeded):
        fresh(choice)
    assert len(server.asked) == asked


def test_nobody_elses_key_is_used_instead(
    owner: User, server: AuthorizationServer, grant: Grant, key_in_environment: Secret
) -> None:
    store(server, grant, left=10)
    for each in server.tokens:
        each.revoked = True
    choices = credentials.for_call(owner.pk, None, "anthropic")
    with pytest.raises(LoginNeeded):
        fresh(choices[0])
    assert credentials.for_call(owner.pk, None, "anthropic") == []


def test_after_a_401_a_token_that_looked_good_is_renewed(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    store(server, grant, left=3000)
    again = refused(choose(owner))
    assert again is not None
    assert server.accepts(token(again))
    assert server.rotated == 1


def test_after_a_401_a_token_that_somebody_renewed_is_taken(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    store(server, grant, left=3000)
    old = choose(owner)
    first = refused(old)
    second = refused(old)
    assert first is not None
    assert second is not None
    assert token(first) == token(second)
    assert server.rotated == 1


def test_after_a_401_a_dead_grant_is_not_tried_again(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    credential = store(server, grant, left=3000)
    for each in server.tokens:
        each.revoked = True
    assert refused(choose(owner)) is None
    credential.refresh_from_db()
    assert credential.state == "invalid"


def test_after_a_401_a_vendor_that_is_away_does_not_end_the_grant(
    owner: User, server: AuthorizationServer, grant: Grant, settings: Any
) -> None:
    credential = store(server, grant, left=3000)
    settings.OAUTH = {"anthropic": server.client(token_url="http://127.0.0.1:9/token")}
    replace_client(credential, settings.OAUTH["anthropic"].identity)
    with pytest.raises(Exception, match="could not be reached"):
        refused(choose(owner))
    credential.refresh_from_db()
    assert credential.state == "active"


def test_a_grant_of_another_client_is_sent_nowhere(
    owner: User, server: AuthorizationServer, grant: Grant, settings: Any
) -> None:
    credential = store(server, grant, left=10)
    asked = len(server.asked)
    for clients in ({"anthropic": server.client(client_id="somebody-else")}, {}):
        grants.forget()
        settings.OAUTH = clients
        with pytest.raises(ClientRefused, match="another configuration"):
            fresh(choose(owner))
    assert len(server.asked) == asked
    credential.refresh_from_db()
    assert credential.state == "active"


def test_a_token_without_a_refresh_token_ends_when_it_ends(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    lonely = replace(grant, refresh_token=None)
    credential = store(server, lonely, left=20)
    with pytest.raises(LoginNeeded):
        fresh(choose(owner))
    credential.refresh_from_db()
    assert credential.state == "active"  # it is good for some seconds more: nobody throws it away
    Credential.objects.filter(pk=credential.pk).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert credentials.for_call(owner.pk, None, "anthropic") == []
    credential.refresh_from_db()
    assert (credential.state, credential.has_secret, credential.last_error) == (
        "invalid",
        False,
        "It has expired.",
    )


def test_a_credential_revoked_while_it_is_renewed_stays_revoked(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    credential = store(server, grant, left=10)

    def revoke(path: str, fields: dict[str, str]) -> None:
        if path == "/token":
            in_thread(lambda: key_actions.revoke(credential=Credential.objects.get(pk=credential.pk)))

    choice = choose(owner)
    server.before_answer = revoke
    with pytest.raises(LoginNeeded, match="no longer there"):
        fresh(choice)
    credential.refresh_from_db()
    assert (credential.state, credential.has_secret) == ("revoked", False)
    assert not any(each for each in server.tokens if not each.revoked)  # the vendor was told of the new ones


def test_an_answer_that_was_lost_is_asked_for_once_more_and_then_told(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    """The vendor has rotated, its answer is lost: the old refresh token is dead, and that is said."""
    credential = store(server, grant, left=10)
    choice = choose(owner)
    tries = []

    def lose(path: str, fields: dict[str, str]) -> None:
        tries.append(path)
        if len(tries) == 1:
            raise ConnectionResetError

    server.before_answer = lose
    with pytest.raises(LoginNeeded):
        fresh(choice)
    assert len(tries) == 2
    credential.refresh_from_db()
    assert (credential.state, credential.has_secret) == ("invalid", False)


def test_an_answer_lost_before_the_vendor_acted_costs_nothing(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    store(server, grant, left=10)
    choice = choose(owner)
    tries = []

    def lose(path: str, fields: dict[str, str]) -> None:
        tries.append(path)
        if len(tries) == 1:
            for each in server.tokens:  # as if it had not acted
                each.revoked = each.refresh_token != fields["refresh_token"]
            raise ConnectionResetError

    server.before_answer = lose
    assert server.accepts(token(fresh(choice)))


def test_a_vendor_that_answers_never_ends_in_later_not_in_a_dead_grant(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    credential = store(server, grant, left=10)
    choice = choose(owner)

    def lose(path: str, fields: dict[str, str]) -> None:
        for each in server.tokens:
            each.revoked = each.refresh_token != fields["refresh_token"]
        raise ConnectionResetError

    server.before_answer = lose
    with pytest.raises(Unanswered) as caught:
        fresh(choice)
    assert caught.value.retryable
    credential.refresh_from_db()
    assert credential.state == "active"


def test_a_write_that_fails_fails_the_renewal_and_is_made_up_for(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    """The database takes nothing when the vendor has answered; later it does, and the grant is not lost."""
    credential = store(server, grant, left=10)
    choice = choose(owner)
    server.before_answer = lambda path, fields: in_thread(forbid_writes)
    try:
        with pytest.raises(ServerError, match="could not be stored") as caught:
            fresh(choice)
    finally:
        in_thread(allow_writes)
    assert caught.value.retryable
    assert token(choose(owner)) == grant.access_token.reveal()  # nothing is used that was not kept
    server.before_answer = lambda path, fields: None
    grants.forget()
    asked = len(server.asked)
    again = fresh(choose(owner))
    assert server.accepts(token(again))
    assert len(server.asked) == asked  # what the vendor gave was still in memory
    credential.refresh_from_db()
    assert credential.state == "active"


def test_the_lease_of_a_dead_process_runs_out(owner: User, server: AuthorizationServer, grant: Grant) -> None:
    credential = store(server, grant, left=10)
    Credential.objects.filter(pk=credential.pk).update(
        renewer=credential.pk, renewing_until=datetime.now(UTC) + timedelta(seconds=0.3)
    )
    assert server.accepts(token(fresh(choose(owner))))


def test_in_good_time_nobody_waits_for_another_process(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    credential = store(server, grant, left=100)
    Credential.objects.filter(pk=credential.pk).update(
        renewer=credential.pk, renewing_until=datetime.now(UTC) + timedelta(seconds=40)
    )
    choice = choose(owner)
    assert fresh(choice) is choice
    assert server.rotated == 0


def test_a_vendor_that_asks_to_wait_is_left_in_peace(
    owner: User, server: AuthorizationServer, grant: Grant
) -> None:
    store(server, grant, left=10)
    choice = choose(owner)
    server.refuses = (429, {"error": "rate_limit_error"}, {"retry-after": "40"})
    with pytest.raises(RateLimited):
        fresh(choice)
    asked = len(server.asked)
    with pytest.raises(RateLimited) as caught:
        fresh(choice)
    assert 30 < (caught.value.retry_after or 0) <= 40
    assert len(server.asked) == asked


def test_no_token_is_in_any_log_row_or_text(
    owner: User, server: AuthorizationServer, grant: Grant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    credential = store(server, grant, left=10)
    choice = fresh(choose(owner))
    for each in server.tokens:
        each.revoked = True
    server.before_answer = lambda path, fields: None
    with pytest.raises(LoginNeeded) as caught:
        fresh(replace(choice, fresh_until=datetime.now(UTC)))
    credential.refresh_from_db()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_credential")
        rows = repr(
            [[bytes(cell) if isinstance(cell, memoryview) else cell for cell in row] for row in cursor]
        )
    shown = [caplog.text, rows, repr(choice), repr(credential), str(caught.value), repr(vars(credential))]
    assert all("canary" not in text for text in shown)


def replace_client(credential: Credential, identity: str) -> bool:
    """As if the grant had been made with a client of this identity."""
    assert credential.secret is not None
    held = StoredGrant.opened(credential.secret)
    credential.secret = replace(held, client=identity).to_secret()
    credential.save(update_fields=["secret"])
    return True


def in_thread(work: Any) -> None:
    """Does it on another connection, which is closed afterwards."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    if failures:
        raise failures[0]


def forbid_writes() -> None:
    """No secret can be stored from now on: the database refuses."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "CREATE TRIGGER no_new_secret BEFORE UPDATE OF secret ON accounts_credential"
                " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            )
            return
        cursor.execute(
            "CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER no_new_secret BEFORE UPDATE OF secret ON accounts_credential"
            " FOR EACH ROW EXECUTE FUNCTION disk_is_full()"
        )


def allow_writes() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER IF EXISTS no_new_secret")
            return
        cursor.execute("DROP TRIGGER IF EXISTS no_new_secret ON accounts_credential")
        cursor.execute("DROP FUNCTION IF EXISTS disk_is_full")
