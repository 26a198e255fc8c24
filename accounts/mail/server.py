"""How a mail server that an admin typed is reached.

Unlike every other address that a person types, it may stand inside the network: a relay of the house is what
most installations have. What is refused are the addresses at which clouds hand out a machine's own secrets.
The name is looked up here and exactly the addresses that were judged are dialled.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass, field

from django.core.mail.utils import DNS_NAME

from accounts.models import MailServer
from providers.access import Secret
from providers.addresses import is_for_machines

TIMEOUT = 10.0  # seconds for each step: to connect, to agree on TLS, for each answer


class AddressRefused(OSError):
    """The server's name leads to an address that no mail is brought to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`sender` is the address that every letter is from. Without a `username` nobody signs in."""

    host: str
    port: int
    security: str  # one of MailServer.Security
    sender: str
    username: str = ""
    password: Secret | None = field(default=None, repr=False)

    def same_login(self, other: Server) -> bool:
        """Whether a password that was entered for one of them may go to the other."""
        ours, theirs = ((one.host, one.port, one.security, one.username) for one in (self, other))
        return ours == theirs


def connect(server: Server) -> smtplib.SMTP:
    """A session in which letters may be sent. Raises SMTPException or OSError."""
    session = _greeted(server)
    try:
        if server.security == MailServer.Security.STARTTLS:
            session.starttls(context=ssl.create_default_context())
        if server.username:
            session.login(server.username, server.password.reveal() if server.password is not None else "")
    except BaseException:
        session.close()
        raise
    return session


def _greeted(server: Server) -> smtplib.SMTP:
    own_name = DNS_NAME.get_fqdn()
    if server.security == MailServer.Security.TLS:
        context = ssl.create_default_context()
        return _TlsSession(server.host, server.port, own_name, timeout=TIMEOUT, context=context)
    return _Session(server.host, server.port, own_name, timeout=TIMEOUT)


class _Session(smtplib.SMTP):
    """Dials only addresses that were judged."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """smtplib's own place to make the connection."""
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if any(is_for_machines(str(row[4][0])) for row in rows):
            raise AddressRefused("this address is not for mail")
        failure: OSError = OSError("the name has no address")
        for row in rows:
            try:
                return socket.create_connection((str(row[4][0]), port), timeout, self.source_address)
            except OSError as error:
                failure = error
        raise failure


class _TlsSession(smtplib.SMTP_SSL, _Session):
    """The same, wrapped in TLS under the server's name by smtplib."""
