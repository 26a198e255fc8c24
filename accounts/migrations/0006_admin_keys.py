from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_duties")]

    operations = [
        migrations.AlterField(
            model_name="credential",
            name="kind",
            field=models.CharField(
                choices=[
                    ("api_key", "Api Key"),
                    ("oauth", "Oauth"),
                    ("device", "Device"),
                    ("client", "Client"),
                    ("admin_key", "Admin Key"),
                ],
                default="api_key",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "admin_key"), _negated=True),
                    ("organisation__isnull", False),
                    _connector="OR",
                ),
                name="admin_key_of_the_organisation",
            ),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "admin_key"), models.Q(("state", "revoked"), _negated=True)),
                fields=("provider",),
                name="admin_key_once",
            ),
        ),
    ]
