"""What recommendations rest on, as it was measured last."""

from __future__ import annotations

from django.db import models


class Finding(models.Model):
    """One kind of finding, measured over whole days from `first` to `last`, both counted.

    Kinds that found nothing have a row too; the next measuring replaces them. `count` is how many calls
    (or people) it stands on, `amount_nano` nano-dollars of those days, null where the kind is none of money.
    `facts` is what it keeps beside them: sums by day and model, and what finds the very same lines again
    (findings.Facts as JSON). `took_ms` is how long it was measured.
    """

    kind = models.CharField(primary_key=True, max_length=32)
    measured_at = models.DateTimeField()
    took_ms = models.PositiveIntegerField()
    first = models.DateField()
    last = models.DateField()
    count = models.PositiveBigIntegerField()
    amount_nano = models.BigIntegerField(null=True)
    facts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.kind}: {self.count} from {self.first} to {self.last}"
