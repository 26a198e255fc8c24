"""The ledger compared with what the vendor itself says."""
