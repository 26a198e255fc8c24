"""Which keys a simulator accepts, and whose they are; the tokens that it has given out itself."""

import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from providers.simulator.replies import Refusal

NOBODY: Final = "00000000-0000-4000-8000-000000000000"
STATUS_KEY: Final = "sk-sim-"
"""When scripted, a key `sk-sim-401` gets status 401 from every route."""
REMEMBERED: Final = 1000


class Keys:
    """accepted: organisation id by key; None: every key is accepted and belongs to an organisation of its
    own.
    """

    def __init__(self, accepted: Mapping[str, str] | None, *, scripted: bool) -> None:
        self._accepted = accepted
        self._scripted = scripted

    def organization(self, key: str, refused: Callable[[str], str] = str) -> str:
        """The organisation of a key, "" for none. Raises Refusal with the text that `refused` makes of the
        key.
        """
        if self._accepted is not None:
            if key not in self._accepted:
                raise Refusal(401, refused(key))
            return self._accepted[key]
        status = key.removeprefix(STATUS_KEY)
        if self._scripted and status != key and status.isdigit() and 400 <= int(status) < 600:
            raise Refusal(int(status), f"This key always gets status {status}.")
        return str(uuid.uuid5(uuid.NAMESPACE_URL, key)) if key else NOBODY


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is good for: its kind, whose it is, and until when (seconds since 1970)."""

    kind: str
    organization: str
    until: float


class Tokens:
    """The tokens that were given out and are still good. The oldest are forgotten above `REMEMBERED`."""

    def __init__(self) -> None:
        self._grants: OrderedDict[str, Grant] = OrderedDict()

    def give(self, kind: str, organization: str, seconds: float, form: str = "{}") -> str:
        """A new token, `{}` in `form` being what makes it unguessable."""
        token = form.format(secrets.token_hex(18))
        self._grants[token] = Grant(kind, organization, time.time() + seconds)
        while len(self._grants) > REMEMBERED:
            self._grants.popitem(last=False)
        return token

    def organization(self, kind: str, token: str) -> str | None:
        """Whose token it is; None when it is not good, or of another kind."""
        grant = self._grants.get(token)
        if grant is None or grant.kind != kind or grant.until <= time.time():
            return None
        return grant.organization

    def knows(self, kind: str, token: str) -> bool:
        """Whether such a token was given out, good or not."""
        grant = self._grants.get(token)
        return grant is not None and grant.kind == kind

    def expire(self) -> None:
        """From now on no token is good that was given out before."""
        for token, grant in self._grants.items():
            self._grants[token] = Grant(grant.kind, grant.organization, 0.0)
