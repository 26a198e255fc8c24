"""The addresses of every app. /healthz and /readyz are answered before them, by config.health."""

from django.urls import include, path
from django.views.generic import RedirectView

handler500 = "config.faults.server_error"

urlpatterns = [
    path("manage/", RedirectView.as_view(pattern_name="usage:overview"), name="manage"),
    path("", include("accounts.urls")),
    path("", include("usage.urls")),
    path("", include("chat.urls")),
]
