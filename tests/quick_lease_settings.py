"""Settings of servers that tests kill: a lost run is claimed within seconds."""

from tests.process_settings import *  # noqa: F403

LEASE_SECONDS = 3
