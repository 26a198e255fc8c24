"""The addresses of set-up and signing in. allauth's pages keep the names by which it finds them itself.

Only the pages that have a place in Parley are mounted; allauth's e-mail management, for one, is not.
"""

from allauth.account import views as allauth_views
from django.urls import include, path, re_path

from accounts import views

setup_urls = [
    path("setup/", views.setup, name="setup"),
    path("setup/key/", views.setup_key, name="setup_key"),
]

urlpatterns = [
    path("", include((setup_urls, "accounts"))),
    path("login/", allauth_views.login, name="account_login"),
    path("login/inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("signup/", allauth_views.signup, name="account_signup"),
    path("password/change/", allauth_views.password_change, name="account_change_password"),
    path("password/set/", allauth_views.password_set, name="account_set_password"),
    path("password/reset/", views.password_reset, name="account_reset_password"),
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
