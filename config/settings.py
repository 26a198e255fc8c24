"""Every setting of Parley. Environment variables are read here and nowhere else; README lists them."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

from providers.access import Secret

from . import logs, oauth
from .environment import Environment
from .hosts import allowed_hosts, is_loopback
from .master_keys import derive, load_master_keys
from .provider_environment import provider_environment

env = Environment()
BASE_DIR = Path(__file__).resolve().parent.parent

# Where things are
DATA_DIR = env.path("PARLEY_DATA_DIR", BASE_DIR / "var")
HOST = env.text("PARLEY_HOST", "127.0.0.1")
PORT = env.integer("PARLEY_PORT", 8000, least=0, most=65535)
PUBLIC_URL = env.origin("PARLEY_PUBLIC_URL")
LEASE_SECONDS = 15  # a host of live runs that renews nothing for so long has lost them
HOLD_SECONDS = 60  # an open hold that is not renewed for so long belongs to a lost process
DRAIN_SECONDS = env.integer("PARLEY_DRAIN_SECONDS", 30, least=0, most=3600)
DEBUG = env.flag("PARLEY_DEBUG")

# Secrets
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
MASTER_KEYS = load_master_keys(env.words("PARLEY_SECRET_KEYS"), DATA_DIR)
SECRET_KEY, *SECRET_KEY_FALLBACKS = [derive(key, "django") for key in MASTER_KEYS]

# Model providers: what the environment gives serves the whole organisation
PROVIDER_ENVIRONMENT: dict[str, dict[str, Any]] = provider_environment(env)
OAUTH = oauth.configuration(env, PROVIDER_ENVIRONMENT, PUBLIC_URL)
PRIVATE_HOSTS = env.words("PARLEY_PRIVATE_HOSTS")
PROVIDER_TIMEOUTS = env.text("PARLEY_TIMEOUTS")
PROVIDER_RETRIES = env.text("PARLEY_RETRIES")
ANTHROPIC_BASE_URL: str = PROVIDER_ENVIRONMENT["anthropic"]["base_url"]
STANDIN_PRICE = env.dollars_per_million("PARLEY_STANDIN_PRICE")
DEMO = env.flag("PARLEY_DEMO", default=True)
DEMO_BASE_URL = ""  # set by the process that serves, once the simulator listens

# Who may reach it
ALLOWED_HOSTS = allowed_hosts(HOST, PUBLIC_URL)
SETUP_CODE_REQUIRED = not is_loopback(HOST) or bool(PUBLIC_URL)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
SESSION_COOKIE_NAME = "parley_session"
CSRF_COOKIE_NAME = "parley_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if SESSION_COOKIE_SECURE:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Scripts and styles come from our own files alone: no inline code, no style attributes, nothing remote.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# The application
INSTALLED_APPS = [
    "daphne",  # first: it makes `runserver` speak ASGI; `serve` runs uvicorn
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "channels",
    "django_htmx",
    "config",
    "accounts",
    "usage",
    "tools",
    "chat",
    "gateway",
]
MIDDLEWARE = [
    "config.middleware.RequestIdentity",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.WhoAsks",
    "accounts.middleware.FirstVisit",
    "accounts.sign_in.session_middleware.DeviceSeen",
    "accounts.sign_in.session_middleware.SecondFactorDue",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
        },
    }
]

# Data: SQLite in the data folder, or PostgreSQL and Redis
DATABASES = {"default": env.database("DATABASE_URL", DATA_DIR / "parley.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.redis("REDIS_URL")
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if REDIS_URL:
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # Redis does not part its channels by database: the prefix keeps two installations apart.
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"parley-{derive(MASTER_KEYS[0], 'channels')[:12]}"},
    }
    CACHES["default"] = {"BACKEND": "config.cache.RedisOrMemory", "LOCATION": REDIS_URL}

# People sign in by e-mail; accounts are made by the set-up page and by invitations, never by a public form
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["accounts.sign_in.hashers.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "display_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "chat:new"
ACCOUNT_ADAPTER = "accounts.sign_in.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_FORMS = {
    "login": "accounts.sign_in.forms.LoginForm",
    "change_password": "accounts.sign_in.forms.ChangePasswordForm",
    "set_password": "accounts.sign_in.forms.SetPasswordForm",
    "reset_password": "accounts.sign_in.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.sign_in.forms.ResetPasswordKeyForm",
    "reauthenticate": "accounts.sign_in.security_forms.ConfirmByPasswordForm",
    "request_login_code": "accounts.sign_in.security_forms.CodeRequestForm",
    "confirm_login_code": "accounts.sign_in.security_forms.MailedCodeForm",
    "confirm_email_verification_code": "accounts.sign_in.security_forms.EmailCodeForm",
    "add_email": "accounts.sign_in.security_forms.ChangeEmailForm",
}
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/m/key",
    "change_password": "5/m/user",
}
# How many proxies stand before the server and append to X-Forwarded-For; with 0 the header is never believed
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("PARLEY_TRUSTED_PROXIES", 0, least=0, most=10)

# Mail: the environment's server, else the one entered on Manage, Settings (accounts.mail)
EMAIL_CONFIGURED = bool(env.text("EMAIL_URL"))
vars().update(env.email("EMAIL_URL"))

# Codes to sign in with, and to prove an address, follow whether mail is sent: accounts.mail.allauth_settings
ALLAUTH_SETTING_GETTER = "accounts.mail.allauth_settings.get"
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 10 * 60
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_CHANGE_EMAIL = True

# Second factors: an authenticator app, passkeys, recovery codes; sealed by accounts.sign_in.second_factors
MFA_ADAPTER = "accounts.sign_in.mfa_adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "authenticate": "accounts.sign_in.security_forms.SecondStepForm",
    "authenticate_webauthn": "accounts.sign_in.security_forms.SecondStepPasskeyForm",
    "login_webauthn": "accounts.sign_in.security_forms.PasskeySignInForm",
    "reauthenticate": "accounts.sign_in.security_forms.ConfirmByCodeForm",
    "reauthenticate_webauthn": "accounts.sign_in.security_forms.ConfirmByPasskeyForm",
}

# Single sign-on: where the vendors are whose address is not entered on Manage, Sign-in
SIGN_IN_ADDRESSES = {
    "google": "https://accounts.google.com",
    "microsoft": env.origin("PARLEY_MICROSOFT_LOGIN_URL") or "https://login.microsoftonline.com",
    "github": env.origin("PARLEY_GITHUB_URL") or "https://github.com",
}

# Files of the front end: built into static/dist, collected with hashed names
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static" / "collected"
STATICFILES_DIRS = [
    (name, BASE_DIR / "static" / name) for name in ("css", "dist") if (BASE_DIR / "static" / name).is_dir()
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# esbuild puts a hash into the names of its chunks; they never change.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.*/c/.*-[A-Z0-9]{8}\.[a-z0-9]+$|^.+\.[0-9a-f]{12}\..+$"

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

# The name under which this process holds leases and logs: it must differ between processes and restarts, also
# between those of containers, whose first process always has the same number.
PROCESS_NAME = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(2)}"

LOG_LEVEL = env.choice("PARLEY_LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOG_FORMAT = env.choice("PARLEY_LOG_FORMAT", "text" if sys.stderr.isatty() else "json", ["json", "text"])
LOG_WIRE = env.flag("PARLEY_LOG_WIRE")  # the shapes of calls to vendors, without content
OTEL = env.flag("PARLEY_OTEL")
METRICS_TOKEN = Secret(token) if (token := env.text("PARLEY_METRICS_TOKEN")) else None
LOGGING = logs.configuration(form=LOG_FORMAT, level=LOG_LEVEL, process=PROCESS_NAME)
