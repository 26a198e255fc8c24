"""Reasoning of other vendors than Anthropic, carried in the `signature` of a thinking block.

What a vendor wants back unchanged (encrypted reasoning, opaque strings) is put into an envelope that says
whose it is. The envelope is opened only for the same provider and account; for anybody else the block has no
content. It is no secret and proves nothing: what is in it goes back to its own vendor alone.
"""

import base64
import binascii
import json
from dataclasses import dataclass

from providers.types import Block, Json

PREFIX = "parley1."


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an answer comes from: the provider, the account there, the model as the vendor names it.

    `also` is another name of the same account, from before its own was known.
    """

    provider: str
    account: str = ""
    also: str = ""
    model: str = ""

    def seal(self, item: Json) -> str:
        return seal(self.provider, self.account, self.model, item)

    def open(self, signature: object) -> Json | None:
        item = open_envelope(signature, self.provider, self.account)
        if item is None and self.also:
            item = open_envelope(signature, self.provider, self.also)
        return item

    def marked(self, block: Block) -> Block:
        """An opaque block that says where it comes from, and may go back to."""
        return {**block, "origin": {"provider": self.provider, "account": self.account}}

    def unmarked(self, block: Block) -> Block | None:
        """The opaque block as its vendor sent it; None when it is from elsewhere."""
        origin = block.get("origin")
        if not isinstance(origin, dict) or origin.get("provider") != self.provider:
            return None
        if origin.get("account") != self.account and (not self.also or origin.get("account") != self.also):
            return None
        return {name: value for name, value in block.items() if name != "origin"}


def seal(provider: str, account: str, model: str, item: Json) -> str:
    """The item as a signature."""
    envelope = {"provider": provider, "account": account, "model": model, "item": item}
    text = json.dumps(envelope, separators=(",", ":"))
    return PREFIX + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def open_envelope(signature: object, provider: str, account: str) -> Json | None:
    """The item that was sealed for this provider and account; None for anything else. Never raises."""
    if not isinstance(signature, str) or not signature.startswith(PREFIX):
        return None
    text = signature[len(PREFIX) :]
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        envelope = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(envelope, dict):
        return None
    if (envelope.get("provider"), envelope.get("account")) != (provider, account):
        return None
    item = envelope.get("item")
    return item if isinstance(item, dict) else None
