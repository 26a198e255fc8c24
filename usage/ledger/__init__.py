"""The ledger: protected, and proved against what is counted beside it."""
