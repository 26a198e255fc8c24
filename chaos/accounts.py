"""`python -m chaos.accounts COUNT`: makes so many people who are signed in; prints their sessions as JSON.

Runs inside Parley, beside its servers. Signing in by the form would be a password hash for each of them.
"""

from __future__ import annotations

import json
import sys

import django


def main(count: int) -> None:
    django.setup()
    from django.conf import settings

    from bench.people import sessions

    cookies = {"session": settings.SESSION_COOKIE_NAME, "csrf": settings.CSRF_COOKIE_NAME}
    print(json.dumps({"sessions": sessions(count), "cookies": cookies}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
