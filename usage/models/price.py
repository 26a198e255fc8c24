"""Prices that an admin or an import has set; they win over the catalogue's."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from accounts.ids import uuid7


class Price(models.Model):
    """An admin's or an import's price for one model from a moment on; it wins over the catalogue while in
    force.

    Rows are never changed but for their end: a new price is a new row. `long_context` and `fast` hold the
    same five unit prices, for prompts strictly above `long_context_above` tokens and for the vendor's fast
    mode. Null: the model has no such tier, modifier or search.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    input = models.PositiveBigIntegerField()
    output = models.PositiveBigIntegerField()
    cache_read = models.PositiveBigIntegerField()
    cache_write_5m = models.PositiveBigIntegerField()
    cache_write_1h = models.PositiveBigIntegerField()
    long_context_above = models.PositiveBigIntegerField(null=True)
    long_context = models.JSONField(null=True)
    fast = models.JSONField(null=True)
    web_search_per_1000_nano = models.PositiveBigIntegerField(null=True)
    batch_percent = models.PositiveSmallIntegerField(null=True)
    geo_us_percent = models.PositiveSmallIntegerField(null=True)
    source = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.UUIDField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "model", "valid_from"], name="price_from_one_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} from {self.valid_from:%Y-%m-%d}"
