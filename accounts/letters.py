"""Mails that tell a person what was changed in their account. Sending one never undoes what it tells of."""

from __future__ import annotations

import logging
from functools import partial
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

from accounts.mail import stored as mail

log = logging.getLogger(__name__)


def tell(template: str, email: str, **context: Any) -> None:
    """Sends `template`_subject.txt and `template`_message.txt once the change is committed, where this server
    sends mail.
    """
    if mail.is_set_up() and email:
        transaction.on_commit(partial(_send, template, email, context))


def _send(template: str, email: str, context: dict[str, Any]) -> None:
    context = {"address": settings.PUBLIC_URL, **context}
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    text = render_to_string(f"{template}_message.txt", context).strip()
    try:
        send_mail(subject, text, None, [email])
    except (SMTPException, OSError) as error:
        log.warning("A mail about a change of an account was not sent: %s", type(error).__name__)
