"""A declined answer keeps why it was declined."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0006_run_step_seq")]

    operations = [
        migrations.AddField(model_name="message", name="stop_details", field=models.JSONField(null=True)),
    ]
