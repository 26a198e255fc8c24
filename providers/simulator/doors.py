"""The vendors' parts of a simulator, and where each is found."""

from typing import Final

from providers.simulator.anthropic_door import AnthropicDoor
from providers.simulator.azure_door import AzureDoor
from providers.simulator.copilot_door import CopilotDoor
from providers.simulator.door import Door
from providers.simulator.grants import GrantDoor, Grants
from providers.simulator.keys import Keys
from providers.simulator.messages import Messages
from providers.simulator.models import Models
from providers.simulator.openai_door import OpenAIDoor
from providers.simulator.reports_door import Reports, ReportsDoor
from providers.simulator.salesforce_door import SalesforceDoor

BASE_URLS: Final = (
    ("Anthropic", ""),
    ("OpenAI", "/openai/v1"),
    ("Azure OpenAI, and Entra ID", ""),
    ("GitHub, and Copilot", ""),
    ("Salesforce", ""),
)
"""What each vendor's client takes as its address: the simulator's own and this."""


def doors(keys: Keys, models: Models, messages: Messages, grants: Grants, reports: Reports) -> list[Door]:
    """In the order in which they are asked; the last one opens to everything."""
    anthropic = AnthropicDoor(keys, models, messages)
    return [
        GrantDoor(keys, grants),
        ReportsDoor(keys, reports),
        CopilotDoor(keys, models, messages, grants, anthropic),
        AzureDoor(keys, models, messages, grants),
        OpenAIDoor(keys, models, messages),
        SalesforceDoor(models, messages, grants),
        anthropic,
    ]
