"""What the page says about an answer beside the answer itself, in sentences.

Runs store codes with facts (`wishes.Note`), so that the words can change without the rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from accounts.policies.features import ABOUT
from providers.types import Json

from .origins import LEFT_OUT

TOOLS = {"web_search": "search the web", "code_execution": "run code"}
THINKING_LEFT_OUT = (
    "Earlier thinking was not sent along: the model, the account or the settings have changed since. "
    "What the provider had cached begins anew, which can cost more."
)
# The categories of a refusal (Anthropic, "Stop reasons": stop_details).
DECLINED = {
    "cyber": "It touches on attacks on computers.",
    "bio": "It touches on dangerous biology.",
    "frontier_llm": "It touches on building large language models.",
    "reasoning_extraction": "It asks for the model\u2019s hidden reasoning.",
    "general_harms": "It touches on something that may do harm.",
}


def sentences(notes: Iterable[Json], model: str) -> list[str]:
    """One for each note that is news; `model` is the name of the model that was asked."""
    return [said for note in notes if (said := _sentence(note, model))]


def short_of(notes: Iterable[Json]) -> str:
    """The budget that kept an answer short; "" where none did."""
    return next((str(note["budget"]) for note in notes if note.get("code") == "shortened"), "")


def why_declined(details: Json) -> str:
    """The vendor's explanation of a refusal, else what its category means, else ""."""
    explanation, category = details.get("explanation"), details.get("category")
    if isinstance(explanation, str) and explanation.strip():
        return explanation
    return DECLINED.get(category, f"Category: {category}.") if isinstance(category, str) else ""


def details(error: Json) -> list[tuple[str, str]]:
    """Names and values of an error as its run stores it, as far as there are any."""
    named = (
        ("The provider says", error.get("message")),
        ("Kind", error.get("type")),
        ("Status", error.get("status")),
        ("Request", error.get("request_id")),
    )
    return [(name, str(value)) for name, value in named if value not in (None, "")]


def _sentence(note: Json, model: str) -> str:
    match note:
        case {"code": "fallback", "asked": asked, "served": served, "reason": reason}:
            return f"Answered by {served}, because {asked} was not available: {reason}"
        case {"code": "shortened", "tokens": tokens, "budget": budget}:
            return f"Kept to {tokens:,} tokens at most: the budget “{budget}” had no room for more."
        case {"code": code} if code == LEFT_OUT:
            return "" if note.get("again") else THINKING_LEFT_OUT
        case {"code": "effort", "asked": asked, "used": ""}:
            return f"{model} takes no effort setting; {asked} was not used."
        case {"code": "effort", "asked": asked, "used": used} if asked:
            return f"{model} does not take effort {asked} here; {used} was used."
        case {"code": "effort", "used": used}:
            return f"{model} takes no more effort than {used} while thinking is off."
        case {"code": "thinking_stays_on"}:
            return f"Thinking cannot be switched off for {model}."
        case {"code": "kept", "feature": feature} if feature in ABOUT:
            return f"{ABOUT[feature].label} is not allowed here, so it was left out."
        case {"code": "tool", "tool": tool}:
            return f"{model} cannot {TOOLS.get(tool, tool)} by itself."
    return ""
