"""Breaks a whole installation on purpose, and checks that nothing was lost. docs/reliability.md says how."""
