from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from providers import addresses, registry, tuning


class UsageConfig(AppConfig):
    name = "usage"

    def ready(self) -> None:
        # Here, not above: models cannot be imported before all apps are loaded.
        from accounts.keys import figures as accounts_figures
        from accounts.people import anonymising as accounts_anonymising
        from accounts.people import invitations
        from usage import anonymising
        from usage.budgets import grants
        from usage.reports import key_figures

        accounts_anonymising.also(anonymising.forget)
        accounts_figures.register(key_figures.this_month)
        invitations.when_accepted(grants.redeem)
        try:
            addresses.allow(addresses.private_hosts(settings.PRIVATE_HOSTS))
        except ValueError as error:
            raise ImproperlyConfigured(f"PARLEY_PRIVATE_HOSTS: {error}.") from None
        try:
            registry.configure(tuning.timeouts(settings.PROVIDER_TIMEOUTS))
        except ValueError as error:
            raise ImproperlyConfigured(f"PARLEY_TIMEOUTS: {error}.") from None
        try:
            tuning.retries(settings.PROVIDER_RETRIES)
        except ValueError as error:
            raise ImproperlyConfigured(f"PARLEY_RETRIES: {error}.") from None
