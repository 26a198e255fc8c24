"""What the vendor of the company of `tests.browser.company` says of its last days: the ledger's own figures,
but for a program beside Parley, answers that were estimated too low, and a day that is not counted yet.

`python manage.py shell -c "from tests.browser import company_bill; company_bill.tell('URL')"`, where the
company is there already and a simulator listens at URL.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
from django.utils import timezone

from accounts.keys import actions as key_actions
from accounts.models import Credential, Organisation
from providers.access import Secret
from usage.catalogue import overrides
from usage.reconcile import utc_days
from usage.reconcile.reconciling import reconcile
from usage.reconcile.utc_days import LedgerFigures

DAYS = 12
CENT = 10_000_000  # nano-dollars
ADMIN_KEY = "sk-ant-admin01-made-up-by-the-harbour-office-Qx7c"
PROGRAM_DAYS, ESTIMATED_DAY, UNCOUNTED_DAY = (5, 6), 3, 1  # days ago
FIELDS = {
    "input_tokens": "uncached_input_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_creation_5m": "ephemeral_5m_input_tokens",
    "cache_creation_1h": "ephemeral_1h_input_tokens",
    "output_tokens": "output_tokens",
    "web_search_requests": "web_search_requests",
}


def tell(simulator: str) -> None:
    """Lays the reports down, enters the admin key, and compares."""
    overrides.known()
    organisation = Organisation.current()
    assert organisation is not None
    own = Credential.objects.for_calls().filter(provider="anthropic", state=Credential.State.ACTIVE)
    key = own.exclude(vendor_account="").latest("id")
    usage: list[dict[str, Any]] = []
    costs: list[dict[str, Any]] = []
    today = timezone.now().date()
    for ago in range(1, DAYS + 1):
        day = today - timedelta(days=ago)
        if ago == UNCOUNTED_DAY:
            continue
        for model, figures in utc_days.figures("anthropic", key.vendor_account, day).items():
            usage.append(_used(day, model, figures, more=1.013 if ago == ESTIMATED_DAY else 1.0))
            costs.append(_charged(day, model, figures.cost_nano * (1.008 if ago == ESTIMATED_DAY else 1.0)))
    for ago in PROGRAM_DAYS:
        day = today - timedelta(days=ago)
        counts = {"uncached_input_tokens": 2_411_804, "output_tokens": 186_230}
        name = {"model": "claude-helmsman-2-preview", "api_key_id": "apikey_batch"}
        usage.append({"day": f"{day}", **name, **counts})
        costs.append(_charged(day, "claude-helmsman-2-preview", 9_870_000_000))
        costs.append({**_charged(day, "", 410_000_000), "cost_type": "code_execution", "model": None})
    script = {
        "organization": key.vendor_account,
        "name": "Harbour office",
        "usage": usage,
        "costs": costs,
        "keys": [
            {"id": "apikey_parley", "name": "Parley", "partial_key_hint": f"sk-ant-api03-R2D...{key.hint}"},
            {"id": "apikey_batch", "name": "Nightly index of the archive, until it is moved to Parley"},
        ],
    }
    httpx.post(f"{simulator}/_simulator/reports", json=script).raise_for_status()
    key_actions.save_admin_key(
        organisation=organisation,
        provider="anthropic",
        base_url=simulator,
        secret=Secret(ADMIN_KEY),
        vendor_account=key.vendor_account,
    )
    assert reconcile("anthropic", days=DAYS).problem == ""


def _used(day: date, model: str, figures: LedgerFigures, *, more: float) -> dict[str, Any]:
    counts = {FIELDS[name]: count for name, count in figures.counts.items()}
    counts["output_tokens"] = round(counts["output_tokens"] * more)
    return {"day": f"{day}", "model": model, "api_key_id": "apikey_parley", **counts}


def _charged(day: date, model: str, nano: float) -> dict[str, Any]:
    return {"day": f"{day}", "model": model, "amount": f"{nano / CENT:.7f}", "token_type": "output_tokens"}
