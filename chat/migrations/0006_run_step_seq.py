"""A run of several steps remembers where the present one begins in its journal."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0005_run_origin")]

    operations = [
        migrations.AddField(model_name="run", name="step_seq", field=models.PositiveIntegerField(default=0)),
    ]
