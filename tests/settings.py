"""Settings for tests: those of config.settings, in a data folder of their own, deaf to the environment.

Django loads this before any conftest, so the environment is made here, before config.settings reads it.
PARLEY_TEST_DATABASE_URL and PARLEY_TEST_REDIS_URL (set by tests/services.py) choose PostgreSQL and Redis.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

VENDORS = ("ANTHROPIC_", "OPENAI_", "AZURE_OPENAI_", "COPILOT_", "SALESFORCE_")
OUR_NAMES = ("PARLEY_", *VENDORS, "DATABASE_URL", "REDIS_URL", "EMAIL_URL")
KEPT_NAMES = ("PARLEY_TEST_", "PARLEY_CORPUS", "PARLEY_CHROMIUM")

for name in [name for name in os.environ if name.startswith(OUR_NAMES) and not name.startswith(KEPT_NAMES)]:
    del os.environ[name]


FOLDER = Path(tempfile.mkdtemp(prefix="parley-test-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
os.environ["PARLEY_DATA_DIR"] = str(FOLDER)
os.environ["PARLEY_LOG_LEVEL"] = "DEBUG"  # tests.canaries reads every line
for name in ("DATABASE_URL", "REDIS_URL"):
    if given := os.environ.get(f"PARLEY_TEST_{name}"):
        os.environ[name] = given

from config.settings import *  # noqa: E402, F403 - the environment above must be in place first
from config.settings import CHANNEL_LAYERS, DATABASES, MIDDLEWARE, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file: live runs write from threads of their own, which do not see an in-memory database of another.
    DATABASES["default"]["TEST"] = {"NAME": FOLDER / "test.sqlite3"}

if "CONFIG" in CHANNEL_LAYERS["default"]:
    # Redis does not part its channels by database: two runs on one server would hear each other.
    CHANNEL_LAYERS["default"]["CONFIG"]["prefix"] = FOLDER.name

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Argon2 takes 0.1 s a user, by design

# Files come straight from static/, without names made by collectstatic.
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True

MIDDLEWARE = ["tests.canaries.pages", *MIDDLEWARE]
