"""What the page of recommendations says of each kind: what was measured, how, how sure it is, what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from usage.recommendations.cheaper_models import SHORT
from usage.recommendations.recommendations import CENT, DAYS, SEATS, Recommendation
from usage.recommendations.waste import LATE
from usage.templatetags.figures import tokens, usd

NANO = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """`bound` stands before the amount. `act` names the page at `to` (the name of an address, with its query)
    where something can be done about it; `advice` says what. `worth` heads the amounts of single calls.
    """

    title: str
    bound: str
    measured: Callable[[Recommendation], str]
    formula: str
    sure: str
    advice: str
    act: str
    to: str
    query: Mapping[str, str]
    worth: str = "Could be saved"


WORDS: Mapping[str, Words] = {
    "caching": Words(
        title="Input sent again that a cache could have held",
        bound="at most",
        measured=lambda one: (
            f"{_share(one.share)} of all input, {tokens(one.facts.sums['resent'])} of "
            f"{tokens(one.facts.whole_input)} tokens, was sent again at the full price within five minutes: "
            f"in {_calls(one)} that followed another one of the same conversation, to the same model with "
            "the same key."
        ),
        formula="Of each such call the uncached input, but not more than the call before had sent beyond "
        "what the cache now gave or took, × (price of input less price of reading the cache), less the "
        "premium for having written it once. Each call at the price that it was charged at.",
        sure="An upper bound. The ledger knows sizes and not texts: what was sent again may have begun "
        "differently. Calls of programs that name no conversation are not judged.",
        advice="A cache is found only while the beginning of a conversation stays as it was. Leave "
        "instructions, tools and attachments unchanged within one, keep to one model, and have programs "
        "mark what they repeat.",
        act="Input and cache by model",
        to="usage:usage",
        query={"by": "model", "then": "person"},
    ),
    "short-answers": Words(
        title="Short answers from a dear model",
        bound="at most",
        measured=lambda one: (
            f"{_calls(one)} in chats were answered in at most {SHORT} tokens, without thinking, searches or "
            "further steps, by models of which the same provider has a cheaper one with the same "
            f"abilities. They cost {usd(one.facts.sums['cost_nano'])}."
        ),
        formula="What these calls cost, less what the same tokens cost today with the cheapest model of "
        "the same provider that everybody may use and that takes the same kinds of input.",
        sure="The sums are exact for the same tokens; another model may count them a little differently. "
        "Whether its answers would have been as good, the ledger cannot say: compare both with manage.py "
        "benchmark.",
        advice="Make a cheaper model the one that new conversations begin with, or let a budget fall to it.",
        act="Choose the default model",
        to="usage:models",
        query={},
    ),
    "titles": Words(
        title="Titles from a dear model",
        bound="about",
        measured=lambda one: (
            f"{_calls(one)} that gave conversations their titles went to models of which the same provider "
            f"has a cheaper one. They cost {usd(one.facts.sums['cost_nano'])}."
        ),
        formula="What these calls cost, less what the same tokens cost today with the cheapest model of "
        "the same provider that everybody may use.",
        sure="Good: titles are short and ask for nothing special. Another model may count tokens a little "
        "differently.",
        advice="Titles go by themselves to the provider's cheapest model that is switched on: see that the "
        "cheaper one is and stays so.",
        act="Models that are on",
        to="usage:models",
        query={},
    ),
    "stopped": Words(
        title="Answers stopped late",
        bound="at most",
        measured=lambda one: (
            f"{_calls(one, 'answer')} were stopped by the person after more than {LATE:,} tokens. What was "
            f"written after that came to {tokens(one.facts.sums['late'])} tokens."
        ),
        formula=f"The tokens of each stopped answer beyond the first {LATE:,} × the price of output that it "
        "was charged at.",
        sure="An upper bound: some of these answers were read, or stopped because they were enough. Counts "
        "of stopped answers are estimates, unless the provider counted them later.",
        advice="Ask for shorter answers in the instructions of a conversation, and choose a lower effort "
        "where the model has one.",
        act="Who stops answers of which model",
        to="usage:usage",
        query={"outcome": "stopped", "by": "person", "then": "model"},
        worth="Written late",
    ),
    "cut": Words(
        title="Answers cut at their limit",
        bound="at most",
        measured=lambda one: (
            f"{_calls(one, 'answer')} were as long as they were allowed to be, and so most likely cut: "
            f"{tokens(one.facts.sums['late'])} tokens."
        ),
        formula="The tokens of these answers × the price of output that they were charged at.",
        sure="An upper bound: a cut answer may still have been of use, and one of exactly that length is "
        "complete.",
        advice="Raise the longest answer in the settings of a conversation, or ask for the parts one by one.",
        act="Limits of the models",
        to="usage:models",
        query={},
        worth="Spent on it",
    ),
    "failed": Words(
        title="Failed attempts that were billed",
        bound="about",
        measured=lambda one: (
            f"{_calls(one, 'attempt')} ended with an error or broke off after the provider had begun, and "
            "were charged for what had come. Where the call was made again, the same was paid twice."
        ),
        formula="What the ledger has for these attempts, corrections included.",
        sure="Mostly estimated: of an answer that broke off the provider's own count seldom comes.",
        advice="Look which provider and key the failures belong to, and put another model or key beside it.",
        act="Health of providers",
        to="usage:health",
        query={"period": "week"},
        worth="Charged",
    ),
    SEATS: Words(
        title="Dormant seats",
        bound="",
        measured=lambda one: (
            f"{_calls(one, 'person', 'people')} with an active account called no model for {DAYS} days"
            f"{_budgets(one)}."
            if one.finding.count
            else f"Everybody with an active account called a model within {DAYS} days, or is newer than that."
        ),
        formula=f"Everybody whose account is active and older than {DAYS} days, without any line in the "
        "ledger since.",
        sure="Certain for calls. A person may have read conversations without asking anything.",
        advice="A seat costs nothing here, so there is no amount. Who has left can be anonymised "
        "(manage.py anonymise), and a budget of their own can be switched off.",
        act="Budgets",
        to="usage:budgets",
        query={"scope": "person"},
    ),
}


def roughly(nano: int) -> str:
    """An amount with the precision that it deserves: two digits, "$0.53", "$4.70", "$13", "$1,300"."""
    if nano < CENT:
        return "less than a cent"
    unit = CENT
    while nano // unit >= 100:
        unit *= 10
    rounded = (nano + unit // 2) // unit * unit
    if rounded >= 10 * NANO:
        return f"${rounded // NANO:,}"
    return f"${rounded // NANO}.{rounded % NANO // CENT:02d}"


def _calls(one: Recommendation, noun: str = "call", nouns: str = "") -> str:
    count = one.finding.count
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def _share(part: float | None) -> str:
    if part is None:
        return "Nothing"
    return "Less than 1 %" if part < 0.01 else f"{part * 100:.0f} %"


def _budgets(one: Recommendation) -> str:
    budgets, allowed = one.facts.sums["budgets"], one.facts.sums["allowed"]
    if not budgets:
        return ""
    own = "1 budget is" if budgets == 1 else f"{budgets:,} budgets are"
    month = f" and would allow {roughly(allowed)} a month" if allowed else ""
    return f"; {own} for them alone{month}"
