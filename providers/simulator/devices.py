"""Sign-ins that wait for a person: GitHub's device flow (its documentation, "Authorizing OAuth apps")."""

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, Final

from providers.simulator.replies import Refusal

DEVICE_SECONDS: Final = 900
DEVICE_INTERVAL: Final = 5
_REMEMBERED: Final = 1000


@dataclass(slots=True)
class _Device:
    user_code: str
    client_id: str
    scope: str
    until: float
    decision: str = "authorization_pending"


class Devices:
    """Sign-ins under way. A decision is `approve`, `deny`, `expire` or `slow_down` (the next question gets
    that, then all is as before); it holds for one user code, or for all that wait.
    """

    _DECISIONS: ClassVar = {
        "approve": "approved",
        "deny": "access_denied",
        "expire": "expired_token",
        "slow_down": "slow_down",
    }

    def __init__(self) -> None:
        self._by_code: OrderedDict[str, _Device] = OrderedDict()

    def begin(self, client_id: str, scope: str) -> tuple[str, str]:
        """The device code and the user code of a new sign-in."""
        letters = "".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(8))
        device_code, user_code = secrets.token_hex(20), f"{letters[:4]}-{letters[4:]}"
        self._by_code[device_code] = _Device(user_code, client_id, scope, time.time() + DEVICE_SECONDS)
        while len(self._by_code) > _REMEMBERED:
            self._by_code.popitem(last=False)
        return device_code, user_code

    def decide(self, decision: str, user_code: str | None) -> int:
        """How many sign-ins the decision was about. Raises Refusal for one that does not exist."""
        if decision not in self._DECISIONS:
            raise Refusal(404, f"device: there is no decision {decision}")
        meant = [device for device in self._by_code.values() if user_code in (None, device.user_code)]
        for device in meant:
            device.decision = self._DECISIONS[decision]
        return len(meant)

    def poll(self, device_code: str, client_id: str) -> tuple[str, str]:
        """The state of a sign-in ("approved" once, then it is over), and its scope."""
        device = self._by_code.get(device_code)
        if device is None or device.client_id != client_id:
            return "incorrect_device_code", ""
        state = device.decision if device.until > time.time() else "expired_token"
        if state == "slow_down":
            device.decision = "authorization_pending"
        elif state != "authorization_pending":
            del self._by_code[device_code]
        return state, device.scope

    def reset(self) -> None:
        self._by_code.clear()
