"""The access tokens of the company: the owner's own, and when the programs' were last used."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.models import AccessToken, Membership, Team, User
from tests.browser.company import LONG_NAME
from usage.access_tokens import actions
from usage.budgets.words import NANO

HAIKU, SONNET, OPUS = (f"anthropic/claude-{name}-5-5" for name in ("haiku", "sonnet", "opus"))
CLIENT = "Anthropic/Python 2.0.0 (build server; https://git.harbour.example/release/pipelines/nightly)"


def fill() -> None:
    now, owner = timezone.now(), User.objects.get(role=User.Role.OWNER)
    both, listing = ["messages", "models"], ["messages", "count_tokens", "models"]
    research = Team.objects.get(memberships__user=owner, name="Research")
    for name, scopes, models, days, team, limit, used, address, client in (
        ("build server", ["messages"], [HAIKU], 101, research, None, 4, "10.20.0.7", CLIENT),
        ("laptop", both, [], 90, None, None, None, "", ""),
        ("notebook", listing, [SONNET, OPUS], 6, None, 25, 1500, "2001:db8:20::5e1f", "claude-cli/3.1.0"),
        (LONG_NAME, ["messages"], [HAIKU, SONNET, OPUS, f"{HAIKU[:-3]}4-5"], None, None, 400, 90_000, "", ""),
        ("مساعد المكتب", both, [], 1, None, None, 30, "203.0.113.40", "curl/8.11.0"),
    ):
        made = actions.make(
            person=owner,
            name=name,
            scopes=scopes,
            team=team,
            expires_at=now + timedelta(days=days) if days is not None else None,
            monthly_nano=limit * NANO if limit is not None else None,
            by=owner,
        )
        assert made is not None
        AccessToken.objects.filter(pk=made.token.pk).update(
            allowed_models=models,
            last_used_at=now - timedelta(minutes=used) if used is not None else None,
            last_used_from=address,
            last_client=client,
        )
    gone = actions.make(person=owner, name="old laptop", scopes=both, expires_at=None, by=owner)
    assert gone is not None
    actions.revoke(token=gone.token, by=owner)
    for number, token in enumerate(AccessToken.objects.filter(prefix__startswith="pk-").order_by("pk")):
        token.prefix, token.scopes = f"parley_{number}aR7", both
        token.last_used_at, token.last_used_from = now - timedelta(hours=3 * number, minutes=2), "10.20.0.9"
        token.save(update_fields=["prefix", "scopes", "last_used_at", "last_used_from"])
    Membership.objects.filter(team=research, user=owner).update(role=Membership.Role.MANAGER)
