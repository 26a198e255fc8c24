"""Alerts, who is told of them, and how far each delivery has come. The ledger's table is not touched."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import accounts.ids
import accounts.sealing.sealing


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0006_report_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("url", models.CharField(max_length=500)),
                ("secret", accounts.sealing.sealing.SealedField(null=True)),
                ("previous", accounts.sealing.sealing.SealedField(null=True)),
                ("previous_until", models.DateTimeField(editable=False, null=True)),
                ("kinds", models.JSONField(blank=True, default=list)),
                ("enabled", models.BooleanField(default=True)),
                ("trouble", models.CharField(blank=True, default="", max_length=300)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("created_by", models.UUIDField(editable=False, null=True)),
            ],
            options={
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("budget", "Budget"),
                            ("spend", "Spend"),
                            ("credential", "Key"),
                            ("provider", "Provider"),
                            ("drift", "Drift"),
                            ("test", "Test"),
                        ],
                        max_length=16,
                    ),
                ),
                ("subject", models.CharField(max_length=200)),
                ("period", models.CharField(max_length=200)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField(max_length=2000)),
                ("link", models.CharField(blank=True, default="", max_length=500)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("routed_at", models.DateTimeField(editable=False, null=True)),
                ("over_at", models.DateTimeField(editable=False, null=True)),
                ("seen_at", models.DateTimeField(editable=False, null=True)),
                ("seen_by", models.UUIDField(editable=False, null=True)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(condition=models.Q(("seen_at", None)), fields=["id"], name="alert_unseen"),
                    models.Index(
                        condition=models.Q(("routed_at", None)), fields=["id"], name="alert_unrouted"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "subject", "period"), name="alert_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertSettings",
            fields=[
                (
                    "only",
                    models.BooleanField(default=True, editable=False, primary_key=True, serialize=False),
                ),
                ("thresholds", models.JSONField(default=list)),
                ("mail_kinds", models.JSONField(default=list)),
                ("unmailed", models.JSONField(default=list)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("only", True)), name="alert_settings_only_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "channel",
                    models.CharField(choices=[("mail", "Mail"), ("webhook", "Webhook")], max_length=7),
                ),
                ("target", models.CharField(max_length=254)),
                ("name", models.CharField(blank=True, default="", max_length=80)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("sent", "Sent"), ("failed", "Failed")],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("error", models.CharField(blank=True, default="", max_length=300)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="usage.alert",
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="deliveries",
                        to="usage.webhook",
                    ),
                ),
            ],
            options={
                "ordering": ["created_at", "id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["next_at"], name="delivery_due"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("alert", "channel", "target"), name="delivery_once")
                ],
            },
        ),
    ]
