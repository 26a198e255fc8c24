"""What calls cost and who pays: prices, budgets, holds, the append-only ledger and its daily roll-up; and
what admins and imports say of models and addresses.

People, teams, conversations and runs are plain ids without foreign keys: a ledger line outlives what it
speaks of. Money is integer nano-dollars; unit prices are integer pico-dollars per token ($1 per million
tokens = 1,000,000).
"""

from usage.models.alert import Alert, AlertSettings, Delivery, Webhook
from usage.models.budget import Budget, BudgetPeriod, LimitRequest
from usage.models.daily import NOBODY, DailyUsage
from usage.models.digest import Digest, DigestRow
from usage.models.endpoint import Endpoint
from usage.models.finding import Finding
from usage.models.hold import Hold
from usage.models.ledger import LedgerLine, LedgerQuerySet, Outcome, RunTotals, Source, estimated_attempts
from usage.models.override import FallbackChain, ImportedModel, ModelOverride, Revision
from usage.models.payer import Payer
from usage.models.price import Price
from usage.models.reconciliation import ComparedUsage, Reconciliation, VendorKey

__all__ = [
    "NOBODY",
    "Alert",
    "AlertSettings",
    "Budget",
    "BudgetPeriod",
    "ComparedUsage",
    "DailyUsage",
    "Delivery",
    "Digest",
    "DigestRow",
    "Endpoint",
    "FallbackChain",
    "Finding",
    "Hold",
    "ImportedModel",
    "LedgerLine",
    "LedgerQuerySet",
    "LimitRequest",
    "ModelOverride",
    "Outcome",
    "Payer",
    "Price",
    "Reconciliation",
    "Revision",
    "RunTotals",
    "Source",
    "VendorKey",
    "Webhook",
    "estimated_attempts",
]
