"""What a vendor's part of the simulator offers: its routes, its keys, its errors, its headers."""

from abc import ABC, abstractmethod
from typing import ClassVar

from providers.simulator.call import Call
from providers.simulator.messages import Streamed
from providers.simulator.replies import Headers, Refusal, Reply


class Door(ABC):
    """One vendor. Holds nothing of a call."""

    request_ids: ClassVar[str] = "req"
    """What the vendor's ids of requests begin with."""

    @abstractmethod
    def opens(self, call: Call) -> bool:
        """Whether a request is this vendor's to answer."""

    @abstractmethod
    def organization(self, call: Call) -> str:
        """Whose key it is that the caller sent. Raises Refusal."""

    @abstractmethod
    def answer(self, call: Call, organization: str) -> Reply | Streamed:
        """Raises Refusal."""

    @abstractmethod
    def refused(self, refusal: Refusal, call: Call) -> Reply:
        """The refusal in the vendor's shape."""

    @abstractmethod
    def headers(self, call: Call, organization: str) -> Headers:
        """What every answer carries, refusals included."""
