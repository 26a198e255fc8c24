from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_single_sign_on")]

    operations = [
        migrations.AddField(
            "accesstoken", "expiry_told_at", models.DateTimeField(blank=True, editable=False, null=True)
        ),
        migrations.AddField(
            "accesstoken",
            "last_used_from",
            models.CharField(blank=True, default="", help_text="An address.", max_length=45),
        ),
        migrations.AddField(
            "accesstoken", "last_client", models.CharField(blank=True, default="", max_length=120)
        ),
    ]
