"""Signing in: passwords, second factors, sessions, and what the organisation asks of them."""
