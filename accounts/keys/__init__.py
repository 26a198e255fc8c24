"""Credentials: whose they are, how they are entered, changed and shown, and which one a call is made with."""
