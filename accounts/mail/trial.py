"""A letter that shows whether mail works, and a sentence for whatever keeps it from working.

What a mail server says may hold what it was sent, so its words are never shown: its number is, and ours.
"""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from dataclasses import dataclass

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.views.decorators.debug import sensitive_variables

from accounts.mail import stored
from accounts.mail.backend import EmailBackend, PasswordUnreadable
from accounts.mail.server import AddressRefused, Server
from accounts.sealing.sealing import SealBroken

SUBJECT = "A test from Parley"
TEXT = "This letter came through the mail server that is set up in Parley, or is about to be. Mail works."
NOT_SET_UP = "No mail server is set up."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What the sentences name."""

    host: str
    port: int
    sender: str
    to: str


@sensitive_variables("server")
def through(server: Server, to: str) -> str:
    """Sends a test letter through this server, stored or not; "" when it was taken, else why not."""
    return _sent(EmailBackend(server=server), Place(server.host, server.port, server.sender, to))


def in_force(to: str) -> str:
    """The same through the server that is in force now."""
    if stored.by_environment():
        sender = str(settings.DEFAULT_FROM_EMAIL)
        place = Place(str(settings.EMAIL_HOST), int(settings.EMAIL_PORT), sender, to)
        return _sent(mail.get_connection(), place)
    row = stored.entered()
    if row is None:
        return NOT_SET_UP
    try:
        return through(stored.opened(row), to)
    except SealBroken:
        return sentence(PasswordUnreadable(), Place(row.host, row.port, row.sender, to))


def _sent(through: BaseEmailBackend, place: Place) -> str:
    letter = mail.EmailMessage(SUBJECT, TEXT, place.sender, [place.to], connection=through)
    try:
        letter.send()
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        log.info("A test letter was not sent: %s", type(error).__name__)
        return sentence(error, place)
    return ""


def sentence(error: Exception, place: Place) -> str:
    """What went wrong, in our words, and what to look at."""
    at = f"{place.host}, port {place.port},"
    match error:
        case AddressRefused():
            return f"{place.host} is an address for machines of a cloud, not for mail. Nothing is sent there."
        case PasswordUnreadable():
            return "The stored password can no longer be opened. Enter it again."
        case socket.gaierror() | UnicodeError():
            return f"There is no host named {place.host}. Check how it is written."
        case ConnectionRefusedError():
            return f"{at} refuses connections. Check the port; 587 and 465 are usual."
        case TimeoutError():
            return (
                f"{at} did not answer in time. A firewall may be in between; or the port wants TLS from the "
                "start, as 465 does."
            )
        case ssl.SSLCertVerificationError():
            return f"The certificate of {place.host} is not accepted: {error.verify_message}."
        case ssl.SSLError():
            return (
                f"{at} does not speak TLS from the start. Choose STARTTLS, or the port for TLS, usually 465."
            )
        case smtplib.SMTPException():
            return _of_protocol(error, place, at)
        case _:
            return f"{at} could not be reached. Check this server's network."


def _of_protocol(error: smtplib.SMTPException, place: Place, at: str) -> str:
    number = f" ({error.smtp_code})" if isinstance(error, smtplib.SMTPResponseException) else ""
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"{place.host} does not accept this user and password{number}."
        case smtplib.SMTPSenderRefused():
            return f"{place.host} takes no letters from {place.sender}{number}. Check the sender."
        case smtplib.SMTPRecipientsRefused():
            code = next((code for code, _ in error.recipients.values()), "")
            return f"{place.host} brings no letters to {place.to} ({code}). It may want a user."
        case smtplib.SMTPDataError():
            return f"{place.host} did not take the letter itself{number}."
        # The words that are looked at below are smtplib's own, not the server's.
        case smtplib.SMTPNotSupportedError() if "STARTTLS" in str(error):
            return f"{at} offers no STARTTLS. Choose another encryption or port."
        case smtplib.SMTPNotSupportedError() if "AUTH" in str(error):
            return f"{at} asks for no user and password in this way. Leave them out, or choose another port."
        case smtplib.SMTPNotSupportedError():
            return f"{place.host} does not know letters of addresses beyond ASCII."
        case smtplib.SMTPServerDisconnected() if "timed out" in str(error):
            return sentence(TimeoutError(), place)
        case smtplib.SMTPServerDisconnected():
            return f"{at} broke off. It may be no mail server, or want TLS from the start."
        case smtplib.SMTPResponseException():
            return f"{at} refused to talk{number}. It may be no mail server, or not accept this one."
        case _:
            return f"{at} knows no way to sign in that this server knows."
