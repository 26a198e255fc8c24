"""A key that is revoked while an answer is written with it: the answer ends, is kept, and says why."""

from __future__ import annotations

import asyncio

import pytest

from accounts.keys import actions as key_actions
from accounts.keys.owners import Owner
from accounts.models import User
from chat.host import host
from chat.models import Run
from providers.access import Secret
from providers.simulator.server import ThreadServer
from tests.chat.conftest import CLAUDE
from tests.chat.test_runs import scripted
from tests.live import Visitor
from usage.calls import revoked
from usage.models import LedgerLine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]


def test_the_answer_is_interrupted_kept_and_paid(visitor: Visitor, owner: User, vendor: ThreadServer) -> None:
    key = key_actions.add_credential(
        owner=Owner(person=owner),
        provider="anthropic",
        kind="api_key",
        base_url=vendor.base_url,
        secret=Secret("sk-sim-own"),
        options={},
        vendor_account="",
    )
    conversation, (_question, answer) = visitor.start(scripted(deltas=5000, rate=50), CLAUDE)
    with visitor.listen(conversation, {answer.run: 0}) as page:
        while not page.text:
            page.hear()
        key_actions.revoke(credential=key, by=owner)
        assert host.loop is not None
        asyncio.run_coroutine_threadsafe(revoked.look(), host.loop).result(10)
        assert page.hear_until("finished")["status"] == "interrupted"
    assert "was revoked or replaced" in Run.objects.get(message=answer.id).error["message"]
    assert visitor.turns(conversation)[-1].text
    line = LedgerLine.objects.get()
    assert (line.credential, line.outcome, line.error) == (key.pk, "stopped", "key_revoked")
