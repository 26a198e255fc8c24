"""Budgets: how full they are, what they refuse, how they are made and changed."""
