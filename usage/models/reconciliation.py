"""What a vendor says was used and charged, beside what the ledger says."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

TEXT_LENGTH = 200
PROBLEM_LENGTH = 300


class Reconciliation(models.Model):
    """The comparison with one vendor: of which account, when it last succeeded, and what kept the last try
    from it. `problem` is safe to show, "" where the last try was good.
    """

    provider = models.CharField(max_length=64, primary_key=True)
    vendor_account = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    vendor_name = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    tried_at = models.DateTimeField(null=True)
    compared_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=PROBLEM_LENGTH, blank=True, default="")

    def __str__(self) -> str:
        return f"comparison with {self.provider} {self.vendor_account}"


class ComparedUsage(models.Model):
    """One model on one day of UTC: the vendor's figures and the ledger's. The day's next comparison replaces
    it.

    `model` is our id of it where the catalogue knows it, else the vendor's; it is "" for what the vendor
    charges without a model, which `kind` then names. `vendor_cost_nano` is None while the vendor has charged
    nothing for the day yet, and `is_pending` while it has no figures at all. Of the ledger, `lines` are the
    lines behind the figures and `estimated_nano` is what those among them cost whose numbers are estimated.
    """

    COUNTS: ClassVar = (
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_5m",
        "cache_creation_1h",
        "output_tokens",
        "web_search_requests",
    )

    provider = models.CharField(max_length=64)
    vendor_account = models.CharField(max_length=TEXT_LENGTH)
    day = models.DateField()
    model = models.CharField(max_length=TEXT_LENGTH, blank=True)
    kind = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    is_pending = models.BooleanField(default=False)
    vendor_input_tokens = models.BigIntegerField(default=0)
    vendor_cache_read_input_tokens = models.BigIntegerField(default=0)
    vendor_cache_creation_5m = models.BigIntegerField(default=0)
    vendor_cache_creation_1h = models.BigIntegerField(default=0)
    vendor_output_tokens = models.BigIntegerField(default=0)
    vendor_web_search_requests = models.BigIntegerField(default=0)
    vendor_cost_nano = models.BigIntegerField(null=True)
    ledger_input_tokens = models.BigIntegerField(default=0)
    ledger_cache_read_input_tokens = models.BigIntegerField(default=0)
    ledger_cache_creation_5m = models.BigIntegerField(default=0)
    ledger_cache_creation_1h = models.BigIntegerField(default=0)
    ledger_output_tokens = models.BigIntegerField(default=0)
    ledger_web_search_requests = models.BigIntegerField(default=0)
    ledger_cost_nano = models.BigIntegerField(default=0)
    lines = models.BigIntegerField(default=0)
    estimated_nano = models.BigIntegerField(default=0)
    compared_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["provider", "vendor_account", "day", "model", "kind"], name="compared_usage_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.provider}/{self.model or self.kind}"


class VendorKey(models.Model):
    """A key that the vendor names in its reports. Usage of one that is not `counted` is no part of the
    comparison. `key_id` is "" for what was used without a key; `ending` is what the vendor shows of the key.
    """

    provider = models.CharField(max_length=64)
    vendor_account = models.CharField(max_length=TEXT_LENGTH)
    key_id = models.CharField(max_length=TEXT_LENGTH, blank=True)
    name = models.CharField(max_length=TEXT_LENGTH, blank=True, default="")
    ending = models.CharField(max_length=8, blank=True, default="")
    counted = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "vendor_account", "key_id"], name="vendor_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} key {self.name or self.key_id}"
