from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.ids
import accounts.sealing.sealing


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_people")]

    operations = [
        migrations.CreateModel(
            name="SignInProvider",
            fields=[
                (
                    "vendor",
                    models.CharField(
                        choices=[
                            ("oidc", "OpenID Connect"),
                            ("google", "Google"),
                            ("microsoft", "Microsoft"),
                            ("github", "GitHub"),
                        ],
                        max_length=10,
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("client_id", models.CharField(blank=True, max_length=300)),
                ("secret", accounts.sealing.sealing.SealedField(null=True)),
                ("secret_hint", models.CharField(blank=True, max_length=8)),
                ("issuer", models.CharField(blank=True, max_length=300)),
                ("domains", models.JSONField(blank=True, default=list)),
                ("groups_claim", models.CharField(blank=True, max_length=200)),
                ("groups", models.JSONField(blank=True, default=list)),
                ("makes_accounts", models.BooleanField(default=False)),
                (
                    "vouches",
                    models.BooleanField(
                        default=False, help_text="Its addresses count as verified for accounts."
                    ),
                ),
                ("checks_second_factor", models.BooleanField(default=False)),
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("is_on", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("tested_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="SignInConnection",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("subject", models.CharField(max_length=255)),
                ("email", models.CharField(blank=True, max_length=254)),
                ("gave_admin", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sign_in_connections",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="connections",
                        to="accounts.signinprovider",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GivenMembership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "membership",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="given_by",
                        to="accounts.membership",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="given",
                        to="accounts.signinconnection",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SignInDraft",
            fields=[
                (
                    "vendor",
                    models.CharField(
                        choices=[
                            ("oidc", "OpenID Connect"),
                            ("google", "Google"),
                            ("microsoft", "Microsoft"),
                            ("github", "GitHub"),
                        ],
                        max_length=10,
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("client_id", models.CharField(blank=True, max_length=300)),
                ("secret", accounts.sealing.sealing.SealedField(null=True)),
                ("secret_hint", models.CharField(blank=True, max_length=8)),
                ("issuer", models.CharField(blank=True, max_length=300)),
                ("domains", models.JSONField(blank=True, default=list)),
                ("groups_claim", models.CharField(blank=True, max_length=200)),
                ("groups", models.JSONField(blank=True, default=list)),
                ("makes_accounts", models.BooleanField(default=False)),
                (
                    "vouches",
                    models.BooleanField(
                        default=False, help_text="Its addresses count as verified for accounts."
                    ),
                ),
                ("checks_second_factor", models.BooleanField(default=False)),
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tested", models.JSONField(blank=True, default=dict)),
                ("tested_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("expires_at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.signinprovider",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="SignInAttempt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=accounts.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("sign_in", "Sign In"),
                            ("test", "Test"),
                            ("connect", "Connect"),
                            ("confirm", "Confirm"),
                        ],
                        max_length=8,
                    ),
                ),
                ("browser", models.CharField(max_length=64)),
                ("state", models.CharField(max_length=64, unique=True)),
                ("secret", accounts.sealing.sealing.SealedField(null=True)),
                ("found", models.JSONField(default=dict)),
                ("next", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("expires_at", models.DateTimeField()),
                ("taken_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "draft",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.signindraft",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.signinprovider",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="signinconnection",
            constraint=models.UniqueConstraint(fields=("provider", "subject"), name="sign_in_subject_once"),
        ),
        migrations.AddConstraint(
            model_name="signinconnection",
            constraint=models.UniqueConstraint(fields=("provider", "person"), name="sign_in_person_once"),
        ),
    ]
