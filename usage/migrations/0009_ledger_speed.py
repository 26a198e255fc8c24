"""Digests of closed days, which a duty makes, and the indexes that pages and budgets need beside them.

Of the ledger's indexes the one by model goes: what it was for is found by the daily sums, and each line paid
for it. No index of the ledger is built, so that this takes seconds however long it is. Its triggers are put
back.
"""

import uuid
from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import Q

from usage.ledger import triggers

NOBODY = uuid.UUID(int=0)


def install(apps: Any, schema_editor: Any) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_reconciliation")]

    operations = [
        migrations.CreateModel(
            name="Digest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("face", models.CharField(max_length=8)),
                ("first", models.DateField()),
                ("last", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[("building", "Building"), ("ready", "Ready"), ("outdated", "Outdated")],
                        default="building",
                        max_length=8,
                    ),
                ),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["face", "first"], condition=Q(state="ready"), name="digest_once"
                    ),
                    models.CheckConstraint(condition=Q(last__gte=models.F("first")), name="digest_has_days"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DigestRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "digest",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="usage.digest",
                    ),
                ),
                ("outcome", models.CharField(blank=True, max_length=12)),
                ("day", models.DateField()),
                ("user", models.UUIDField(default=NOBODY)),
                ("team", models.UUIDField(default=NOBODY)),
                ("token", models.UUIDField(default=NOBODY)),
                ("provider", models.CharField(blank=True, max_length=64)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("purpose", models.CharField(blank=True, max_length=32)),
                ("credential_scope", models.CharField(blank=True, max_length=16)),
                ("calls", models.BigIntegerField()),
                ("failed", models.BigIntegerField()),
                ("estimated", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("cache_read_input_tokens", models.BigIntegerField()),
                ("cache_creation_input_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("cost_nano", models.BigIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["digest", "outcome", "user"], name="digest_row")],
            },
        ),
        migrations.AddIndex("dailyusage", models.Index(fields=["user", "day"], name="daily_usage_user")),
        migrations.AddIndex(
            "dailyusage",
            models.Index(fields=["token", "day"], name="daily_usage_token", condition=~Q(token=NOBODY)),
        ),
        migrations.RemoveIndex("ledgerline", "ledger_model"),
        migrations.RunPython(install, install),
    ]
