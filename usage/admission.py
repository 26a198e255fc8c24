"""What happens before a vendor is asked, in one transaction: right, route, price, budgets, hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from accounts import credentials
from accounts.credentials import CredentialChoice
from providers.catalogue import ModelSpec
from providers.types import MessageRequest

from . import budgets, policy, prices, rows
from .caller import Caller
from .clock import database_now
from .errors import CallRefused, DuplicateCall
from .estimates import Size
from .models import Hold
from .pricing import upper_bound_nano

LEASE = timedelta(seconds=settings.HOLD_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that asks to be admitted.

    `hold_id` is drawn before, so that a second run recognises the first.
    """

    hold_id: UUID
    call_id: UUID
    caller: Caller
    spec: ModelSpec
    request: MessageRequest
    size: Size
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """An open hold, and the credential with which the vendor is asked."""

    hold: Hold
    choice: CredentialChoice


def admit(asked: Asked) -> Admitted:
    """Writes the hold of a call. To be run in the writer's transaction, which commits before the vendor is
    asked.

    Raises CallRefused; DuplicateCall when the call id was used before, or IntegrityError when that happens at
    the same moment. Safe to run again.
    """
    policy.may_use(asked.caller.user_id, asked.spec.ref, asked.request)
    choice = _route(asked.caller, asked.spec.provider)
    hold = _hold(asked, choice)
    if rows.insert(hold, otherwise="ON CONFLICT (call_id) DO NOTHING"):
        credentials.mark_used(choice.id)
        return Admitted(hold=hold, choice=choice)
    earlier = Hold.objects.get(call_id=asked.call_id)
    if earlier.pk != asked.hold_id:
        raise DuplicateCall(asked.call_id)
    return Admitted(hold=earlier, choice=choice)


def _route(caller: Caller, provider: str) -> CredentialChoice:
    """The first credential in the order person, team, organisation, environment."""
    choices = credentials.for_call(caller.user_id, caller.team_id, provider)
    if choices:
        return choices[0]
    raise CallRefused("no_credential", credentials.blocked_reason(caller.user_id, caller.team_id, provider))


def _hold(asked: Asked, choice: CredentialChoice) -> Hold:
    caller, spec, size = asked.caller, asked.spec, asked.size
    now = database_now()
    tariff = prices.tariff(spec, asked.request, size, now)
    amount = upper_bound_nano(
        tariff,
        prompt_tokens=min(size.bound, spec.context),
        max_tokens=asked.request.max_tokens,
        cached=size.cached,
        searches=size.searches,
        context=spec.context,
    )
    return Hold(
        id=asked.hold_id,
        call_id=asked.call_id,
        user=caller.user_id,
        team=caller.team_id,
        project=caller.project_id,
        conversation=caller.conversation_id,
        run=caller.run_id,
        token=caller.token_id,
        credential=choice.id,
        credential_scope=choice.scope,
        provider=spec.provider,
        model=spec.id,
        purpose=asked.purpose,
        amount_nano=amount,
        budget_lines=budgets.admit(caller, amount),
        tariff=tariff.to_json(),
        prompt_tokens=min(size.likely, spec.context),
        max_tokens=asked.request.max_tokens,
        opened_at=now,
        renewed_until=now + LEASE,
    )
