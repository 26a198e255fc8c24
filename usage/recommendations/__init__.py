"""What could be saved: measured from the ledger, one kind of finding a module."""
