"""What can go wrong with a call to a model, drawn as one tree.

    ProviderError
    ├── AuthenticationError   the key is refused (401)
    ├── Forbidden             the key may not do this (403)
    ├── BillingError          the account at the provider cannot pay, or its spend limit is reached
    ├── RateLimited           too many requests or tokens (429)
    ├── Overloaded            the provider has no capacity now (529)
    ├── InvalidRequest        the request is wrong (400, 409, 422)
    │   ├── TooLarge          ... too big (413)
    │   ├── ContextExceeded   ... longer than the model can read
    │   ├── Unsupported       ... asks for what this model or vendor cannot do; found before it was sent
    │   └── NotFound          ... names a model or object that is not there (404)
    ├── ServerError           the provider failed (5xx)
    ├── DeadlineExceeded      our deadline passed, or the provider says that its own did (408, 504)
    ├── ConnectionFailed      no connection, or it broke before an answer began
    ├── InterruptedStream     the answer began and ended without its stop event
    ├── Refused               the provider declined to answer (stop reason "refusal"); raised by callers that
    │                         need a whole answer, never by an adapter
    └── ProtocolError         what came is not what the provider's documentation promises

Errors are translated into this tree once, at the adapter's edge. They carry the data for a decision and
decide nothing themselves.
"""

from typing import Any, ClassVar

Json = dict[str, Any]

# Anthropic error codes (documentation, "Errors") that no amount of waiting mends.
SPEND_LIMIT_CODES = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
MESSAGE_LENGTH = 500


class ProviderError(Exception):
    """The base of the tree.

    kind          Anthropic's error type where there is one, else a name of ours; stable, for programs
    retryable     the same call may succeed if it is made again, and nobody has seen any content of this one
    retry_after   seconds that the provider asked to wait, None when it did not say
    safe_message  text without secrets, fit to be shown and stored
    status        HTTP status of the provider's answer, None when there was none
    request_id    the provider's id of the call, for its support
    sent          True when the call may have been billed; False when it certainly was not: it never left
                  here, or the provider turned it down
    """

    kind: ClassVar[str] = "api_error"
    retries: ClassVar[bool] = False
    says: ClassVar[str] = "The call to the model failed."

    def __init__(
        self,
        safe_message: str = "",
        *,
        kind: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
        sent: bool = True,
    ) -> None:
        self.safe_message = safe_message or self.says
        self.kind = kind or type(self).kind  # type: ignore[misc]
        self.retryable = self.retries if retryable is None else retryable
        self.retry_after = retry_after
        self.status = status
        self.request_id = request_id
        self.sent = sent
        super().__init__(f"{self.kind}: {self.safe_message}")

    def to_json(self) -> Json:
        """The error as stored with a message and shown to people."""
        return {
            "type": self.kind,
            "message": self.safe_message,
            "retryable": self.retryable,
            "request_id": self.request_id,
            "status": self.status,
        }


class AuthenticationError(ProviderError):
    kind = "authentication_error"
    says = "The provider refused the key."


class Forbidden(ProviderError):
    kind = "permission_error"
    says = "The key may not use this model or feature."


class BillingError(ProviderError):
    kind = "billing_error"
    says = "The account at the provider cannot pay for this call."


class RateLimited(ProviderError):
    kind = "rate_limit_error"
    retries = True
    says = "The provider's rate limit is reached."


class Overloaded(ProviderError):
    kind = "overloaded_error"
    retries = True
    says = "The provider is overloaded."


class InvalidRequest(ProviderError):
    """`thinking_unbound`: the vendor does not take back the thinking that the request holds, for it belongs
    to another conversation, account or model; without it the request may be good.
    """

    kind = "invalid_request_error"
    says = "The provider refused the request."
    thinking_unbound = False


class TooLarge(InvalidRequest):
    kind = "request_too_large"
    says = "The request is too large for the provider."


class ContextExceeded(InvalidRequest):
    says = "The conversation is longer than the model can read."


class Unsupported(InvalidRequest):
    kind = "unsupported"
    says = "This model cannot do what the request asks."


class NotFound(InvalidRequest):
    kind = "not_found_error"
    says = "The provider does not know this model or address."


class ServerError(ProviderError):
    kind = "api_error"
    retries = True
    says = "The provider failed to answer."


class DeadlineExceeded(ProviderError):
    kind = "timeout_error"
    retries = True
    says = "The provider did not answer in time."


class ConnectionFailed(ProviderError):
    kind = "connection_error"
    retries = True
    says = "The provider could not be reached."


class InterruptedStream(ProviderError):
    """The answer broke off. `partial` is the message so far where the raiser has folded it."""

    kind = "interrupted_stream"
    retries = True
    says = "The answer broke off before its end."

    def __init__(self, safe_message: str = "", *, partial: Json | None = None, **facts: Any) -> None:
        super().__init__(safe_message, **facts)
        self.partial = partial


class Refused(ProviderError):
    kind = "refusal"
    says = "The provider declined to answer."


class ProtocolError(ProviderError):
    kind = "protocol_error"
    says = "The provider's answer could not be read."


_BY_TYPE: dict[str, type[ProviderError]] = {
    cls.kind: cls
    for cls in (
        AuthenticationError,
        Forbidden,
        BillingError,
        RateLimited,
        Overloaded,
        InvalidRequest,
        TooLarge,
        NotFound,
        ServerError,
        DeadlineExceeded,
    )
}


def from_error_object(error: Json, **facts: Any) -> ProviderError:
    """The typed error for Anthropic's error object `{"type", "message", "details"?}`, by type and code.

    `facts` are keyword arguments of ProviderError and win. An unknown type becomes a ServerError that keeps
    its name and is not retried. The message is shortened; masking secrets in it is left to the caller.
    """
    kind = error.get("type")
    message = error.get("message")
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    text = message[:MESSAGE_LENGTH] if isinstance(message, str) else ""
    if code in SPEND_LIMIT_CODES:
        return BillingError(text, **{**facts, "retryable": False})
    known = _BY_TYPE.get(kind) if isinstance(kind, str) else None
    if known is not None:
        return known(text, **facts)
    name = kind[:64] if isinstance(kind, str) and kind.isprintable() else None
    return ServerError(text, kind=name, **{"retryable": False, **facts})
