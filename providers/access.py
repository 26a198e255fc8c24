"""How a call proves who it is: the provider's address, the secret that goes with it, and what they open."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, NoReturn
from urllib.parse import quote

from providers.catalogue import Api, Capability, Effort, Thinking

MASK = "***"

AccessKind = Literal["api_key", "oauth", "device", "client", "none"]


class Secret:
    """A key or token that is shown nowhere by accident.

    It prints as ``***``, compares in constant time, cannot be pickled, hashed or turned into JSON. Only
    ``reveal()`` gives the text; its callers are the few places that put it on the wire or seal it.
    """

    __slots__ = ("__value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        """Raises ValueError when there is nothing to keep secret."""
        if not value:
            raise ValueError("A secret must not be empty.")
        self.__value = value

    def reveal(self) -> str:
        return self.__value

    def masked_in(self, text: str) -> str:
        """`text` with every appearance of this secret, plain or as part of a URL, replaced by ``***``."""
        for form in {self.__value, quote(self.__value, safe="")}:
            text = text.replace(form, MASK)
        return text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.__value), _bytes(other.__value))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret cannot be pickled.")


@dataclass(frozen=True, slots=True)
class Access:
    """One way to reach a provider: where, with which secret, sent in which manner.

    `kind` says what the secret is: ``api_key``, sent as the vendor wants it; ``oauth``, an access token that
    is good now (Bearer); ``device``, a grant of a device flow, from which the adapter makes what it sends;
    ``client``, the secret of a client that gets its own tokens; ``none``, no credential at all, for the demo
    provider. `vendor_account` is the provider's own id of the organisation behind the secret, empty when it
    is not known. `options` is what else the adapter needs and is no secret (registry.Provider.fields).
    """

    base_url: str
    secret: Secret | None
    kind: AccessKind
    vendor_account: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """What an access opens: the vendor's id of the organisation ("" when unsaid) and its models' ids."""

    vendor_account: str
    models: list[str]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model as the vendor lists it. What is None, the vendor does not say. Sizes are in tokens."""

    id: str
    display_name: str
    context: int | None = None
    max_output: int | None = None
    capabilities: frozenset[Capability] | None = None
    efforts: tuple[Effort, ...] | None = None
    api: Api | None = None
    deprecated_on: date | None = None
    retires_on: date | None = None
    thinking: Thinking | None = None  # its kinds; the rest of it is the catalogue's to know


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
