"""The addresses of set-up, of signing in, and of keys.

allauth's pages keep the names by which it finds them itself. Only those that have a place in Parley are
mounted.
"""

from collections.abc import Callable

from allauth.account import views as allauth_views
from django.http import HttpResponseBase
from django.urls import URLPattern, include, path, re_path

from accounts.keys.places import PLACES
from accounts.views import (
    audit,
    door,
    join,
    key_policy,
    keys,
    logins,
    mail,
    person_anonymise,
    person_sign_in,
    profile,
    security,
    sign_in,
    sign_in_policy,
    sign_in_providers,
    sign_up,
    single_sign_on,
)


def key_urls(prefix: str, name: str) -> list[URLPattern]:
    """The addresses of one place of keys; their names are Place.urls."""
    one, place = "<uuid:id>/", {"place": name}
    views: dict[str, tuple[str, Callable[..., HttpResponseBase]]] = {
        "list": ("", keys.keys),
        "add": ("add/", keys.add),
        "enter": ("add/<slug:provider>/<slug:kind>/", keys.enter),
        "replace": (f"{one}replace/", keys.replace),
        "change": (f"{one}change/", keys.change),
        "revoke": (f"{one}revoke/", keys.revoke),
        "check": (f"{one}check/", keys.check),
        "connect": ("connect/<slug:provider>/", logins.connect),
        "login": (f"login/{one}", logins.login),
        "ask": (f"login/{one}ask/", logins.ask),
        "cancel": (f"login/{one}cancel/", logins.cancel),
    }
    names = PLACES[name].urls
    return [
        path(prefix + route, view, place, name=names[what].removeprefix("accounts:"))
        for what, (route, view) in views.items()
    ]


own_urls = [
    path("setup/", door.setup, name="setup"),
    path("setup/key/", door.setup_key, name="setup_key"),
    path("join/<str:token>/", join.join, name="join"),
    path("settings/profile/", profile.profile, name="profile"),
    path("settings/security/", security.security, name="security"),
    path("settings/security/second-step/", security.second_step, name="second_step"),
    path("settings/security/app/", security.add_totp, name="totp_add"),
    path("settings/security/passkeys/add/", security.add_passkey, name="passkey_add"),
    path("settings/security/passkeys/<int:id>/", security.rename_passkey, name="passkey_rename"),
    path("settings/security/factors/<int:id>/remove/", security.remove_factor, name="factor_remove"),
    path("settings/security/recovery-codes/", security.recovery_codes, name="recovery_codes"),
    path("settings/security/sessions/end/", security.end_sessions, name="sessions_end"),
    path("settings/security/sessions/<uuid:id>/end/", security.end_session, name="session_end"),
    path("login/passkey/options/", sign_in.passkey_options, name="passkey_options"),
    path("manage/people/<uuid:id>/anonymise/", person_anonymise.anonymise, name="person_anonymise"),
    path("manage/people/<uuid:id>/sign-in/", person_sign_in.person_sign_in, name="person_sign_in"),
    path("manage/people/<uuid:id>/sign-in/reset/", person_sign_in.reset_factors, name="person_reset_factors"),
    path("manage/people/<uuid:id>/sign-in/end/", person_sign_in.end_sessions, name="person_end_sessions"),
    path(
        "manage/people/<uuid:id>/sign-in/connections/<uuid:connection_id>/end/",
        person_sign_in.disconnect,
        name="person_disconnect",
    ),
    path("manage/settings/sign-in/", sign_in_policy.policy, name="sign_in_policy"),
    path("manage/settings/sign-in/sign-up/", sign_up.decide, name="sign_up_policy"),
    path("manage/settings/sign-in/add/<slug:vendor>/", sign_in_providers.add, name="sign_in_add"),
    path("manage/settings/sign-in/drafts/<uuid:id>/", sign_in_providers.draft, name="sign_in_draft"),
    path("manage/settings/sign-in/drafts/<uuid:id>/review/", sign_in_providers.review, name="sign_in_review"),
    path("manage/settings/sign-in/<uuid:id>/edit/", sign_in_providers.edit, name="sign_in_edit"),
    path("manage/settings/sign-in/<uuid:id>/switch/", sign_in_providers.switch, name="sign_in_switch"),
    path("manage/settings/sign-in/<uuid:id>/remove/", sign_in_providers.remove, name="sign_in_remove"),
    path("settings/security/confirm/sso/", single_sign_on.confirm, name="sso_confirm"),
    path("login/with/<uuid:id>/", single_sign_on.begin, name="sso_begin"),
    path("login/with/<uuid:id>/callback/", single_sign_on.callback, name="sso_callback"),
    path("login/with/<uuid:id>/saml/", single_sign_on.answered, name="sso_saml"),
    path("login/with/<uuid:id>/metadata/", single_sign_on.metadata, name="sso_metadata"),
    path("settings/security/connect/<uuid:id>/", single_sign_on.connect, name="sso_connect"),
    path("settings/security/disconnect/<uuid:id>/", single_sign_on.disconnect, name="sso_disconnect"),
    path("manage/settings/mail/", mail.mail, name="mail"),
    path("manage/settings/mail/test/", mail.test, name="mail_test"),
    path("manage/settings/mail/remove/", mail.remove, name="mail_remove"),
    path("manage/audit/", audit.events, name="audit"),
    path("manage/audit/keep/", audit.keep, name="audit_keep"),
    path("manage/audit.csv", audit.file, name="audit_file"),
    *key_urls("manage/keys/", "organisation"),
    *key_urls("keys/", "teams"),
    *key_urls("settings/keys/", "own"),
    path("manage/keys/policy/", key_policy.policy, name="key_policy"),
    path("manage/keys/oauth/callback/", logins.callback, name="keys_callback"),
]

urlpatterns = [
    path("", include((own_urls, "accounts"))),
    path("login/", sign_in.sign_in, name="account_login"),
    path("login/passkey/", sign_in.passkey_sign_in, name="mfa_login_webauthn"),
    path("login/second-step/", sign_in.second_step, name="mfa_authenticate"),
    path("login/code/", sign_in.request_code, name="account_request_login_code"),
    path("login/code/enter/", sign_in.enter_code, name="account_confirm_login_code"),
    path("login/verify/", sign_in.enter_email_code, name="account_email_verification_sent"),
    path("settings/security/email/", sign_in.change_email, name="account_email"),
    path("settings/security/confirm/", sign_in.confirm, name="account_reauthenticate"),
    path("settings/security/confirm/code/", sign_in.confirm_by_code, name="mfa_reauthenticate"),
    path(
        "settings/security/confirm/passkey/", sign_in.confirm_by_passkey, name="mfa_reauthenticate_webauthn"
    ),
    path("login/inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("signup/", sign_up.signup, name="account_signup"),
    path("password/change/", allauth_views.password_change, name="account_change_password"),
    path("password/set/", allauth_views.password_set, name="account_set_password"),
    path("password/reset/", door.password_reset, name="account_reset_password"),
    path("password/reset/sent/", allauth_views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/link/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth_views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/done/",
        allauth_views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
