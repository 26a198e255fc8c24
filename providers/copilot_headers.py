"""What is told to Copilot of a call beside the call: who asks, on whose behalf, and for what.

The names are those of microsoft/vscode-copilot-chat. Who this program is, is for the operator and GitHub to
agree; without their word nothing is said of it.
"""

import uuid
from typing import Any

from providers.access import Access
from providers.errors import InvalidRequest
from providers.types import MessageRequest

API_VERSION = "2025-05-01"

# Operator options and the headers that they are sent in.
_IDENTITY = {
    "integration_id": "copilot-integration-id",
    "editor_version": "editor-version",
    "plugin_version": "editor-plugin-version",
}


def identity(access: Access) -> dict[str, str]:
    """Who this program is, as the operator and GitHub have agreed. Raises InvalidRequest."""
    found = {header: value for name, header in _IDENTITY.items() if (value := access.options.get(name))}
    if not all(value.isascii() and value.isprintable() for value in found.values()):
        raise InvalidRequest("An option of Copilot holds characters that cannot be sent.", sent=False)
    return found


def headers(access: Access, request: MessageRequest | None) -> dict[str, str]:
    """All headers of a call but its token; without a request those of a look at the list of models."""
    found = {
        **identity(access),
        "x-github-api-version": API_VERSION,
        "x-request-id": str(uuid.uuid4()),
    }
    if request is None:
        return found
    agent = _goes_on(request)
    intent = "conversation-agent" if agent or request.tools else "conversation-panel"
    found |= {
        "openai-intent": intent,
        "x-interaction-type": intent,
        # Whether a person asked, or a tool's result goes back: a person's request counts against the quota.
        "x-initiator": "agent" if agent else "user",
    }
    if _has_images(request.messages):
        found["copilot-vision-request"] = "true"
    return found


def _goes_on(request: MessageRequest) -> bool:
    """Whether the request continues an answer with the results of its tools, or where it paused."""
    last = next((message for message in reversed(request.messages) if message.get("role") != "system"), {})
    if last.get("role") == "assistant":
        return True
    content = last.get("content")
    kinds = [block.get("type") for block in content] if isinstance(content, list) else []
    return "tool_result" in kinds and "text" not in kinds


def _has_images(content: Any) -> bool:
    """Whether there is an image anywhere in these messages, within tool results too."""
    blocks = content if isinstance(content, list) else []
    return any(block.get("type") == "image" or _has_images(block.get("content")) for block in blocks)
