"""What is different between two states of a model's facts, in words for people."""

from datetime import date
from decimal import Decimal

from providers.catalogue import ModelSpec, Price, Rates

PICO = 1_000_000  # pico-dollars per token, for a dollar per million tokens

Change = tuple[str, str, str]  # field, old, new


def changes(old: ModelSpec, new: ModelSpec, *, day: date) -> list[Change]:
    """What is different, field by field, as (field, old, new); prices in dollars, with the change."""
    found = []
    for field in ("context", "max_input", "max_output", "status", "knowledge", "released_on", "sampling"):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            found.append((field, _shown(before), _shown(after)))
    if gained := sorted(new.capabilities - old.capabilities):
        found.append(("can", "", ", ".join(gained)))
    if lost := sorted(old.capabilities - new.capabilities):
        found.append(("cannot", "", ", ".join(lost)))
    return found + price_changes(old.price_on(day), new.price_on(day))


def price_changes(old: Price | None, new: Price | None) -> list[Change]:
    """What is different between two prices; the same form."""
    found = []
    for part in ("", "long_context "):
        before, after = (_part(price, part) for price in (old, new))
        sizes = [getattr(rates, "threshold", None) for rates in (before, after)]
        if sizes[0] != sizes[1]:
            found.append(("long_context above", _shown(sizes[0]), _shown(sizes[1])))
        for field in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
            was, now = getattr(before, field, None), getattr(after, field, None)
            if was == now:
                continue
            percent = f" ({(now - was) * 100 / was:+.1f} %)" if was and now is not None else ""
            found.append((f"{part}{field}", dollars(was), dollars(now) + percent))
    return found


def _part(price: Price | None, part: str) -> Rates | None:
    return price.long_context if price is not None and part else price


def dollars(pico: int | None) -> str:
    """Pico-dollars per token as dollars per million tokens, exactly."""
    if pico is None:
        return "unknown"
    whole = f"{Decimal(pico) / PICO:.6f}".rstrip("0")
    return "$" + whole + "0" * max(0, 2 - len(whole.partition(".")[2]))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else ("unknown" if value in (None, "") else str(value))
