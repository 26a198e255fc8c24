"""First sign-ins of one person at the same moment, in several browsers: one account, and all are in."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts import actions
from accounts.models import Membership, SignInConnection, SignInProvider, Team, User
from accounts.people import invitations
from tests.openid import OpenIDProvider

from .conftest import PASSWORD
from .signing_in import is_signed_in
from .signing_on import back, begun, made, open_to

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]
BROWSERS = 4


def all_at_once(idp: OpenIDProvider, provider: SignInProvider) -> list[Client]:
    """Comes back in several browsers at the same moment."""
    clients = [Client() for _ in range(BROWSERS)]
    addresses = [idp.sign_in(begun(provider, client)) for client in clients]
    together, raised = Barrier(BROWSERS), []

    def come(client: Client, address: str) -> None:
        try:
            together.wait(10)
            back(client, address)
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [Thread(target=come, args=pair) for pair in zip(clients, addresses, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised == []
    return clients


@pytest.mark.parametrize("how", ["by the rule", "invited", "linked"])
def test_one_account_comes_of_it_and_everybody_is_in(owner: User, idp: OpenIDProvider, how: str) -> None:
    rules: list[dict[str, Any]] = []
    if how == "by the rule":
        open_to(by=owner)
        team = Team.objects.create(name="Design")
        rules = [{"group": "designers", "team": str(team.pk), "team_role": "member", "role": ""}]
        idp.person["groups"] = ["designers"]
    elif how == "invited":
        invitations.invite(by=owner, email="ada@example.org", team=Team.objects.create(name="Design"))
    else:
        actions.create_user(email="ada@example.org", password=PASSWORD)
    clients = all_at_once(idp, made(idp, groups_claim="groups", groups=rules))
    assert [is_signed_in(client) for client in clients] == [True] * BROWSERS
    assert User.objects.count() == 2
    assert SignInConnection.objects.count() == 1
    assert Membership.objects.count() == (0 if how == "linked" else 1)
