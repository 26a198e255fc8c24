"""A run remembers where its answer came from, and what the page says of it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0004_message_branches")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="model_served",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="run",
            name="prefix_hash",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(model_name="run", name="container", field=models.JSONField(null=True)),
        migrations.AddField(model_name="run", name="notes", field=models.JSONField(default=list)),
    ]
