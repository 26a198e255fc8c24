"""How a call proves who it is: the provider's address, the secret that goes with it, and what they open."""

import hmac
from dataclasses import dataclass
from typing import Any, Literal, NoReturn
from urllib.parse import quote

MASK = "***"


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

    `kind` decides the header: ``api_key`` (x-api-key), ``oauth`` (Bearer), ``none`` (no credential at all,
    for the demo provider). `vendor_account` is the provider's own id of the organisation behind the secret,
    empty when it is not known.
    """

    base_url: str
    secret: Secret | None
    kind: Literal["api_key", "oauth", "none"]
    vendor_account: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """What an access opens: the vendor's id of the organisation ("" when unsaid) and its models' ids."""

    vendor_account: str
    models: list[str]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model as the vendor lists it."""

    id: str
    display_name: str


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
