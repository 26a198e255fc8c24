"""One adapter of each class. mypy checks here that they keep the registry's protocol; a test runs it."""

from providers.anthropic import AnthropicAdapter
from providers.azure import AzureAdapter
from providers.copilot import CopilotAdapter
from providers.openai import OpenAIAdapter
from providers.registry import Adapter
from providers.salesforce import SalesforceAdapter

ADAPTERS: dict[str, Adapter] = {
    "anthropic": AnthropicAdapter(),
    "openai": OpenAIAdapter(),
    "azure": AzureAdapter(),
    "copilot": CopilotAdapter(),
    "salesforce": SalesforceAdapter(),
    "demo": AnthropicAdapter(),
}
