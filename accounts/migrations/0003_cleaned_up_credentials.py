from typing import Any

from django.db import migrations


def revoke_cleaned_up(apps: Any, schema_editor: Any) -> None:
    """Before 0002 a credential without a secret could only be a revoked one."""
    credentials = apps.get_model("accounts", "Credential").objects
    credentials.filter(state="invalid", secret=None).update(state="revoked")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_credential_grants")]

    operations = [migrations.RunPython(migrations.RunPython.noop, revoke_cleaned_up, elidable=True)]
