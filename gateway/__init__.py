"""The Anthropic-compatible front door: people's own programs, under the same keys, budgets and ledger."""
