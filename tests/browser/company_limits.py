"""What the company of `tests.browser.company` allows itself: keys, an endpoint, budgets in every state,
requests for more, and calls that run now.

`python manage.py shell -c "from tests.browser import company_limits; company_limits.fill('URL')"` fills a new
installation that has its owner; URL is where a simulator listens.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.ids import uuid7
from accounts.keys import actions as key_actions
from accounts.keys import credentials
from accounts.keys.owners import Owner
from accounts.models import Credential, Organisation, User
from providers.access import Secret
from tests.browser import company
from tests.browser.company import Company
from usage.budgets import actions as budget_actions
from usage.catalogue import actions, overrides
from usage.models import NOBODY, Budget, BudgetPeriod, Endpoint, Hold, LimitRequest
from usage.prices import prices

DOLLAR = 1_000_000_000
MODEL, CHEAPER = "anthropic/claude-sonnet-5-5", "anthropic/claude-haiku-5-5"
OWN_MODEL = "house/llama-4-maverick"
AZURE = "https://harbour-west.openai.azure.com"
LONG_REASON = (
    "The tender of the port authority has 214 pages and four annexes, and the questions of the bidders come "
    "in every day until the end of the month; I compare each answer with the earlier ones before I send it."
)


def fill(simulator: str) -> None:
    """Everything; some seconds."""
    owner = User.objects.get(role=User.Role.OWNER)
    house = company.hired(owner, keys())
    endpoint(owner, f"{simulator}/house/openai/v1")
    company.worked(house, owner)
    limits = budgets(house, owner)
    running(house, limits)
    requests(house, owner, limits)


def keys() -> dict[str, UUID]:
    """One of OpenAI that works, with some trouble, and one that is refused; one of Azure that is refused;
    one of Anthropic that ends soon, and one that was revoked. Returns those that are used, by provider.
    """
    house, now = Organisation.objects.get(), timezone.now()

    def key(
        provider: str, ending: str, label: str, account: str, address: str = "", **fields: Any
    ) -> Credential:
        made = key_actions.add_credential(
            owner=Owner(organisation=house),
            provider=provider,
            kind="api_key",
            base_url=address or credentials.base_url(provider),
            secret=Secret(f"sk-for-pictures-{ending}"),
            options={},
            vendor_account=account,
            label=label,
        )
        Credential.objects.filter(pk=made.pk).update(**fields)
        return made

    used = Credential.objects.filter(provider="anthropic", state=Credential.State.ACTIVE).latest("created_at")
    refused = "It was refused: 401, the key is not valid any more."
    slow = "It answered 429 (rate limit) four times in the last hour."
    lately = now - timedelta(minutes=3)
    old = now - timedelta(days=40)
    key("anthropic", "m3Zs", "Trial", "", expires_at=now + timedelta(days=6), created_at=old)
    key_actions.revoke(credential=key("anthropic", "0aWd", "Before the move", ""))
    key("openai", "Vq2L", "Old project", "org-Harbour", state="invalid", last_error=refused, last_used_at=old)
    openai = key("openai", "9fTk", "Main", "org-Harbour", last_used_at=lately, last_error=slow)
    azure = key("azure", "c41e", "West Europe", "", AZURE, state="invalid", last_error=refused)
    return {"anthropic": used.pk, "openai": openai.pk, "azure": azure.pk}


def endpoint(owner: User, address: str) -> None:
    """A model server in the house, with a model that costs what a small one costs."""
    made = Endpoint(
        slug="house",
        label="Harbour's own models",
        wire=Endpoint.Wire.OPENAI_CHAT,
        base_url=address,
        needs_key=False,
    )
    actions.save_endpoint(by=owner.pk, organisation=Organisation.objects.get(), endpoint=made, secret=None)
    facts = {"context": 128_000, "max_output": 8_192}
    actions.add_model(by=owner.pk, ref=OWN_MODEL, facts=facts, like=overrides.spec(CHEAPER))
    actions.change_model(
        by=owner.pk, ref=OWN_MODEL, enabled=True, display_name="Llama 4 Maverick", facts=facts
    )


def budgets(house: Company, owner: User) -> dict[str, Budget]:
    """Ten: fine, near, full, only warning, going on with a cheaper model, switched off, of each member."""
    made: dict[str, Budget] = {}

    def budget(name: str, scope: str, share: float, **fields: Any) -> None:
        """One whose fullest row is full to this share now."""
        values = {"measure": "money", "period": "month", "mode": "block", "scope_id": None, **fields}
        one = budget_actions.make(
            by=owner.pk, name=name, scope=scope, timezone_name="Europe/Berlin", limit=10**15, **values
        )
        most = max([1, *BudgetPeriod.objects.filter(budget=one).values_list("settled", flat=True)])
        one.limit = rounded(most / share, unit=DOLLAR if one.measure == "money" else 1000)
        one.save(update_fields=["limit"])
        made[name] = one

    research, platform, support, sales, finance, marketing = (team.pk for team in house.teams)
    night = house.tokens[0].pk
    budget("Everyone", "organisation", 0.58)
    budget("Research", "team", 0.94, scope_id=research)
    budget("Each member of Support", "member", 0.97, scope_id=support, period="week")
    budget("Platform", "team", 0.86, scope_id=platform, mode="warn", admission="estimated")
    budget("Each member of Sales", "member", 0.9, scope_id=sales)
    budget("Nightly re-index", "token", 1.02, scope_id=night, period="total")
    budget("Marketing", "team", 1.06, scope_id=marketing, mode="cheaper", cheaper_model=CHEAPER)
    budget("Requests of finance", "team", 0.41, scope_id=finance, measure="requests")
    budget("Each member of Research", "member", 0.83, scope_id=research, mode="warn")
    budget("Omar's tokens in spring", "person", 0.3, scope_id=house.people["omar"].pk, measure="tokens")
    budget_actions.switch(budget=made["Omar's tokens in spring"], on=False)
    return made


def rounded(amount: float, *, unit: int) -> int:
    """To two digits, and to whole dollars or thousands."""
    step = unit
    while amount / step >= 100:
        step *= 10
    return max(1, round(amount / step)) * step


def running(house: Company, limits: dict[str, Budget]) -> None:
    """Three calls that hold money now, as admission writes them."""
    now, spec = timezone.now(), overrides.spec(MODEL)
    assert spec is not None
    tariff = prices.listed(spec, now)
    assert tariff is not None
    for mail, team, cents in (("omar", 0, 214), ("misaki.sato", 0, 96), ("jonas", 1, 131)):
        person, amount = house.people[mail], cents * DOLLAR // 100
        counted = [limits["Everyone"], limits["Research" if team == 0 else "Platform"]]
        counted += [limits["Each member of Research"]] if team == 0 else []
        with transaction.atomic():
            lines = []
            for budget in counted:
                subject = person.pk if budget.scope == "member" else NOBODY
                period = BudgetPeriod.objects.filter(budget=budget, subject=subject).latest("begins_at")
                BudgetPeriod.objects.filter(pk=period.pk).update(held=period.held + amount)
                lines.append({"period": str(period.pk), "amount": amount})
            Hold.objects.create(
                call_id=uuid7(),
                user=person.pk,
                team=house.teams[team].pk,
                credential=house.credentials["anthropic"],
                credential_scope="organisation",
                provider="anthropic",
                purpose="chat",
                model=spec.id,
                amount_nano=amount,
                budget_lines=lines,
                tariff=tariff.to_json(),
                prompt_tokens=40_000,
                max_tokens=8_000,
                opened_at=now,
                renewed_until=now + timedelta(hours=6),
            )


def requests(house: Company, owner: User, limits: dict[str, Budget]) -> None:
    """Five that wait and three that were decided."""

    def ask(mail: str, name: str, reason: str = "", more: float = 0.0) -> LimitRequest:
        budget = limits[name]
        wanted = rounded(budget.limit * more, unit=DOLLAR) if more else None
        by = owner if mail == "owner" else house.people[mail]
        return budget_actions.ask_for_more(by=by, budget=budget, reason=reason, wanted=wanted)[0]

    one = ask("amelie", "Marketing", "The spring catalogue in four languages.", 1.5)
    budget_actions.refuse(by=owner.pk, request=one, answer="The cheaper model is good enough for drafts.")
    one = ask("lena", "Each member of Support", "Two colleagues are ill, I answer their tickets too.", 1.4)
    budget_actions.approve(
        by=owner.pk, request=one, limit=rounded(one.budget.limit * 1.02, unit=DOLLAR) + DOLLAR
    )
    one = ask("luca", "Platform", "")
    budget_actions.refuse(by=owner.pk, request=one, answer="Next month.")
    for budget in limits.values():
        budget.refresh_from_db()
    ask("omar", "Nightly re-index", "Re-indexing the archive takes two more nights.", 1.6)
    ask("nour", "Each member of Support", "Translating the handbook into Arabic by Friday.", 1.5)
    ask("maximiliane", "Each member of Sales", LONG_REASON, 2.0)
    ask("misaki.sato", "Research")
    ask("owner", "Each member of Research", "Evaluation of the four import plans.", 1.3)
