"""The addresses of every app."""

from django.urls import include, path

from . import health

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("", include("accounts.urls")),
    path("", include("chat.urls")),
]
