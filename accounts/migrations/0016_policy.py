from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_access_tokens")]

    operations = [
        migrations.CreateModel(
            name="Policy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[("organisation", "Organisation"), ("others", "Others"), ("team", "Team")],
                        max_length=12,
                    ),
                ),
                ("which", models.CharField(default="all", max_length=8)),
                ("refs", models.JSONField(blank=True, default=list)),
                ("refused", models.JSONField(blank=True, default=list)),
                ("granted", models.JSONField(blank=True, default=list)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "team",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="policy",
                        to="accounts.team",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PolicyStamp",
            fields=[
                ("only", models.BooleanField(default=True, primary_key=True, serialize=False)),
                ("stamp", models.UUIDField()),
            ],
        ),
        migrations.AddConstraint(
            model_name="policystamp",
            constraint=models.CheckConstraint(
                condition=models.Q(("only", True)), name="policy_stamp_only_one"
            ),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("scope", "team"), _negated=True),
                fields=("scope",),
                name="policy_once_in_a_scope",
            ),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("scope", "team"), ("team__isnull", False)),
                    models.Q(("scope__in", ["organisation", "others"]), ("team__isnull", True)),
                    _connector="OR",
                ),
                name="policy_scope_fits",
            ),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.CheckConstraint(
                condition=models.Q(("which__in", ["all", "only", "except"])), name="policy_which_known"
            ),
        ),
    ]
