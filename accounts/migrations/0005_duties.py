from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_login_attempt")]

    operations = [
        migrations.CreateModel(
            name="DutyRun",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("due_at", models.DateTimeField()),
                ("claimed_by", models.CharField(blank=True, default="", max_length=120)),
                ("claimed_until", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("last_error", models.CharField(blank=True, default="", max_length=300)),
            ],
            options={"ordering": ["name"]},
        ),
    ]
