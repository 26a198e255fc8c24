import django.utils.timezone
from django.db import migrations, models

import accounts.sealing.sealing


class Migration(migrations.Migration):
    dependencies = [("accounts", "0016_policy")]

    operations = [
        migrations.CreateModel(
            name="MailServer",
            fields=[
                (
                    "only",
                    models.BooleanField(default=True, editable=False, primary_key=True, serialize=False),
                ),
                ("host", models.CharField(max_length=253)),
                ("port", models.PositiveIntegerField()),
                (
                    "security",
                    models.CharField(
                        choices=[("tls", "TLS from the start"), ("starttls", "STARTTLS"), ("none", "None")],
                        max_length=8,
                    ),
                ),
                ("username", models.CharField(blank=True, max_length=254)),
                ("password", accounts.sealing.sealing.SealedField(blank=True, null=True)),
                ("sender", models.EmailField(max_length=254)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("only", True)), name="mail_server_only_one")
                ],
            },
        ),
    ]
