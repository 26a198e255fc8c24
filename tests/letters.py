"""What a test's process remembers of letters."""

from django.core.cache import cache

from accounts.mail import stored


def remember_none() -> None:
    """That no mail server is set up, until one is: pages ask the database equally often, at any time."""
    cache.set(stored.KEY, False, None)
