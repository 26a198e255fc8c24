"""What every process of Parley switches on at its start, whether it serves or is a command."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Here, not above: models cannot be imported before all apps are loaded.
        from config import metrics
        from providers import wirelog

        metrics.start()
        if settings.LOG_WIRE:
            wirelog.switch_on()
        if settings.OTEL:
            _trace()


def _trace() -> None:
    """Raises ImproperlyConfigured where the packages are missing."""
    try:
        from config import tracing
    except ImportError as error:
        raise ImproperlyConfigured(
            f"PARLEY_OTEL is on, but {error.name} is missing: "
            "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        ) from None
    tracing.start()
