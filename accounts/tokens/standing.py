"""Whether an access token may be used now, and what keeps it from being used.

Read anew at every use, so that a token is never worth more than its owner is at that moment.
"""

from __future__ import annotations

from datetime import datetime

from accounts.models import AccessToken
from accounts.tokens.policy import TokenPolicy


def trouble(token: AccessToken, now: datetime) -> str:
    """Why the token is refused, as a sentence for who may see it; "" for a token that is taken.

    `token` comes from AccessTokenQuerySet.with_standing.
    """
    owner = token.user
    if token.revoked_at is not None:
        return "Revoked."
    if token.expires_at is not None and token.expires_at <= now:
        return "Expired."
    if not owner.is_active:
        return "Its owner is deactivated."
    if owner.second_factor_due is not None and owner.second_factor_due <= now:
        return "Its owner has to add a second factor first."
    policy = TokenPolicy.of(token.policy)  # type: ignore[attr-defined] # annotated
    if not policy.allows(owner):
        return "The organisation does not let its owner use tokens."
    if token.paying_team_id is not None and not token.in_paying_team:  # type: ignore[attr-defined] # annotated
        return "Its owner is not in the team that pays."
    return ""
