"""Who may reach what: one row for every address and for every command of a socket.

A row says how each role is answered, in the order of ROLES:

    y  served (also with a complaint about what was sent)     n  not found: for them it does not exist
    l  asked to sign in                                       f  refused, where it is known that it is there

Objects in addresses are the cast's (tests.access.cast): conversations, tokens and calls are the member's, the
team is Design, whose manager is the manager and whose one other person is the member.
"""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("owner", "admin", "manager", "member", "stranger", "deactivated", "anonymous")

ADMINS = "yynnnll"
OWNERS = "ynnnnll"
PEOPLE = "yyyyyll"
MANAGERS = "yyynnll"  # of the team, or of any team where the page is about all of theirs
MEMBER = "nnnynll"  # who owns the object
ANYBODY = "yyyyyyy"
NOBODY = "nnnnnll"


@dataclass(frozen=True, slots=True)
class Row:
    """`get` and `post` are answers by role, "" where the method is not taken (405). `sent` names what of the
    cast goes along as fields.
    """

    get: str = ""
    post: str = ""
    sent: tuple[str, ...] = ()


MESSAGE = Row(post=MEMBER)
FORWARD = Row(get=ANYBODY, post=ANYBODY)  # leads on to an address that has its own row

ROUTES: dict[str, Row] = {
    "manage": FORWARD,
    # the door
    "accounts:setup": Row(get="yyyyyll", post=ANYBODY),  # there is an owner: it only leads elsewhere
    "accounts:setup_key": Row(get=ADMINS, post=ADMINS),
    "account_login": Row(get=ANYBODY, post=ANYBODY),
    "account_inactive": Row(get=ANYBODY),
    "account_logout": Row(get=PEOPLE, post="lllllll"),
    "account_signup": Row(get=ANYBODY, post=ANYBODY),
    "account_change_password": Row(get=PEOPLE, post=PEOPLE),
    "account_set_password": Row(get=PEOPLE, post=PEOPLE),
    "account_reset_password": Row(get=ANYBODY, post=ANYBODY),
    "account_reset_password_done": Row(get=ANYBODY),
    "account_reset_password_from_key": Row(get=ANYBODY, post=ANYBODY),
    "account_reset_password_from_key_done": Row(get=ANYBODY),
    # signing in; in this cast no mail is sent, and nobody is between password and second step
    "accounts:passkey_options": Row(post=ANYBODY),
    "mfa_login_webauthn": Row(post=PEOPLE),
    "mfa_authenticate": Row(get=PEOPLE, post=PEOPLE),
    "account_request_login_code": Row(get="nnnnnnn", post="nnnnnnn"),
    "account_confirm_login_code": Row(get="nnnnnnn", post="nnnnnnn"),
    "account_email_verification_sent": Row(get="nnnnnnn", post="nnnnnnn"),
    "account_email": Row(get="nnnnnnn", post="nnnnnnn"),
    "account_reauthenticate": Row(get=PEOPLE, post=PEOPLE),
    "mfa_reauthenticate": Row(get=PEOPLE, post=PEOPLE),
    "mfa_reauthenticate_webauthn": Row(get=PEOPLE, post=PEOPLE),
    "accounts:security": Row(get=PEOPLE),
    "accounts:second_step": Row(get=PEOPLE),
    "accounts:totp_add": Row(get=PEOPLE, post=PEOPLE),
    "accounts:passkey_add": Row(get=PEOPLE, post=PEOPLE),
    "accounts:passkey_rename": Row(get=PEOPLE, post=PEOPLE),  # who it is is asked before what is there
    "accounts:factor_remove": Row(get=PEOPLE, post=PEOPLE),
    "accounts:recovery_codes": Row(get=PEOPLE, post=PEOPLE),
    "accounts:sessions_end": Row(post=PEOPLE),
    "accounts:session_end": Row(post=MEMBER),
    "accounts:sign_in_policy": Row(get=ADMINS, post=ADMINS),
    "accounts:sign_up_policy": Row(post=ADMINS),
    "accounts:sign_in_add": Row(post=ADMINS),
    "accounts:sign_in_draft": Row(get="ynnnnll", post="ynnnnll"),  # the owner's own draft
    "accounts:sign_in_review": Row(get="ynnnnll", post="yynnnll"),  # who it is is asked before what is there
    "accounts:sign_in_edit": Row(post=ADMINS),
    "accounts:sign_in_switch": Row(post=ADMINS),
    "accounts:sign_in_remove": Row(get=ADMINS, post=ADMINS),
    "accounts:sso_begin": Row(post=ANYBODY),
    "accounts:sso_callback": Row(get="fffffff"),  # none of them has begun a sign-in there
    # posted by a provider's page, so without a token; refused, as it answers nothing that was asked
    "accounts:sso_saml": Row(post="fffffff"),
    "accounts:sso_metadata": Row(get=ANYBODY),  # two addresses, made of the id alone
    "accounts:sso_connect": Row(post=PEOPLE),
    # the person's own account at the provider
    "accounts:sso_confirm": Row(get=PEOPLE, post="nnnynll", sent=("provider_id",)),
    "accounts:sso_disconnect": Row(get=PEOPLE, post=PEOPLE),  # who it is is asked before what is there
    "accounts:person_sign_in": Row(get=ADMINS),
    "accounts:person_reset_factors": Row(post=ADMINS),
    "accounts:person_end_sessions": Row(post=ADMINS),
    "accounts:person_disconnect": Row(post=ADMINS),
    # keys: the organisation's, those of teams, a person's own
    "accounts:keys": Row(get=ADMINS),
    "accounts:keys_add": Row(get=ADMINS),
    "accounts:keys_enter": Row(get=ADMINS, post=ADMINS),
    "accounts:keys_replace": Row(get=ADMINS, post=ADMINS),
    "accounts:keys_change": Row(get=ADMINS, post=ADMINS),
    "accounts:keys_revoke": Row(get=ADMINS, post=ADMINS),
    "accounts:keys_check": Row(post=ADMINS),
    "accounts:keys_connect": Row(get=NOBODY, post=NOBODY),  # no login is configured in this cast
    "accounts:keys_login": Row(get=NOBODY),  # an attempt belongs to the session that began it
    "accounts:keys_ask": Row(post=NOBODY),
    "accounts:keys_cancel": Row(post=NOBODY),
    "accounts:keys_callback": Row(get=ADMINS),
    "accounts:key_policy": Row(get=ADMINS, post=ADMINS),
    "accounts:team_keys": Row(get=MANAGERS),
    "accounts:team_keys_add": Row(get=MANAGERS),
    "accounts:team_keys_enter": Row(get=MANAGERS, post=MANAGERS),
    "accounts:team_keys_replace": Row(get=MANAGERS, post=MANAGERS),
    "accounts:team_keys_change": Row(get=MANAGERS, post=MANAGERS),
    "accounts:team_keys_revoke": Row(get=MANAGERS, post=MANAGERS),
    "accounts:team_keys_check": Row(post=MANAGERS),
    "accounts:team_keys_connect": Row(get=NOBODY, post=NOBODY),
    "accounts:team_keys_login": Row(get=NOBODY, post=NOBODY),
    "accounts:team_keys_ask": Row(post=NOBODY),
    "accounts:team_keys_cancel": Row(post=NOBODY),
    "accounts:own_keys": Row(get=PEOPLE),
    "accounts:own_keys_add": Row(get=PEOPLE),
    "accounts:own_keys_enter": Row(get=PEOPLE, post=PEOPLE),
    "accounts:own_keys_replace": Row(get=MEMBER, post=MEMBER),
    "accounts:own_keys_change": Row(get=MEMBER, post=MEMBER),
    "accounts:own_keys_revoke": Row(get=MEMBER, post=MEMBER),
    "accounts:own_keys_check": Row(post=MEMBER),
    "accounts:own_keys_connect": Row(get=NOBODY, post=NOBODY),
    "accounts:own_keys_login": Row(get=NOBODY, post=NOBODY),
    "accounts:own_keys_ask": Row(post=NOBODY),
    "accounts:own_keys_cancel": Row(post=NOBODY),
    # people and teams
    "accounts:join": Row(get=ANYBODY, post=ANYBODY),
    "accounts:profile": Row(get=PEOPLE, post=PEOPLE),
    "usage:people": Row(get=ADMINS),
    "usage:person": Row(get=ADMINS),
    "usage:person_role": Row(post=ADMINS),
    "usage:person_active": Row(post=ADMINS),
    "usage:invitations": Row(get=MANAGERS),
    "usage:invite": Row(get=MANAGERS, post=MANAGERS),
    "usage:invite_many": Row(get=ADMINS, post=ADMINS),
    "usage:resend_invitation": Row(post=MANAGERS),
    "usage:revoke_invitation": Row(post=MANAGERS),
    "usage:teams": Row(get=MANAGERS, post=ADMINS),
    "usage:team": Row(get=MANAGERS),
    "usage:rename_team": Row(post=ADMINS),
    "usage:put_in_team": Row(post=ADMINS),
    "usage:take_out_of_team": Row(post=MANAGERS, sent=("person",)),
    # access tokens
    "usage:tokens": Row(get=PEOPLE),
    "usage:new_token": Row(get=PEOPLE, post=PEOPLE),
    "usage:token": Row(get=MEMBER, post=PEOPLE),  # who it is is asked before what is there
    "usage:revoke_token": Row(get=MEMBER, post=MEMBER),
    "usage:token_policy": Row(get=ADMINS, post=ADMINS),
    "usage:revoke_persons_token": Row(get=ADMINS, post=ADMINS),
    "usage:revoke_teams_token": Row(get=MANAGERS, post=MANAGERS),
    "accounts:person_anonymise": Row(get=ADMINS, post=ADMINS),
    # settings of the organisation; the mail server is an owner's, for letters open accounts
    "chat:organisation": Row(get=ADMINS),
    "chat:organisation_name": Row(post=ADMINS),
    "chat:organisation_keep": Row(post=ADMINS),
    "chat:organisation_model": Row(post=ADMINS),
    "chat:organisation_vendor": Row(post=ADMINS, sent=("vendor",)),
    "accounts:mail": Row(get=OWNERS, post=OWNERS),
    "accounts:mail_test": Row(post=ADMINS),
    "accounts:mail_remove": Row(post=OWNERS),
    # the audit log
    "accounts:audit": Row(get=ADMINS),
    "accounts:audit_keep": Row(post=ADMINS),
    "accounts:audit_file": Row(get=ADMINS),
    # money
    "usage:overview": Row(get=ADMINS),
    "usage:usage": Row(get=ADMINS),
    "usage:usage_csv": Row(get=ADMINS),
    "usage:calls": Row(get=ADMINS),
    "usage:call": Row(get=ADMINS),
    "usage:mine": Row(get=PEOPLE),
    "usage:mine_csv": Row(get=PEOPLE),
    "usage:my_calls": Row(get=PEOPLE),
    "usage:my_call": Row(get=MEMBER),
    "usage:budgets": Row(get=ADMINS),
    "usage:new_budget": Row(get=ADMINS, post=ADMINS),
    "usage:budget": Row(get=ADMINS, post=ADMINS),
    "usage:switch_budget": Row(post=ADMINS),
    "usage:limit_requests": Row(get=ADMINS),
    "usage:decide_request": Row(post=ADMINS),
    "usage:ask_for_more": Row(get=PEOPLE, post=PEOPLE, sent=("budget",)),
    "usage:recommendations": Row(get=ADMINS, post=ADMINS),
    "usage:recommendation": Row(get=NOBODY),  # nothing was measured yet
    "usage:recommendation_calls": Row(get=NOBODY),
    "usage:reconcile": Row(get=ADMINS),
    "usage:compare": Row(post=ADMINS),
    "usage:reconcile_key": Row(get=ADMINS, post=ADMINS),
    "usage:remove_reconcile_key": Row(get=NOBODY, post=NOBODY),  # none is stored
    "usage:reconcile_counted": Row(post=ADMINS),
    "usage:reconcile_day": Row(get=NOBODY),  # nothing was compared yet
    # alerts
    "usage:alerts": Row(get=ADMINS),
    "usage:see_alerts": Row(post=ADMINS),
    "usage:alert_settings": Row(get=ADMINS, post=ADMINS),
    "usage:send_again": Row(post=ADMINS),
    "usage:new_webhook": Row(get=ADMINS, post=ADMINS),
    "usage:webhook": Row(get=ADMINS),
    "usage:rotate_webhook": Row(post=ADMINS),
    "usage:switch_webhook": Row(post=ADMINS),
    "usage:remove_webhook": Row(get=ADMINS, post=ADMINS),
    "usage:test_webhook": Row(post=ADMINS),
    # models and providers
    "usage:policy": Row(get=ADMINS),
    "usage:policy_organisation": Row(get=ADMINS, post=ADMINS),
    "usage:policy_others": Row(get=ADMINS, post=ADMINS),
    "usage:policy_team": Row(get=ADMINS, post=ADMINS),
    "usage:policy_explain": Row(get=ADMINS),
    "usage:allowed": Row(get=PEOPLE),
    "usage:health": Row(get=ADMINS),
    "usage:try_now": Row(post=ADMINS, sent=("provider", "key")),
    "usage:models": Row(get=ADMINS),
    "usage:model": Row(get=ADMINS, post=ADMINS),
    "usage:model_price": Row(post=ADMINS),
    "usage:model_chain": Row(post=ADMINS),
    "usage:model_default": Row(post=ADMINS),
    "usage:new_model": Row(get=ADMINS, post=ADMINS),
    "usage:new_endpoint": Row(get=ADMINS, post=ADMINS),
    "usage:endpoint": Row(get=ADMINS, post=ADMINS),
    "usage:remove_endpoint": Row(get=ADMINS, post=ADMINS),
    # the chat
    "chat:new": Row(get=PEOPLE),
    "chat:sidebar": Row(get=PEOPLE),
    "chat:start": Row(post=PEOPLE),
    "chat:conversation": Row(get=MEMBER),
    "chat:details": Row(get=MEMBER),
    "chat:estimate": Row(get=MEMBER),
    "chat:estimate_new": Row(get=PEOPLE),
    "chat:settings": Row(get=MEMBER, post=MEMBER),
    "chat:turns": Row(get=MEMBER),
    "chat:send": Row(post=MEMBER),
    "chat:head": Row(post=MEMBER),
    "chat:turn": Row(get=MEMBER),
    "chat:stop": MESSAGE,
    "chat:edit": MESSAGE,
    "chat:retry": MESSAGE,
    "chat:continue": MESSAGE,
    "chat:delete": MESSAGE,
    "chat:restore": MESSAGE,
    "chat:fork": MESSAGE,
}

# A socket is closed at once for who is not signed in. For the others: y the command is done, n no such thing.
COMMANDS = {"follow": "nnnynll", "unfollow": "yyyyyll", "stop": "nnnynll"}
