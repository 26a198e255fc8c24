"""Budgets, the counters of their periods, and requests for more. The ledger's table is not touched."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import accounts.ids
import accounts.models.user


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0004_held_routes_and_moments"),
    ]

    operations = [
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("organisation", "Organisation"),
                            ("team", "Team"),
                            ("member", "Each member of a team"),
                            ("person", "Person"),
                            ("project", "Project"),
                            ("token", "Access token"),
                        ],
                        max_length=12,
                    ),
                ),
                ("scope_id", models.UUIDField(blank=True, null=True)),
                (
                    "measure",
                    models.CharField(
                        choices=[("money", "Money"), ("requests", "Requests"), ("tokens", "Tokens")],
                        default="money",
                        max_length=8,
                    ),
                ),
                (
                    "period",
                    models.CharField(
                        choices=[("day", "Day"), ("week", "Week"), ("month", "Month"), ("total", "In total")],
                        default="month",
                        max_length=5,
                    ),
                ),
                (
                    "timezone",
                    models.CharField(
                        default="UTC", max_length=64, validators=[accounts.models.user.known_timezone]
                    ),
                ),
                ("limit", models.PositiveBigIntegerField()),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("block", "Refuse"),
                            ("warn", "Only warn"),
                            ("cheaper", "Use a cheaper model"),
                        ],
                        default="block",
                        max_length=7,
                    ),
                ),
                ("cheaper_model", models.CharField(blank=True, default="", max_length=264)),
                (
                    "admission",
                    models.CharField(
                        choices=[("strict", "Strict"), ("estimated", "Estimated")],
                        default="strict",
                        max_length=9,
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("created_by", models.UUIDField(null=True)),
                ("changed_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["name", "id"],
                "indexes": [models.Index(fields=["scope", "scope_id"], name="budget_scope")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("scope", "organisation"), ("scope_id__isnull", True)),
                            models.Q(
                                models.Q(("scope", "organisation"), _negated=True),
                                ("scope_id__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="budget_names_its_scope",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("mode", "cheaper"), _negated=True),
                            models.Q(("cheaper_model", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="budget_names_its_cheaper_model",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BudgetPeriod",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("subject", models.UUIDField(default=uuid.UUID("00000000-0000-0000-0000-000000000000"))),
                ("begins_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(null=True)),
                ("settled", models.BigIntegerField(default=0)),
                ("held", models.BigIntegerField(default=0)),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="periods", to="usage.budget"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("budget", "subject", "begins_at"), name="budget_period_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__isnull", True), ("ends_at__gt", models.F("begins_at")), _connector="OR"
                        ),
                        name="budget_period_ends",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LimitRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("subject", models.UUIDField(default=uuid.UUID("00000000-0000-0000-0000-000000000000"))),
                ("asked_by", models.UUIDField()),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                ("wanted", models.PositiveBigIntegerField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("approved", "Approved"), ("refused", "Refused")],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("granted", models.PositiveBigIntegerField(blank=True, null=True)),
                ("answer", models.CharField(blank=True, default="", max_length=500)),
                ("decided_by", models.UUIDField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests",
                        to="usage.budget",
                    ),
                ),
            ],
            options={
                "ordering": ["created_at", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("budget", "asked_by"),
                        name="limit_request_open_once",
                    )
                ],
            },
        ),
    ]
