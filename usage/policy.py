"""May this person make this call: one function, asked by every door before money is held."""

from __future__ import annotations

from uuid import UUID

from accounts.models import User
from providers.types import MessageRequest

from . import rows
from .errors import CallRefused

# Fields that change the price, the model or the reach of a call. Nothing in this version grants them.
PRIVILEGED = {
    "container": "a container of the provider's",
    "fallbacks": "fallback models of the provider's",
    "mcp_servers": "tool servers that the provider calls",
    "service_tier": "another service tier",
}


def may_use(user_id: UUID, model: str, request: MessageRequest) -> None:
    """Raises CallRefused ("not_allowed") unless this person is active and the request asks for nothing
    privileged.
    """
    table = rows.quoted(User._meta.db_table)
    person = rows.prepared(User, "id", user_id)
    if not rows.one(f"SELECT is_active FROM {table} WHERE id = %s", person):  # noqa: S608
        raise CallRefused("not_allowed", "This account is not active. Ask an admin to activate it.")
    asked = [what for name, what in PRIVILEGED.items() if request.extra.get(name) is not None]
    if _runs_code(request) and PRIVILEGED["container"] in asked:
        asked.remove(PRIVILEGED["container"])  # the one in which the code of this conversation ran before
    if asked:
        raise CallRefused(
            "not_allowed", f"This call asks for {' and '.join(asked)}, which nobody here may use."
        )


def _runs_code(request: MessageRequest) -> bool:
    return any(str(tool.get("type", "")).startswith("code_execution") for tool in request.tools or ())
