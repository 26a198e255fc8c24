"""What an operator may say of single providers, as words: "openai:first=120,idle=90 azure:total=900"."""

from dataclasses import fields

from providers.timeouts import Timeouts

LONGEST = 24 * 3600.0  # seconds
MOST_RETRIES = 5

_NAMES = tuple(field.name for field in fields(Timeouts))


def timeouts(text: str) -> dict[str, dict[str, float]]:
    """Seconds by provider and name (those of timeouts.Timeouts). Raises ValueError: which word is wrong."""
    found: dict[str, dict[str, float]] = {}
    for provider, value in _words(text):
        own = found.setdefault(provider, {})
        for part in filter(None, value.split(",")):
            name, _, number = part.partition("=")
            if name not in _NAMES:
                raise ValueError(f"{part!r} must begin with {', '.join(_NAMES)}, and '='")
            own[name] = _number(part, number)
    return found


def retries(text: str) -> dict[str, int]:
    """How often calls to a provider are tried again at most: "azure:0 openai:3". Raises ValueError."""
    found = {}
    for provider, value in _words(text):
        if not value.isdecimal() or int(value) > MOST_RETRIES:
            raise ValueError(f"{provider}:{value} must be a number from 0 to {MOST_RETRIES}")
        found[provider] = int(value)
    return found


def _words(text: str) -> list[tuple[str, str]]:
    words = []
    for word in text.split():
        provider, colon, value = word.partition(":")
        if not provider or not colon or not value:
            raise ValueError(f"{word!r} must be a provider's name, ':', and what is said of it")
        words.append((provider, value))
    return words


def _number(part: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"{part!r} must end with seconds, above 0 and at most {LONGEST:.0f}")
    return seconds
