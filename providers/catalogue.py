"""What is known of the models: limits, abilities and dated prices, read once from catalogue.json.

Nothing here is asked of a provider; adding a model touches no code. A model is named by its ref,
"provider/id". The file, one model to a line, says what the facts are based on, price by price.
"""

import functools
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

# The vendor's wire: Anthropic's Messages; OpenAI's Chat Completions, or Responses; Salesforce's generations,
# which neither stream nor take anything but text.
Api = Literal["messages", "chat", "responses", "generations"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
ThinkingKind = Literal["adaptive", "enabled", "disabled", "between_tools"]
Display = Literal["summarized", "omitted"]
Status = Literal["preview", "active", "legacy", "deprecated", "retired"]
# What a model can do, beyond text:
Capability = Literal[
    "tools",
    "vision",
    "pdf",
    "caching",
    "structured_output",  # an answer that fits a JSON schema
    "stop_sequences",
    "parallel_tools",  # several tool calls in one step, and a switch against it
    "citations",  # of documents and search results that the request holds
    "web_search",  # run by the vendor, and so the next two
    "web_fetch",
    "code_execution",
    "fast",  # the request's `speed: "fast"`, at the fast rates of its price
    "prefill",  # an assistant message at the end of the request is continued
    "forced_tools",  # tool_choice any or tool, while the model does not think
    "forced_tools_with_thinking",  # and while it does
    "mid_system",  # role "system" inside messages
    "bound_thinking",  # thinking sent back is valid only after the same system, tools and messages
    "account_bound_thinking",  # and only for the vendor account that it came from
]

FILE = Path(__file__).with_name("catalogue.json")


class CatalogueError(Exception):
    """catalogue.json cannot be used; the text names the place in it and the reason."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pico-dollars per token: $1 per million tokens is 1,000,000."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int

    def __post_init__(self) -> None:
        if min(self.input, self.output, self.cache_read, self.cache_write_5m, self.cache_write_1h) < 0:
            raise ValueError("a rate is negative")


class LongContext(Rates, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rates of a whole request whose prompt, cached parts too, is strictly above `threshold` tokens."""

    threshold: int


class Price(Rates, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rates from a day (UTC) on, until the next price of the model.

    `web_search_per_1000_nano` is nano-dollars for a thousand searches. `batch_percent` and `geo_us_percent`
    (for `inference_geo: "us"`) multiply every token rate; None where the vendor does not offer it. `source`
    says where the numbers are from.
    """

    valid_from: date
    long_context: LongContext | None = None
    fast: Rates | None = None
    web_search_per_1000_nano: int | None = None
    batch_percent: int | None = None
    geo_us_percent: int | None = None
    source: str


class Thinking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model may be asked to think.

    `kinds` are the accepted values of the request's `thinking.type`, none when it cannot think. `default_on`:
    it thinks when the request does not say. `limited_kinds` are accepted up to effort "high" only.
    `default_display` is what the vendor sends of it unless the request names one of `displays`.
    """

    kinds: tuple[ThinkingKind, ...] = ()
    default_on: bool = False
    limited_kinds: tuple[ThinkingKind, ...] = ()
    displays: tuple[Display, ...] = ()
    default_display: Display | None = None

    def __post_init__(self) -> None:
        if not set(self.limited_kinds) <= set(self.kinds):
            raise ValueError("limited_kinds names a kind that kinds does not")
        if self.default_display is not None and self.default_display not in self.displays:
            raise ValueError("default_display is none of displays")


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model. `aliases` are further ids of the same model, dated ones above all; answers may name either.

    `restricted`: only for accounts that the vendor has verified, so it is not offered to everybody. `demo`:
    it runs in this installation and costs nothing. `proposed`: what a new conversation begins with.
    `sampling`: temperature and the like are honoured. `efforts` is empty where effort cannot be chosen;
    `default_effort` is what a request without a choice gets.
    `context`, `max_input` (None: whatever the answer leaves of the context) and `max_output` are tokens;
    `min_cache_tokens` is the shortest prompt that is cached, None where unknown. `knowledge` is the month up
    to which it has learned ("2026-06"), "" where unknown. `prices` is empty where no price is known.
    """

    provider: str
    id: str
    api: Api = "messages"
    aliases: tuple[str, ...] = ()
    name: str
    display_name: str
    description: str
    context: int
    max_input: int | None = None
    max_output: int
    status: Status
    released_on: date | None = None
    deprecated_on: date | None = None
    retires_on: date | None = None
    knowledge: str = ""
    restricted: bool = False
    demo: bool = False
    proposed: bool = False
    capabilities: frozenset[Capability] = frozenset()
    thinking: Thinking = Thinking()
    efforts: tuple[Effort, ...] = ()
    default_effort: Effort | None = None
    sampling: bool = False
    min_cache_tokens: int | None = None
    prices: tuple[Price, ...] = ()

    def __post_init__(self) -> None:
        if not self.provider or "/" in self.provider or not self.id:
            raise ValueError("provider or id is missing")
        if not 0 < self.max_output <= self.context:
            raise ValueError("max_output must be above 0 and at most context")
        if self.max_input is not None and not 0 < self.max_input <= self.context:
            raise ValueError("max_input must be above 0 and at most context")
        days = [price.valid_from for price in self.prices]
        if days != sorted(set(days)):
            raise ValueError("each of prices must be valid from a later day than the one before")
        if (self.default_effort is not None) != bool(self.efforts) or not {self.default_effort} - {
            None
        } <= set(self.efforts):
            raise ValueError("default_effort must be one of efforts")

    @property
    def ref(self) -> str:
        return f"{self.provider}/{self.id}"

    def price_on(self, day: date) -> Price | None:
        """The price of a call on that day (UTC); None before the first, and where none is known."""
        return next((price for price in reversed(self.prices) if price.valid_from <= day), None)

    def is_retired(self, day: date) -> bool:
        """Calls fail from the day of retirement on."""
        return self.status == "retired" or (self.retires_on is not None and self.retires_on <= day)


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All models, in the order in which people should see them. `as_of` is the day of the facts."""

    as_of: date
    models: tuple[ModelSpec, ...]

    def __post_init__(self) -> None:
        names = Counter(name for model in self.models for name in _refs(model))
        if twice := sorted(name for name, times in names.items() if times > 1):
            raise ValueError(f"a model is there twice: {', '.join(twice)}")


def spec(ref: str) -> ModelSpec | None:
    """The model with this ref, by its id or one of its aliases; None when it is not known."""
    return _by_ref().get(ref)


def specs(provider: str | None = None) -> list[ModelSpec]:
    """All models, or those of one provider, in the order of the file."""
    return [model for model in catalogue().models if provider in (None, model.provider)]


def cheapest(provider: str) -> ModelSpec:
    """The model of a provider whose input and output cost least by now, for small jobs such as titles.

    Restricted, deprecated and retired models are left out, previews and those without a price too. Raises
    LookupError when the provider has no other.
    """
    offered = [
        model
        for model in specs(provider)
        if model.status in ("active", "legacy") and model.prices and not model.restricted
    ]
    if not offered:
        raise LookupError(f"the catalogue has no model of {provider!r}")
    return min(offered, key=lambda model: model.prices[-1].input + model.prices[-1].output)


@functools.cache
def catalogue() -> Catalogue:
    """The catalogue of this installation. Raises CatalogueError."""
    return load(FILE.read_bytes())


def load(text: bytes) -> Catalogue:
    """Reads and checks a catalogue. Raises CatalogueError."""
    try:
        return msgspec.json.decode(text, type=Catalogue)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"catalogue.json cannot be used: {error}") from None


@functools.cache
def _by_ref() -> dict[str, ModelSpec]:
    return {name: model for model in catalogue().models for name in _refs(model)}


def _refs(model: ModelSpec) -> list[str]:
    return [f"{model.provider}/{name}" for name in (model.id, *model.aliases)]
