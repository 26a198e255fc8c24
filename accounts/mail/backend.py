"""Django's mail, through the server that an admin has entered. In force where EMAIL_URL is not set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from smtplib import SMTPException
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

from accounts.mail import stored
from accounts.mail.server import Server, connect
from accounts.sealing.sealing import SealBroken

log = logging.getLogger(__name__)


class PasswordUnreadable(SMTPException):
    """The stored password does not open any more."""


class EmailBackend(smtp.EmailBackend):
    """Reads what is stored for each connection, so that a change counts for the next letter. Where nothing is
    stored, letters are lost, and that is logged. With `server` they go there.
    """

    def __init__(self, *args: Any, server: Server | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._given = server
        self._sender = ""

    def open(self) -> bool | None:
        """As Django's; None where no server is set up."""
        if self.connection is not None:
            return False
        server = self._given or _stored()
        if server is None:
            return None
        self.connection, self._sender = connect(server), server.sender
        return True

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Every letter is from the server's sender. Raises SMTPException or OSError."""
        with self._lock:
            opened_here = self.open()
            if opened_here is None:
                log.warning("%d letters were not sent: no mail server is set up", len(email_messages))
                return 0
            try:
                for message in email_messages:
                    message.from_email = self._sender
                return sum(bool(self._send(one)) for one in email_messages)  # type: ignore[attr-defined]
            finally:
                if opened_here:
                    self.close()


def _stored() -> Server | None:
    row = stored.entered()
    try:
        return stored.opened(row) if row is not None else None
    except SealBroken:
        raise PasswordUnreadable("The stored password can no longer be opened.") from None
