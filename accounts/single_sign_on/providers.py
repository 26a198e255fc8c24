"""What admins do with sign-in providers. A draft holds what is typed until it is tested and saved."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.audit import audit
from accounts.audit.audit import Verb
from accounts.models import (
    SignInAttempt,
    SignInConnection,
    SignInDraft,
    SignInProvider,
    SignInSettings,
    SignInVendor,
    User,
)
from accounts.models.single_sign_on import DRAFT_LASTS
from accounts.people.rules import NotAllowed
from accounts.sign_in import policy as sign_in_policy
from accounts.single_sign_on import connections, sign_up
from accounts.single_sign_on.attempts import secret_of
from accounts.single_sign_on.identities import Identity
from accounts.single_sign_on.refusals import Faulty
from accounts.single_sign_on.saml_setup import described
from accounts.single_sign_on.vendors import VENDORS, issuer_of
from providers.access import Secret

COPIED = (
    "vendor",
    "name",
    "client_id",
    "secret_hint",
    "issuer",
    "domains",
    "groups_claim",
    "groups",
    "saml",
    "makes_accounts",
    "vouches",
    "checks_second_factor",
)
WIRE = ("vendor", "client_id", "issuer", "groups_claim", "saml")  # what, with the secret, a test is about
MOST = 20
OWNERS_ALONE = (
    "What a provider signs with says who anybody is there, owners too. Once it stands, only an owner changes "
    "its certificates, and which attribute says who it is."
)
NOT_TESTED = "Test it first: what is saved is what worked."
TOO_MANY = f"There are {MOST} providers. Remove one first."


@sensitive_variables()
def draft_of(provider: SignInProvider, *, person: User) -> SignInDraft:
    """What the admin edits. Its secret goes along, where it opens."""
    draft = SignInDraft(person=person, provider=provider, expires_at=timezone.now() + DRAFT_LASTS)
    for name in COPIED:
        setattr(draft, name, getattr(provider, name))
    try:
        draft.secret = _secret_of(provider)
    except Faulty:
        draft.secret_hint = ""
    if provider.tested_at is not None and (draft.secret is not None or VENDORS[draft.vendor].is_saml):
        draft.tested = {"unchanged": True}
    _store(draft)
    return draft


def new_draft(vendor: str, *, person: User) -> SignInDraft:
    """`vendor` is one of SignInVendor."""
    draft = SignInDraft(person=person, vendor=vendor, expires_at=timezone.now() + DRAFT_LASTS)
    named = vendor not in {SignInVendor.OIDC, SignInVendor.SAML}  # else the label is no provider's name
    draft.name = VENDORS[vendor].label if named else ""
    draft.issuer = "" if VENDORS[vendor].asks else issuer_of(vendor, "")
    _store(draft)
    return draft


@sensitive_variables()
def type_in(draft: SignInDraft, values: dict[str, Any], secret: Secret | None) -> None:
    """What the admin typed. A test of something else does not count any more. `secret` None keeps that which
    is there; the caller has made sure that it is not kept for another address or client.
    """
    kept = secret if secret is not None else draft.secret
    told_groups = bool(draft.groups)  # GitHub is asked for them only where a rule needs them
    moved = any(getattr(draft, name) != values.get(name, getattr(draft, name)) for name in WIRE)
    if secret is not None or moved or (not told_groups and values.get("groups")):
        draft.tested, draft.tested_at = {}, None
    for name, value in values.items():
        setattr(draft, name, value)
    draft.secret = kept
    draft.secret_hint = kept.reveal()[-4:] if kept is not None and len(kept.reveal()) >= 12 else ""
    draft.expires_at = timezone.now() + DRAFT_LASTS
    draft.save()


def note_test(draft: SignInDraft, identity: Identity) -> None:
    """What came of a test; of nobody's account anything is changed."""
    draft.tested = {
        "subject": identity.subject,
        "email": identity.email,
        "verified": identity.verified,
        "name": identity.name,
        "groups": None if identity.groups is None else list(identity.groups),
        "claims": dict(identity.shown),
    }
    draft.tested_at = timezone.now()
    draft.save(update_fields=["tested", "tested_at"])


@sensitive_variables()
def save(draft: SignInDraft, *, by: User) -> SignInProvider:
    """The draft becomes the provider, which is on if it is new. Raises NotAllowed without a test."""
    if not draft.tested:
        raise NotAllowed(NOT_TESTED)
    secret = _secret_of(draft)
    with transaction.atomic():
        provider = draft.provider or SignInProvider(pk=draft.pk)
        if (
            draft.provider
            and _root_of_trust(provider) != _root_of_trust(draft)
            and by.role != User.Role.OWNER
        ):
            raise NotAllowed(OWNERS_ALONE)
        if draft.provider is None and SignInProvider.objects.count() >= MOST:
            raise NotAllowed(TOO_MANY)
        before = _facts(provider) if draft.provider else {}
        replaced = draft.provider is not None and _differs(provider, secret)
        for name in COPIED:
            setattr(provider, name, getattr(draft, name))
        provider.secret = secret
        provider.tested_at = draft.tested_at or provider.tested_at
        provider.save(force_insert=draft.provider is None)
        SignInDraft.objects.filter(pk=draft.pk).delete()
        old, new = audit.changed(before, {**_facts(provider), **({"key_replaced": True} if replaced else {})})
        _record(Verb.SIGN_IN_PROVIDER_SAVED, provider, by, old, new)
        sign_in_policy.apply(User.objects.all())
    return provider


def switch(provider: SignInProvider, *, on: bool, by: User) -> None:
    """Off: its button is gone and nobody gets in by it; who is signed in stays. Raises NotAllowed."""
    with transaction.atomic():
        provider = SignInProvider.objects.select_for_update().get(pk=provider.pk)
        if provider.is_on == on:
            return
        if not on:
            sign_up.must_leave_one(provider)
        provider.is_on = on
        provider.save(update_fields=["is_on"])
        _record(Verb.SIGN_IN_PROVIDER_SWITCHED, provider, by, {"on": not on}, {"on": on})
        sign_in_policy.apply(User.objects.all())


def remove(provider: SignInProvider, *, by: User) -> None:
    """With its connections, and with what its groups gave. Raises NotAllowed."""
    with transaction.atomic():
        provider = SignInProvider.objects.select_for_update().get(pk=provider.pk)
        if provider.is_on:
            sign_up.must_leave_one(provider)
        known = SignInConnection.objects.filter(provider=provider)
        rows = list(known.select_related("provider").order_by("person"))
        for row in rows:
            connections.end(row, by=by)
        _record(Verb.SIGN_IN_PROVIDER_REMOVED, provider, by, _facts(provider), {"connections": len(rows)})
        provider.delete()
        sign_in_policy.apply(User.objects.all())


def forget_old() -> None:
    """A duty: drafts and attempts that are over."""
    SignInDraft.objects.filter(expires_at__lt=timezone.now()).delete()
    SignInAttempt.objects.sweep()


def _store(draft: SignInDraft) -> None:
    SignInDraft.objects.filter(expires_at__lt=timezone.now()).delete()
    draft.save(force_insert=True)


@sensitive_variables()
def _secret_of(settings: SignInSettings) -> Secret | None:
    """None for SAML, which has none. Raises Faulty."""
    return None if VENDORS[settings.vendor].is_saml else secret_of(settings)


def _root_of_trust(settings: SignInSettings) -> tuple[frozenset[str], str]:
    return frozenset(settings.saml.get("certificates", ())), settings.saml.get("subject", "")


@sensitive_variables()
def _differs(provider: SignInProvider, secret: Secret | None) -> bool:
    try:
        return _secret_of(provider) != secret
    except Faulty:
        return True


def _facts(provider: SignInProvider) -> dict[str, object]:
    return {
        "vendor": provider.vendor,
        "name": provider.name,
        "client": provider.client_id,
        "issuer": provider.issuer,
        "domains": list(provider.domains),
        "groups_claim": provider.groups_claim,
        **_saml(provider),
        "groups": [_rule(rule) for rule in provider.groups],
        "makes_accounts": provider.makes_accounts,
        "vouches": provider.vouches,
        "checks_second_factor": provider.checks_second_factor,
    }


def _saml(provider: SignInProvider) -> dict[str, object]:
    stored = provider.saml
    if not stored:
        return {}
    prints = [described(pem).fingerprint for pem in stored["certificates"]]
    return {"address": stored["sso"], "certificates": prints, "subject": stored["subject"] or "NameID"}


def _rule(rule: dict[str, Any]) -> str:
    """Such as "designers: member of team 0199…, role admin"."""
    gives = [f"{rule['team_role']} of team {rule['team']}"] if rule.get("team") else []
    gives += [f"role {rule['role']}"] if rule.get("role") else []
    return f"{rule['group']}: {', '.join(gives)}"


def _record(
    verb: Verb, provider: SignInProvider, by: User, before: dict[str, object], after: dict[str, object]
) -> None:
    audit.record(
        verb,
        actor=by,
        kind="sign-in provider",
        id=provider.pk,
        name=provider.name,
        before=before,
        after=after,
    )
