"""Prices: which one is in force, what a call costs by it, and how prices come from a file."""
