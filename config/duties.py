"""What Parley does by the clock, and the thread that does it while this process serves."""

from __future__ import annotations

import logging
import threading
from datetime import time, timedelta

from django.db import DatabaseError, connection

from accounts.audit import retention as audit_retention
from accounts.duties import Duty, do_due
from accounts.sealing import rotation
from accounts.sign_in import policy as sign_in_policy
from accounts.sign_in import sessions
from accounts.single_sign_on import providers as sign_in_providers
from accounts.tokens import expiry as token_expiry
from chat import retention
from usage.alerts import alerts, watch_money, watch_providers
from usage.alerts import delivery as alert_delivery
from usage.recommendations import recommendations
from usage.reconcile import reconciling
from usage.reports import digests

DUTIES: tuple[Duty, ...] = (
    Duty("audit", audit_retention.nightly, at=time(3, 40)),
    Duty("conversations", retention.enforce, every=timedelta(hours=1)),
    Duty("expired sessions", sessions.forget_expired, at=time(4, 10)),
    Duty("drafts of sign-in providers", sign_in_providers.forget_old, at=time(4, 20)),
    Duty("access tokens that end", token_expiry.tell, at=time(7, 50)),
    Duty("retired data keys", rotation.finish, every=timedelta(hours=1)),
    Duty("second factors due", sign_in_policy.apply_to_all, every=timedelta(hours=1)),
    Duty("alerts of budgets", watch_money.budgets, every=timedelta(minutes=1)),
    Duty("alerts of spend", watch_money.spend, every=timedelta(hours=1)),
    Duty("alerts of keys", watch_providers.keys, every=timedelta(minutes=5)),
    Duty("alerts of providers", watch_providers.providers, every=timedelta(minutes=5)),
    Duty("deliver alerts", alert_delivery.deliver, every=timedelta(seconds=30)),
    Duty("prune alerts", alerts.prune, at=time(3, 30)),
    Duty("reconcile", reconciling.nightly, at=time(4, 30)),
    recommendations.DUTY,
    Duty("digests of usage", digests.make_missing, every=timedelta(hours=1)),
)
EVERY = 10.0  # seconds between looks at what is due
STOP_GRACE = 3.0  # seconds for a duty to end; what is cut off is done again after its claim has run out

log = logging.getLogger(__name__)


class Clockwork:
    """A thread with a connection of its own. `stop` may be called from another thread."""

    def __init__(self, duties: tuple[Duty, ...], every: float = EVERY) -> None:
        self._duties = duties
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go, name="duties", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(STOP_GRACE)

    def _go(self) -> None:
        try:
            while not self._stopping.wait(self._every):
                self._look()
        finally:
            connection.close()

    def _look(self) -> None:
        try:
            do_due(self._duties)
        except DatabaseError as error:
            log.warning("No duties were done, the database does not answer: %s", error)
            connection.close()
        except Exception:
            log.exception("No duties were done")


_clockwork: Clockwork | None = None


def start() -> None:
    """Starts the thread of this process, once."""
    global _clockwork
    if _clockwork is None:
        _clockwork = Clockwork(DUTIES)
        _clockwork.start()


def stop() -> None:
    global _clockwork
    clockwork, _clockwork = _clockwork, None
    if clockwork is not None:
        clockwork.stop()
