"""A process of its own that delivers what waits: python -m tests.usage.delivering DATABASE"""

import sys

import django
from django.conf import settings

if __name__ == "__main__":
    settings.DATABASES["default"]["NAME"] = sys.argv[1]
    django.setup()

    from usage.alerts.delivery import deliver  # after the settings are in place

    deliver()
