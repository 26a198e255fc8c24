"""Finds the first messages of a conversation and its hidden ones without reading the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0003_message_deleted_at")]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("parent", None)), fields=["conversation"], name="message_first"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", False)),
                fields=["conversation"],
                name="message_hidden",
            ),
        ),
    ]
