"""A hold knows every route of its call; the ledger is found by time. The ledger's triggers are put back."""

from typing import Any

from django.db import migrations, models

from usage.ledger import triggers


def install(apps: Any, schema_editor: Any) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("usage", "0003_endpoints_and_overrides")]

    operations = [
        migrations.AddField("hold", "routes", models.JSONField(default=list)),
        migrations.AddIndex("ledgerline", models.Index(fields=["accounted_at"], name="ledger_moment")),
        migrations.RunPython(install, install),
    ]
