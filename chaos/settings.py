"""Settings of the servers that chaos starts: those of tests' processes, with leases that run out soon."""

from tests.process_settings import *  # noqa: F403

LEASE_SECONDS = 3  # so that a lost host is noticed in seconds; everything that follows from it follows
HOLD_SECONDS = 12
