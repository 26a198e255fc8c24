"""Why somebody does not get in this way.

NoEntry
├── Faulty     the provider did not answer, or its answer is not to be trusted
└── Turned     it is who they say, but they have no entry here
"""

from __future__ import annotations

from accounts.models import SignInAttempt

FAULTY = (
    "The sign-in provider did not answer, or not in a way that can be trusted. Try again; if it stays so, "
    "tell an admin."
)


class NoEntry(Exception):
    """`says` is for whoever stands at the door; `why` is for admins and the log, without secrets. `attempt`
    is that which failed, where one was found.
    """

    attempt: SignInAttempt | None = None

    def __init__(self, says: str, why: str = "") -> None:
        super().__init__(why or says)
        self.says, self.why = says, why or says


class Faulty(NoEntry):
    def __init__(self, why: str, says: str = FAULTY) -> None:
        super().__init__(says, why)


class Turned(NoEntry):
    pass
