"""A name for a browser and its device, from what the browser says about itself."""

from __future__ import annotations

# The first that is found names it: most browsers also claim to be the ones below them.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chromium", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
DEVICES = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
UNKNOWN = "Unknown browser"
READ_CHARACTERS = 400


def device_name(user_agent: str) -> str:
    """Such as "Firefox on Windows". Never more than names from the lists above, whatever is sent."""
    text = user_agent[:READ_CHARACTERS]
    browser = next((name for mark, name in BROWSERS if mark in text), UNKNOWN)
    device = next((name for mark, name in DEVICES if mark in text), None)
    return f"{browser} on {device}" if device else browser
