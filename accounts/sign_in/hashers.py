"""How passwords are stored."""

from __future__ import annotations

from threading import BoundedSemaphore

from django.contrib.auth.hashers import Argon2PasswordHasher

# Each hash takes 19 MiB; a burst of sign-ins waits its turn instead of taking gigabytes.
_turns = BoundedSemaphore(4)


class Argon2(Argon2PasswordHasher):
    """Argon2id, m=19456, t=2, p=1 (OWASP, Password Storage Cheat Sheet), four at a time."""

    time_cost = 2
    memory_cost = 19456
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with _turns:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _turns:
            return super().verify(password, encoded)
