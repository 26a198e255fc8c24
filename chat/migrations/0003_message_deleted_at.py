"""Branches can be hidden, and shown again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0002_conversation_changed_at")]

    operations = [
        migrations.AddField(model_name="message", name="deleted_at", field=models.DateTimeField(null=True)),
    ]
