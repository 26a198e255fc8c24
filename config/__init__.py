"""Wires the apps together: settings, URLs, the ASGI application, the commands that run Parley.

No app imports it.
"""
