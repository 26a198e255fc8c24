"""What is tried once more in another form: a token that was renewed, a request without its thinking."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.ids import uuid7
from accounts.keys.stored_grants import StoredGrant
from accounts.models import Credential, User
from providers.access import Secret
from providers.errors import AuthenticationError, InvalidRequest
from providers.simulator.server import ThreadServer
from usage import metering
from usage.metering import Caller

from .conftest import asking, clock, database, lines, made

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.services]

UNBOUND = "messages.1.content.0: Invalid `signature` in `thinking` block"


def login(person: User, vendor: ThreadServer, token: str) -> Credential:
    return Credential.objects.create(
        person=person,
        provider="anthropic",
        base_url=vendor.base_url,
        kind="oauth",
        secret=StoredGrant(access_token=Secret(token)).to_secret(),
        hint=token[-4:],
    )


def renewed(credential: Credential, token: str) -> None:
    credential.secret = StoredGrant(access_token=Secret(token)).to_secret()
    credential.save(update_fields=["secret"])


async def test_a_token_that_was_renewed_meanwhile_is_tried_once(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    credential = await database(lambda: login(person, vendor, "sk-sim-401"))
    call_id, events = uuid7(), []
    clock()
    async with metering.call(caller, asking(text="Hi"), purpose="chat", call_id=call_id) as call:
        await database(lambda: renewed(credential, "good-token"))
        async for event in call:
            events.append(event["type"])
    assert events[-1] == "message_stop"
    assert [(line.credential, line.error) for line in await database(lambda: lines(call_id))] == [
        (credential.pk, "authentication_error"),
        (credential.pk, ""),
    ]
    await database(credential.refresh_from_db)
    assert credential.state == "active"


async def test_a_login_that_cannot_be_renewed_ends_the_call(
    caller: Caller, person: User, vendor: ThreadServer
) -> None:
    credential = await database(lambda: login(person, vendor, "sk-sim-401"))
    done = await made(caller, asking(text="Hi"))
    assert isinstance(done.error, AuthenticationError)
    assert vendor.app.counters.counts["requests"] == 1
    await database(credential.refresh_from_db)
    assert credential.state == "invalid"


def unbound(**then: Any) -> dict[str, Any]:
    return {"status": 400, "message": UNBOUND, "times": 1, "then": then, "id": uuid7().hex}


async def test_thinking_that_the_vendor_does_not_take_back_is_left_out_once(
    caller: Caller, vendor: ThreadServer
) -> None:
    stripped = asking(text="Without thinking.")
    done = await made(caller, asking(**unbound(text="Never.")), without_thinking=stripped)
    assert done.fold.message["content"][0]["text"] == "Without thinking."
    assert vendor.app.counters.counts["requests"] == 2
    first, second = await database(lambda: lines(done.id))
    assert (first.cost_nano, first.error, second.outcome) == (0, "invalid_request_error", "completed")
    assert done.call.fallbacks == []


async def test_it_is_left_out_once_and_not_again(caller: Caller, vendor: ThreadServer) -> None:
    wrong = asking(status=400, message=UNBOUND)
    done = await made(caller, wrong, without_thinking=wrong)
    assert isinstance(done.error, InvalidRequest)
    assert vendor.app.counters.counts["requests"] == 2


async def test_without_another_form_the_refusal_stands(caller: Caller, vendor: ThreadServer) -> None:
    done = await made(caller, asking(**unbound(text="Never.")))
    assert isinstance(done.error, InvalidRequest)
    assert vendor.app.counters.counts["requests"] == 1
