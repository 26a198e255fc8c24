"""Logins at vendors, and the grants that come of them."""
