"""The ledger's lines are found by model, team, token and outcome too. The ledger's triggers are put back."""

from typing import Any

from django.db import migrations, models

from usage.ledger import triggers


def install(apps: Any, schema_editor: Any) -> None:
    triggers.install(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_budgets")]

    operations = [
        migrations.AddIndex(
            "ledgerline",
            models.Index(fields=["provider", "model_asked", "accounted_at"], name="ledger_model"),
        ),
        migrations.AddIndex(
            "ledgerline",
            models.Index(
                fields=["team", "accounted_at"], name="ledger_team", condition=models.Q(team__isnull=False)
            ),
        ),
        migrations.AddIndex(
            "ledgerline",
            models.Index(
                fields=["token", "accounted_at"], name="ledger_token", condition=models.Q(token__isnull=False)
            ),
        ),
        migrations.AddIndex(
            "ledgerline",
            models.Index(
                fields=[
                    "outcome",
                    "accounted_at",
                    "day",
                    "user",
                    "team",
                    "token",
                    "provider",
                    "model_asked",
                    "purpose",
                    "credential_scope",
                    "attempt",
                    "line",
                    "source",
                    "error",
                    "input_tokens",
                    "output_tokens",
                    "cache_read_input_tokens",
                    "cache_creation_input_tokens",
                    "cost_nano",
                ],
                name="ledger_unfinished",
                condition=~models.Q(outcome="completed"),
            ),
        ),
        migrations.RunPython(install, install),
    ]
