"""The addresses of every app. /healthz and /readyz are answered before them, by config.health."""

from django.urls import include, path

handler500 = "config.faults.server_error"

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("chat.urls")),
]
