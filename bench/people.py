"""`python -m bench.people COUNT`: makes people who are signed in, in the installation of this environment.

Everyone gets the password of the first account and a session of their own, written where signing in writes
it; five hundred sign-ins by HTTP would be five hundred password hashes, and the rate limit would refuse them.
Prints their session keys and the names of the cookies as JSON.

It runs inside Parley, so it is also what compares the relay's flags with those of `manage.py serve`.
"""

from __future__ import annotations

import json
import os
import sys

import django
from django.conf import settings

from bench import relay


def main(count: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    compare_flags()
    cookies = {"session": settings.SESSION_COOKIE_NAME, "csrf": settings.CSRF_COOKIE_NAME}
    print(json.dumps({"sessions": sessions(count), "cookies": cookies}))


def compare_flags() -> None:
    """Ends this program when the relay would be served in another way than Parley."""
    from config.server import configuration

    config = configuration("127.0.0.1", 0)
    for name, value in relay.FLAGS.items():
        if getattr(config, name) != value:
            sys.exit(
                f"bench/relay.py is served with {name}={value!r}, Parley with {getattr(config, name)!r}."
            )


def sessions(count: int) -> list[str]:
    """Makes `count` members with an open session each; returns the session keys."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.db import transaction
    from django.utils.crypto import get_random_string

    from accounts.models import User

    password = User.objects.earliest("pk").password
    keys = []
    with transaction.atomic():
        for number in range(count):
            person = User(
                email=f"person-{number}@bench.invalid",
                display_name=f"Person {number}",
                role=User.Role.MEMBER,
                password=password,
            )
            person.save(force_insert=True)
            key = get_random_string(32, "abcdefghijklmnopqrstuvwxyz0123456789")
            store = SessionStore(key)
            held = {
                SESSION_KEY: str(person.pk),
                BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                HASH_SESSION_KEY: person.get_session_auth_hash(),
            }
            Session.objects.create(
                session_key=key, session_data=store.encode(held), expire_date=store.get_expiry_date()
            )
            keys.append(key)
    return keys


if __name__ == "__main__":
    main(int(sys.argv[1]))
