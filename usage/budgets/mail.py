"""Letters about requests for more, where this server can send mail. One that fails is logged, no more."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from django.urls import reverse

from accounts.mail import stored as mail
from accounts.models import User
from usage import letters
from usage.budgets.words import PER, limit_words
from usage.models import LimitRequest

log = logging.getLogger(__name__)


def asked(request: LimitRequest) -> None:
    """Tells every owner and admin that somebody asks; the letter leads to the page where it is decided."""
    if not mail.is_set_up():
        return
    person, budget = User.objects.filter(pk=request.asked_by).first(), request.budget
    who = person.display if person is not None else "Somebody"
    lines = [
        f"{who} asks for a higher limit: {budget.name}, {limit_words(budget.measure, budget.limit)} "
        f"{PER[budget.period]}."
    ]
    if request.wanted is not None:
        lines.append(f"Wished for: {limit_words(budget.measure, request.wanted)}.")
    if request.reason:
        lines.append(f"“{request.reason}”")
    lines.append(
        "Approve or refuse it here: "
        + letters.address(reverse("usage:limit_requests") + f"#request-{request.pk}", "Manage, Budgets")
    )
    to = letters.admins().values_list("email", flat=True)
    _send(f"{who} asks for more in {budget.name}", lines, to)


def decided(request_id: UUID) -> None:
    """Tells the person who asked what became of it."""
    if not mail.is_set_up():
        return
    request = LimitRequest.objects.select_related("budget").get(pk=request_id)
    person = User.objects.active().filter(pk=request.asked_by).first()
    if person is None:
        return
    budget = request.budget
    limit = f"{limit_words(budget.measure, budget.limit)} {PER[budget.period]}"
    if request.state == LimitRequest.State.APPROVED:
        subject = f"Approved: more in {budget.name}"
        lines = [f"The limit of {budget.name} is {limit} now."]
    else:
        subject = f"Refused: more in {budget.name}"
        lines = [f"The limit of {budget.name} stays at {limit}."]
    if request.answer:
        lines.append(f"“{request.answer}”")
    lines.append("Your limits: " + letters.address(reverse("usage:mine"), "My usage"))
    _send(subject, lines, [person.email])


def _send(subject: str, lines: list[str], to: Iterable[str]) -> None:
    try:
        letters.send(subject, lines, to)
    except Exception as error:  # whatever ails the mail server, what was asked or decided stands
        log.warning("A letter about a request for more could not be sent: %s", type(error).__name__)
