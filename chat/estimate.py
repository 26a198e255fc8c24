"""What the next turn of a conversation would cost with a model, before it is written.

The request is made as sending makes it, with an empty text at its end. Whatever the vendor has counted and
cached of the shown branch is taken from the ledger, as long as system, tools and turns are those of that
call: what is cached is a beginning, and any change in it makes the rest new.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import User
from accounts.policies import store
from accounts.policies.features import Feature
from providers.catalogue import ModelSpec
from providers.types import Json
from usage import policy
from usage.calls import send_estimate
from usage.calls.send_estimate import PastCall
from usage.catalogue import known_models
from usage.clock import database_now

from . import records, transcript, wishes
from .models import Conversation, Message, Run
from .origins import Origin
from .transcript import Asking, Transcript

LOOKED_AT = 3  # answers: further back nothing is warm
EMPTY: Json = {"role": "user", "content": [{"type": "text", "text": ""}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """What changing the model loses: `tokens` that the other model's cache holds for so many more
    `milliseconds`, which are sent anew for so much more (nano-dollars), and perhaps the thinking that belongs
    to it. `model` is its ref.
    """

    model: str
    name: str
    tokens: int
    more_nano: int
    milliseconds: int
    loses_thinking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTurn:
    """The figures for the page (SendEstimate.to_json), and what is lost if another model answered before."""

    figures: dict[str, Any]
    switch: Switch | None


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer of the branch, at this place of it, with its run and what the ledger has of its last call."""

    place: int
    run: Run
    past: PastCall


@dataclass(slots=True)
class _Branch:
    """The shown branch, as the next turn finds it."""

    user: User
    team: UUID | None
    settings: Json
    path: list[Message]
    origins: Mapping[UUID, Origin] = field(default_factory=dict)
    kept: Collection[Feature] = ()

    def asking(self, spec: ModelSpec) -> Asking:
        return transcript.asking(self.path, spec.ref, self.settings, spec, self.origins, kept=self.kept)

    def last_answered(self) -> _Answered | None:
        """The newest answer that the ledger knows. Two queries."""
        places = {
            message.id: place
            for place, message in enumerate(self.path)
            if message.role == Message.Role.ASSISTANT
        }
        newest = sorted(places, key=places.__getitem__)[-LOOKED_AT:]
        if not newest:
            return None
        runs = {run.message_id: run for run in Run.objects.filter(message__in=newest).order_by("created_at")}
        past = send_estimate.past_calls(run.call_id for run in runs.values() if run.call_id)
        for message in reversed(newest):
            run = runs.get(message)
            if run is not None and run.call_id in past:
                return _Answered(places[message], run, past[run.call_id])
        return None

    def goes_on(self, answered: _Answered, asking: Asking, spec: ModelSpec) -> bool:
        """Whether what would be sent to this model begins as what this answer's call sent."""
        if answered.past.model != spec.ref or not answered.run.prefix_hash:
            return False
        granted = wishes.grant(self.settings, spec, self.kept)
        sent = Transcript(granted.system, granted.tools, thinking=asking.holds_thinking)
        for message in self.path[: answered.place]:
            sent.add(message, self.origins.get(message.id))
        return sent.prefix == answered.run.prefix_hash

    def counted(self, answered: _Answered) -> int | None:
        """All of the branch as the vendor counted it; None where it did not, or counted something else."""
        past, last = answered.past, self.path[answered.place]
        if answered.place != len(self.path) - 1 or past.searches or not past.prompt:
            return None
        return past.prompt + (0 if last.stop_reason == "refusal" else past.output)

    def is_warm(self, answered: _Answered, now: datetime) -> bool:
        """Whether the vendor's cache still holds the prompt of this answer's call."""
        past = answered.past
        if not past.cached or past.cached_until <= now:
            return False
        return send_estimate.same_account(self.user.pk, self.team, past, answered.run.vendor_account)


def next_turn(
    user: User, conversation: Conversation | None, model: str, settings: Mapping[str, Any]
) -> NextTurn | None:
    """None while an answer is written, and for a model whose price is not known or that the rules keep from
    the person. `settings` go before those of the conversation.
    """
    spec = known_models.about(model)
    path = conversation.path() if conversation is not None else []
    if spec is None or (path and path[-1].status == Message.Status.RUNNING):
        return None
    team = conversation.team_id if conversation is not None else None
    standing = store.standing(user.pk, team)
    if not policy.allows_model(standing, spec):
        return None
    branch = _Branch(
        user,
        team,
        {**(conversation.settings if conversation is not None else {}), **settings},
        path,
        records.origins_of(path),
        policy.kept_features(standing),
    )
    asking = branch.asking(spec)
    answered = branch.last_answered()
    goes_on = answered is not None and branch.goes_on(answered, asking, spec)
    request = replace(asking.request, messages=[*asking.request.messages, EMPTY])
    counted = branch.counted(answered) if answered is not None and goes_on else None
    estimate = send_estimate.of_request(spec, request, counted=counted)
    if estimate is None:
        return None
    now = database_now()
    cached, seconds, switch = 0, 0.0, None
    if answered is not None and goes_on and branch.is_warm(answered, now):
        cached = min(answered.past.cached, estimate.prompt)
        seconds = (answered.past.cached_until - now).total_seconds()
    elif answered is not None and answered.past.model != spec.ref:
        switch = _switch(branch, answered, asking, spec, now)
    return NextTurn(figures=estimate.to_json(cached, seconds), switch=switch)


def _switch(
    branch: _Branch, answered: _Answered, asking: Asking, spec: ModelSpec, now: datetime
) -> Switch | None:
    """What is lost when not the model that answered last is asked; None when nothing is."""
    before = known_models.about(answered.past.model)
    if before is None:
        return None
    stayed = branch.asking(before)
    loses_thinking = stayed.holds_thinking and not asking.holds_thinking
    tokens = more = 0
    if branch.goes_on(answered, stayed, before) and branch.is_warm(answered, now):
        old, new = send_estimate.rates_of(before, now), send_estimate.rates_of(spec, now)
        if old is not None and new is not None:
            tokens = answered.past.cached
            more = send_estimate.lost_cache_nano(tokens, old, new)
    if not loses_thinking and more <= 0:
        return None
    dearer = more > 0
    left = (answered.past.cached_until - now).total_seconds()
    return Switch(
        model=before.ref,
        name=before.name,
        tokens=tokens if dearer else 0,
        more_nano=more if dearer else 0,
        milliseconds=round(left * 1000) if dearer else 0,
        loses_thinking=loses_thinking,
    )
