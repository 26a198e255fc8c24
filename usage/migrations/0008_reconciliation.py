from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0007_alerts")]

    operations = [
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("provider", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("vendor_account", models.CharField(blank=True, default="", max_length=200)),
                ("vendor_name", models.CharField(blank=True, default="", max_length=200)),
                ("tried_at", models.DateTimeField(null=True)),
                ("compared_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, default="", max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="ComparedUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=64)),
                ("vendor_account", models.CharField(max_length=200)),
                ("day", models.DateField()),
                ("model", models.CharField(blank=True, max_length=200)),
                ("kind", models.CharField(blank=True, default="", max_length=200)),
                ("is_pending", models.BooleanField(default=False)),
                ("vendor_input_tokens", models.BigIntegerField(default=0)),
                ("vendor_cache_read_input_tokens", models.BigIntegerField(default=0)),
                ("vendor_cache_creation_5m", models.BigIntegerField(default=0)),
                ("vendor_cache_creation_1h", models.BigIntegerField(default=0)),
                ("vendor_output_tokens", models.BigIntegerField(default=0)),
                ("vendor_web_search_requests", models.BigIntegerField(default=0)),
                ("vendor_cost_nano", models.BigIntegerField(null=True)),
                ("ledger_input_tokens", models.BigIntegerField(default=0)),
                ("ledger_cache_read_input_tokens", models.BigIntegerField(default=0)),
                ("ledger_cache_creation_5m", models.BigIntegerField(default=0)),
                ("ledger_cache_creation_1h", models.BigIntegerField(default=0)),
                ("ledger_output_tokens", models.BigIntegerField(default=0)),
                ("ledger_web_search_requests", models.BigIntegerField(default=0)),
                ("ledger_cost_nano", models.BigIntegerField(default=0)),
                ("lines", models.BigIntegerField(default=0)),
                ("estimated_nano", models.BigIntegerField(default=0)),
                ("compared_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "vendor_account", "day", "model", "kind"),
                        name="compared_usage_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VendorKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=64)),
                ("vendor_account", models.CharField(max_length=200)),
                ("key_id", models.CharField(blank=True, max_length=200)),
                ("name", models.CharField(blank=True, default="", max_length=200)),
                ("ending", models.CharField(blank=True, default="", max_length=8)),
                ("counted", models.BooleanField(default=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "vendor_account", "key_id"), name="vendor_key_once"
                    )
                ],
            },
        ),
    ]
