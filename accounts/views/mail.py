"""Manage, Settings, Mail: the server that brings letters, and a letter that shows whether it does.

Letters carry what opens accounts, owners' too: whoever runs the mail server can read them. So owners alone
enter one, having said who they are; admins see which it is, and may try it.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.mail import stored, trial
from accounts.mail.forms import MailForm
from accounts.models import User
from accounts.rights import admins_only, manage_page, owners_only, person_of
from accounts.sign_in import limits
from accounts.sign_in.confirming import confirmed, is_confirmed

HERE = "settings"
TESTS, SECONDS = 20, 10 * 60  # letters that one person may send
TOO_MANY = "Too many tests. Wait a quarter of an hour, then try again."
INCOMPLETE = "Something is missing or wrong in what was typed."
CONFIRM = "Say who you are once more, then enter it again."


@require_http_methods(["GET", "HEAD", "POST"])
@owners_only
@confirmed("GET", "HEAD")
@sensitive_post_parameters("password")
@sensitive_variables()
def mail(request: HttpRequest) -> HttpResponse:
    """The form, and what it stores. A POST is not kept while somebody confirms: it holds the password."""
    form = MailForm(request.POST if request.method == "POST" else None, stored=stored.known())
    if form.is_bound and not is_confirmed(request):
        return _to_confirm(request)
    if form.is_bound and form.is_valid():
        if stored.keep(by=person_of(request), server=form.server):
            messages.success(request, "Saved. The next letter goes this way.")
        return redirect("chat:organisation")
    return _page(request, form)


@require_POST
@admins_only
@sensitive_post_parameters("password")
@sensitive_variables()
def test(request: HttpRequest) -> HttpResponse:
    """Sends a letter to whoever asks, through what was typed, stored or not; or, where nothing was typed,
    through what is in force.
    """
    person = person_of(request)
    if not limits.within("mail", str(person.pk), times=TESTS, seconds=SECONDS):
        return _outcome(request, None, TOO_MANY)
    if "host" not in request.POST:
        return _outcome(request, None, trial.in_force(person.email))
    if person.role != User.Role.OWNER:
        raise Http404
    if not is_confirmed(request):
        return _to_confirm(request)
    form = MailForm(request.POST, stored=stored.known())
    if not form.is_valid():
        return _page(request, form, INCOMPLETE)
    return _outcome(request, form, trial.through(form.server, person.email))


@require_POST
@owners_only
@confirmed()
def remove(request: HttpRequest) -> HttpResponse:
    if stored.remove(by=person_of(request)):
        messages.success(request, "Removed. The stored password is gone.")
    return redirect("chat:organisation")


def _page(request: HttpRequest, form: MailForm, why: str | None = None) -> HttpResponse:
    """`why` is the outcome of a test: "" where the letter was taken, None where none was sent."""
    if why is not None and request.htmx:  # type: ignore[attr-defined]
        context: dict[str, object] = {"why": why, "person_email": person_of(request).email}
        return render(request, "manage/_mail_outcome.html", context)
    context = {"form": form, "why": why, "stored": stored.known(), "person_email": person_of(request).email}
    status = 422 if form.errors else 200
    return manage_page(request, "manage/settings_mail.html", context, here=HERE, status=status)


def _outcome(request: HttpRequest, form: MailForm | None, why: str) -> HttpResponse:
    if form is not None:
        return _page(request, form, why)
    if why:
        messages.error(request, f"No letter was sent. {why}")
    else:
        messages.success(request, f"Sent to {person_of(request).email}. Look whether it arrives.")
    return redirect("chat:organisation")


def _to_confirm(request: HttpRequest) -> HttpResponse:
    messages.info(request, CONFIRM)
    return redirect("accounts:mail")
