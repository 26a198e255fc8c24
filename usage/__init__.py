"""Prices, holds, the ledger and metering: the only door to a model call."""
