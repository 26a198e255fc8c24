"""One person of every role, and one object of every kind in an address."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.test import Client

from accounts import actions
from accounts.ids import uuid7
from accounts.models import (
    AccessToken,
    Credential,
    DeviceSession,
    Membership,
    Organisation,
    SignInConnection,
    SignInProvider,
    Team,
    User,
)
from accounts.people import invitations
from accounts.single_sign_on import providers as sign_in_providers
from chat.models import Conversation, Message
from providers.access import Secret
from tests.access.matrix import ROLES
from tests.usage.budgeting import budget
from tests.usage.lines import line
from usage.alerts import webhooks
from usage.models import Endpoint, LimitRequest, Webhook

PASSWORD = "a lamp, two rivers"
DEMO = "demo/parley-demo"
_WAYS_IN = (
    *("sign_in_edit", "sign_in_switch", "sign_in_remove"),
    *("sso_begin", "sso_callback", "sso_saml", "sso_metadata", "sso_connect"),
)


@dataclass
class Cast:
    """`clients` by role; `ids` by the name of a placeholder, or of a route and a placeholder."""

    people: dict[str, User]
    clients: dict[str, Client] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)

    def arguments(self, route: str, names: list[str]) -> dict[str, Any]:
        return {name: self.ids.get(f"{route} {name}", self.ids.get(name)) for name in names}


def gathered() -> Cast:
    """Makes everybody and everything. The deactivated person was signed in before."""
    owner = actions.found(
        organisation="Lighthouse", email="owner@example.org", password=PASSWORD, display_name="Olga"
    )
    people = {"owner": owner}
    for role in ROLES[1:-1]:
        kind = "admin" if role == "admin" else "member"
        people[role] = actions.create_user(email=f"{role}@example.org", password=PASSWORD, role=kind)
    team = Team.objects.create(name="Design")
    Membership.objects.create(user=people["manager"], team=team, role="manager")
    Membership.objects.create(user=people["member"], team=team)
    cast = Cast(people)
    for role in ROLES:
        client = Client(headers={"host": "localhost"})
        if role in people:
            client.force_login(people[role])
        cast.clients[role] = client
    people["deactivated"].is_active = False
    people["deactivated"].save(update_fields=["is_active"])
    _objects(cast, team)
    return cast


def _objects(cast: Cast, team: Team) -> None:
    member = cast.people["member"]
    organisation = Organisation.objects.get()
    key, team_key, own_key = (
        Credential.objects.create(
            **whose,
            provider="anthropic",
            base_url="https://api.anthropic.com",
            secret=Secret("sk-ant-matrix"),
            hint="trix",
        )
        for whose in ({"organisation": organisation}, {"team": team}, {"person": member})
    )
    made = budget(name="Everybody")
    request = LimitRequest.objects.create(budget=made, asked_by=member.pk)
    call = uuid7()
    now = datetime.now(UTC)
    line(call_id=call, user=member.pk, accounted_at=now, written_at=now, day=now.date())
    endpoint = Endpoint.objects.create(
        slug="house", label="House", wire="openai-chat", base_url="https://h.test"
    )
    conversation, question, answer = _conversation(member)
    invited = invitations.invite(by=cast.people["owner"], email="new@example.org", team=team)
    of_keys = {"team_keys": team_key.pk, "own_keys": own_key.pk}
    token = AccessToken.objects.create(
        user=member,
        name="laptop",
        prefix="parley_trix",
        sha256=AccessToken.digest("matrix"),
        scopes=["messages"],
        paying_team=team,
    )
    owner, webhook = cast.people["owner"], uuid7()
    webhooks.add(by=owner.pk, webhook_id=webhook, name="Finance", url="https://hooks.test/x")
    delivery = webhooks.make_test(by=owner.pk, webhook=Webhook.objects.get())
    way_in = SignInProvider(vendor="oidc", name="House ID", client_id="parley", issuer="https://id.test")
    way_in.secret = Secret("cs-matrix")
    way_in.save(force_insert=True)
    draft = sign_in_providers.draft_of(way_in, person=owner)
    draft.tested = {"subject": "olga-1"}
    draft.save(update_fields=["tested"])
    connected = SignInConnection.objects.create(person=member, provider=way_in, subject="mo-1")
    cast.ids = {
        **{
            f"accounts:{place}_{what} id": key_id
            for place, key_id in of_keys.items()
            for what in ("replace", "change", "revoke", "check")
        },
        **{
            f"accounts:{place}_{what} id": uuid7() for place in of_keys for what in ("login", "ask", "cancel")
        },
        "id": key.pk,
        "provider": "anthropic",
        "kind": "api_key",
        "model": "claude-sonnet-5-5",
        "budget": made.pk,
        "request_id": request.pk,
        "call_id": call,
        "slug": endpoint.slug,
        "webhook": webhook,
        "delivery": delivery.pk,
        "day": "2026-11-01",
        "usage:recommendation kind": "caching",
        "usage:recommendation_calls kind": "caching",
        "conversation_id": conversation.pk,
        "message_id": answer,
        "chat:edit message_id": question,
        "team_id": team.pk,
        "person_id": member.pk,
        "person": member.pk,
        "invitation_id": invited.invitation.pk,
        "token_id": token.pk,
        "token": invited.link.rstrip("/").rpartition("/")[2],
        "uidb36": "1",
        "key": "never-valid",
        "usage:try_now key": key.pk,
        "accounts:passkey_rename id": 1,
        "accounts:factor_remove id": 1,
        "accounts:session_end id": DeviceSession.objects.get(user=member).pk,
        "accounts:person_sign_in id": member.pk,
        "accounts:person_anonymise id": member.pk,
        "vendor": "anthropic",
        "accounts:sign_in_add vendor": "oidc",
        **{f"accounts:{what} id": way_in.pk for what in _WAYS_IN},
        "accounts:sign_in_draft id": draft.pk,
        "accounts:sign_in_review id": draft.pk,
        "accounts:sso_disconnect id": connected.pk,
        "provider_id": way_in.pk,
        "accounts:person_disconnect id": member.pk,
        "connection_id": connected.pk,
        "accounts:person_reset_factors id": member.pk,
        "accounts:person_end_sessions id": member.pk,
        "accounts:keys_login id": uuid7(),
        "accounts:keys_ask id": uuid7(),
        "accounts:keys_cancel id": uuid7(),
    }


def _conversation(person: User) -> tuple[Conversation, UUID, UUID]:
    conversation = Conversation.objects.create(owner=person, title="Lamps", model=DEMO)
    text = json.dumps([{"type": "text", "text": "Which lamp?"}])
    question = Message.objects.create(conversation=conversation, role="user", author=person, blocks_text=text)
    answer = Message.objects.create(
        conversation=conversation,
        parent=question,
        role="assistant",
        model=DEMO,
        blocks_text=text,
    )
    conversation.head = answer
    conversation.save(update_fields=["head"])
    return conversation, question.pk, answer.pk
