"""Settings of a served process whose limits of attempts hold; those of other tests are off."""

from config.settings import ACCOUNT_RATE_LIMITS as LIMITS
from tests.process_settings import *  # noqa: F403

ACCOUNT_RATE_LIMITS = LIMITS
