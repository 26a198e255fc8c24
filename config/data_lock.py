"""One embedded server per data folder: with SQLite, a second one would claim the first one's live runs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FolderInUse(Exception):
    """Another server holds the folder; the message names its process."""


def take(folder: Path) -> int:
    """Locks the folder until this process ends; returns the descriptor that holds the lock.

    Raises FolderInUse.
    """
    descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise FolderInUse(
            f"Another Parley server (process {holder}) uses {folder}. Stop it, or set PARLEY_DATA_DIR and "
            "PARLEY_PORT for a second installation, or DATABASE_URL to let several processes share one."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
