"""The input of OpenAI's Responses API: which items it takes, and what they are in Anthropic's words.

Source: OpenAI's API reference, "Create a response", `input`.
"""

from collections.abc import Mapping
from typing import Any, Final

from providers.simulator.call import any_text
from providers.simulator.openai_rules import check_list, must
from providers.simulator.reasoning import opens
from providers.simulator.replies import Refusal
from providers.types import Json

PARTS: Final[Mapping[str, frozenset[str]]] = {
    "user": frozenset({"input_text", "input_image", "input_file", "input_audio"}),
    "system": frozenset({"input_text", "input_image", "input_file"}),
    "developer": frozenset({"input_text", "input_image", "input_file"}),
    "assistant": frozenset({"output_text", "refusal"}),
}
OUTPUT_PARTS: Final = frozenset({"input_text", "input_image", "input_file"})
PHASES: Final = (None, "commentary", "final_answer")


class Items:
    """Reads the input; afterwards `system` holds its system texts and `images` whether it has any."""

    def __init__(self, organization: str) -> None:
        self.system: list[str] = []
        self.images = False
        self._organization = organization
        self._turned: list[Json] = []
        self._open: set[str] = set()

    def messages(self, given: Any) -> list[Json]:
        """The input in Anthropic's words. Raises Refusal."""
        if isinstance(given, str):
            must(given != "", "Missing required parameter: 'input'.", "input")
            return [{"role": "user", "content": [{"type": "text", "text": given}]}]
        items = check_list(given, "input")
        must(bool(items), "Missing required parameter: 'input'.", "input", "missing_required_parameter")
        for index, item in enumerate(items):
            must(
                isinstance(item, dict),
                f"Invalid type for 'input[{index}]'.",
                f"input[{index}]",
                "invalid_type",
            )
            self._item(item, f"input[{index}]")
        if self._open:
            raise Refusal(
                400, f"No tool output found for function call {sorted(self._open)[0]}.", param="input"
            )
        return self._turned

    def _item(self, item: Json, where: str) -> None:
        match item.get("type", "message"):
            case "message":
                self._message(item, where)
            case "function_call":
                for name in ("call_id", "name", "arguments"):
                    must(
                        isinstance(item.get(name), str),
                        f"Missing required parameter: '{where}.{name}'.",
                        f"{where}.{name}",
                        "missing_required_parameter",
                    )
                must(
                    str(item.get("id", "fc_")).startswith("fc"),
                    f"Invalid '{where}.id': '{item.get('id')}'. Expected an ID that begins with 'fc'.",
                    f"{where}.id",
                    "invalid_value",
                )
                self._open.add(item["call_id"])
                self._say(
                    "assistant",
                    {
                        "type": "tool_use",
                        "id": item["call_id"],
                        "name": item["name"],
                        "input": item["arguments"],
                    },
                )
            case "function_call_output":
                self._output(item, where)
            case "reasoning":
                self._reasoning(item, where)
            case "item_reference":
                raise Refusal(404, f"Item with id '{item.get('id')}' not found.", param="input")
            case str() as kind:
                must(
                    kind.endswith(("_call", "_call_output", "compaction")),
                    f"Invalid value: '{kind}'.",
                    f"{where}.type",
                    "invalid_value",
                )
                self._say("assistant", {"type": kind})
            case _:
                raise Refusal(400, f"Invalid type for '{where}.type'.", param=f"{where}.type")

    def _message(self, item: Json, where: str) -> None:
        role, content = item.get("role"), item.get("content")
        must(
            role in PARTS,
            f"Invalid value: '{role}'. Supported values are: {', '.join(PARTS)}.",
            f"{where}.role",
            "invalid_value",
        )
        must(
            item.get("phase") in PHASES,
            f"Invalid value: '{item.get('phase')}'.",
            f"{where}.phase",
            "invalid_value",
        )
        parts = (
            [{"type": "output_text" if role == "assistant" else "input_text", "text": content}]
            if isinstance(content, str)
            else content
        )
        must(
            isinstance(parts, list),
            f"Invalid type for '{where}.content'.",
            f"{where}.content",
            "invalid_type",
        )
        for index, part in enumerate(parts or ()):
            block = self._part(part, PARTS[str(role)], f"{where}.content[{index}]")
            if role in ("system", "developer"):
                self.system.append(str(block.get("text", "")))
            else:
                self._say(str(role), block)

    def _part(self, part: Any, allowed: frozenset[str], where: str) -> Json:
        kind = part.get("type") if isinstance(part, dict) else None
        must(
            kind in allowed,
            f"Invalid value: '{kind}'. Supported values are: {', '.join(sorted(allowed))}.",
            f"{where}.type",
            "invalid_value",
        )
        if kind in ("input_text", "output_text", "refusal"):
            text = part.get("refusal" if kind == "refusal" else "text")
            must(
                isinstance(text, str),
                f"Missing required parameter: '{where}.text'.",
                where,
                "missing_required_parameter",
            )
            return {"type": "text", "text": text}
        if kind == "input_image":
            self.images = True
            must(
                part.get("file_id") is not None
                or any_text(part.get("image_url") or "").startswith(("https://", "http://", "data:image/")),
                f"Invalid '{where}.image_url': expected a URL or a data URL of an image.",
                f"{where}.image_url",
                "invalid_value",
            )
            return {"type": "image", "source": part.get("image_url")}
        return {
            "type": "document",
            "source": part.get("file_data") or part.get("file_url") or part.get("file_id"),
        }

    def _output(self, item: Json, where: str) -> None:
        call_id, output = item.get("call_id"), item.get("output")
        must(
            call_id in self._open,
            f"No tool call found for function call output with call_id {call_id}.",
            "input",
        )
        self._open.discard(str(call_id))
        must(
            isinstance(output, str | list),
            f"Missing required parameter: '{where}.output'.",
            f"{where}.output",
            "missing_required_parameter",
        )
        content: Any = output
        if isinstance(output, list):
            content = [
                self._part(part, OUTPUT_PARTS, f"{where}.output[{index}]")
                for index, part in enumerate(output)
            ]
        self._say("user", {"type": "tool_result", "tool_use_id": call_id, "content": content})

    def _reasoning(self, item: Json, where: str) -> None:
        must(
            isinstance(item.get("summary"), list),
            f"Missing required parameter: '{where}.summary'.",
            f"{where}.summary",
            "missing_required_parameter",
        )
        sealed = item.get("encrypted_content")
        if sealed is None:
            raise Refusal(
                404,
                f"Item with id '{item.get('id')}' not found. "
                "Items are not persisted when `store` is set to false.",
                param="input",
            )
        must(
            isinstance(sealed, str) and opens(sealed, self._organization),
            "The encrypted content could not be verified: another organization's, or changed.",
            f"{where}.encrypted_content",
            "invalid_encrypted_content",
        )
        self._say("assistant", {"type": "thinking", "thinking": ""})

    def _say(self, role: str, block: Json) -> None:
        if self._turned and self._turned[-1]["role"] == role:
            self._turned[-1]["content"].append(block)
        else:
            self._turned.append({"role": role, "content": [block]})
