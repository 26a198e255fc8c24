"""What recommendations rest on is measured at night and kept."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_ledger_speed")]

    operations = [
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("kind", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("measured_at", models.DateTimeField()),
                ("took_ms", models.PositiveIntegerField()),
                ("first", models.DateField()),
                ("last", models.DateField()),
                ("count", models.PositiveBigIntegerField()),
                ("amount_nano", models.BigIntegerField(null=True)),
                ("facts", models.JSONField(default=dict)),
            ],
        ),
    ]
