"""What can be allowed and refused beside models. The list is closed: what is new is refused until it has a
name here (OTHER).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Feature(StrEnum):
    THINKING = "thinking"
    WEB_SEARCH = "web_search"
    WEB_FETCH = "web_fetch"
    CODE_EXECUTION = "code_execution"
    LONG_CONTEXT = "long_context"
    FILES = "files"
    SHARING = "sharing"
    TOOLS = "tools"
    FAST = "fast"
    REGION = "region"
    BETAS = "betas"
    SERVICE_TIER = "service_tier"
    FALLBACKS = "fallbacks"
    MCP_SERVERS = "mcp_servers"
    CONTAINERS = "containers"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class About:
    """A feature in words: its `name` as it stands in a sentence, and what it means.

    `has_door`: in this version somebody can ask for it, so that it is offered to who decides. `granted`: it
    is refused until the organisation's rule grants it.
    """

    name: str
    means: str
    has_door: bool = False
    granted: bool = False

    @property
    def label(self) -> str:
        return self.name[:1].upper() + self.name[1:]


ABOUT: Mapping[Feature, About] = {
    Feature.THINKING: About(
        "thinking",
        "A model reasons before it answers, or makes more effort than usual, at the price of output tokens. "
        "Models that cannot be kept from thinking go with it.",
        has_door=True,
    ),
    Feature.WEB_SEARCH: About(
        "web search", "The provider searches the web for the model; each search has its price.", has_door=True
    ),
    Feature.WEB_FETCH: About("opening web pages", "The provider opens addresses for the model."),
    Feature.CODE_EXECUTION: About(
        "running code", "The model runs code in a container of the provider’s.", has_door=True
    ),
    Feature.LONG_CONTEXT: About(
        "long context",
        "Prompts above the size from which a model’s provider charges its higher rates.",
        has_door=True,
    ),
    Feature.FILES: About("files", "Images and documents in a message."),
    Feature.SHARING: About("sharing", "Links by which others read a conversation."),
    Feature.TOOLS: About("tools", "Tools that Parley or a program of one’s own runs for the model."),
    Feature.FAST: About("fast speed", "The provider answers faster, at a higher price."),
    Feature.REGION: About("a choice of region", "The provider answers from a named part of the world."),
    Feature.BETAS: About("beta flags", "What a provider offers before it is finished."),
    Feature.SERVICE_TIER: About(
        "another service tier", "Capacity that a provider sells apart.", granted=True
    ),
    Feature.FALLBACKS: About(
        "fallback models of the provider’s", "The provider asks another model by itself.", granted=True
    ),
    Feature.MCP_SERVERS: About(
        "tool servers that the provider calls", "The provider reaches addresses of others.", granted=True
    ),
    Feature.CONTAINERS: About(
        "a container of the provider’s", "What an earlier call left there is used.", granted=True
    ),
    Feature.OTHER: About(
        "what Parley does not know", "Tools of a provider’s that have no name here yet.", granted=True
    ),
}
OFFERED = tuple(feature for feature, about in ABOUT.items() if about.has_door)
