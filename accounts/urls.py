"""The addresses of set-up, of signing in, and of the organisation's keys.

allauth's pages keep the names by which it finds them itself. Only those that have a place in Parley are
mounted; its e-mail management, for one, is not.
"""

from allauth.account import views as allauth_views
from django.urls import include, path, re_path

from accounts.views import door, keys, logins

own_urls = [
    path("setup/", door.setup, name="setup"),
    path("setup/key/", door.setup_key, name="setup_key"),
    path("manage/keys/", keys.keys, name="keys"),
    path("manage/keys/add/", keys.add, name="keys_add"),
    path("manage/keys/add/<slug:provider>/<slug:kind>/", keys.enter, name="keys_enter"),
    path("manage/keys/<uuid:id>/replace/", keys.replace, name="keys_replace"),
    path("manage/keys/<uuid:id>/revoke/", keys.revoke, name="keys_revoke"),
    path("manage/keys/<uuid:id>/check/", keys.check, name="keys_check"),
    path("manage/keys/connect/<slug:provider>/", logins.connect, name="keys_connect"),
    path("manage/keys/login/<uuid:id>/", logins.login, name="keys_login"),
    path("manage/keys/login/<uuid:id>/ask/", logins.ask, name="keys_ask"),
    path("manage/keys/login/<uuid:id>/cancel/", logins.cancel, name="keys_cancel"),
    path("manage/keys/oauth/callback/", logins.callback, name="keys_callback"),
]

urlpatterns = [
    path("", include((own_urls, "accounts"))),
    path("login/", allauth_views.login, name="account_login"),
    path("login/inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("signup/", allauth_views.signup, name="account_signup"),
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
