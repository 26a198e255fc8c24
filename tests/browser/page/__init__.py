"""Scripts that tests run in a page."""

from pathlib import Path

FOLDER = Path(__file__).parent


def script(name: str) -> str:
    """The source of one of these files; most hold one function, to be given to `evaluate`."""
    return (FOLDER / f"{name}.js").read_text("utf-8").strip()
