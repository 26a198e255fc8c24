from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_audit")]

    operations = [
        migrations.AddField(
            model_name="credential",
            name="paused",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="credential",
            name="rank",
            field=models.PositiveSmallIntegerField(
                choices=[
                    (0, "Before the others"),
                    (1, "In turn with the others"),
                    (2, "When no other one can"),
                ],
                default=1,
            ),
        ),
        migrations.AddField(
            model_name="credential",
            name="rotate_by",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="loginattempt",
            name="scope",
            field=models.CharField(default="organisation", max_length=12),
        ),
        migrations.AddField(
            model_name="loginattempt",
            name="team",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="accounts.team",
            ),
        ),
        migrations.AddField(
            model_name="datakey",
            name="retired_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
