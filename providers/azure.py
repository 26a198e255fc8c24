"""Azure OpenAI: OpenAI's wire at an address of one's own, by a deployment's name.

Two styles: v1, and the older one with a date as `api-version`, whose Chat Completions name the deployment in
the address. Facts are from Microsoft's documentation: "Azure OpenAI in Microsoft Foundry Models v1 API",
"Azure OpenAI REST API reference", "Content filtering", "Role-based access control", and "OAuth 2.0 client
credentials flow on the Microsoft identity platform".
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, urlencode

from providers import minting, tokens
from providers.access import Access, ListedModel, Secret
from providers.catalogue import ModelSpec
from providers.errors import AuthenticationError, Forbidden, InvalidRequest, NotFound, ProviderError
from providers.openai import QUIET_SECONDS, OpenAIAdapter
from providers.openai_address import PATHS, Address, Place, bearer
from providers.openai_dialect import Dialect, Wire
from providers.openai_errors import error_object
from providers.tokens import Token, Tokens
from providers.transport import Timeouts, Transport, transport
from providers.types import Json, MessageRequest

VENDOR = "Microsoft Entra"
AUTHORITY = "https://login.microsoftonline.com"
SCOPE_V1 = "https://ai.azure.com/.default"
SCOPE_DATED = "https://cognitiveservices.azure.com/.default"

# Fields of OpenAI's own that a dated version may not know yet, and then refuses.
_NEWER_FIELDS = ("prompt_cache_key", "prompt_cache_options", "safety_identifier", "service_tier")

_UNKNOWN_DEPLOYMENT = (
    "Azure does not know this deployment. The model's name must be that of a deployment in this resource; one"
    " that was just made takes some minutes."
)
_UNKNOWN_ADDRESS = (
    "Azure knows nothing at this address. Look at the resource's endpoint, and at the API version: it is left"
    " empty for the v1 API."
)
_NO_ROLE = (
    "The client may not use this Azure resource. It needs the role Cognitive Services OpenAI User on it; a"
    " new role takes some minutes."
)


class AzureAdapter(OpenAIAdapter):
    """Calls one resource: the access's address is its endpoint.

    Access kinds: ``api_key``, the resource's key; ``client``, the secret of an app in Entra (options `tenant`
    and `client_id`); ``oauth``, a token of Entra's. Option `api_version`: empty or "v1", else a date.
    """

    slug = "azure"

    def __init__(
        self,
        *,
        timeouts: Timeouts | None = None,
        quiet: float = QUIET_SECONDS,
        through: Callable[[], Transport] = transport,
        cache: Tokens | None = None,
    ) -> None:
        super().__init__(timeouts=timeouts, quiet=quiet, through=through)
        self._tokens = cache or Tokens()

    async def address(
        self,
        access: Access,
        place: Place,
        *,
        request: MessageRequest | None = None,
        spec: ModelSpec | None = None,
    ) -> Address:
        """Where a call goes and with which credential. Raises ProviderError, also of the token's exchange."""
        url = _url(access, place, request)
        secret = minting.secret_of(access)
        match access.kind:
            case "client":
                token = await self._token(access, secret)
                return Address(url, bearer(token.secret), (token.secret, secret))
            case "oauth":
                return Address(url, bearer(secret), (secret,))
            case _:
                return Address(url, {"api-key": secret.reveal()}, (secret,))

    def dialect(self, access: Access, spec: ModelSpec | None) -> Dialect:
        # Reasoning is sealed for the resource, whatever the key.
        account = access.vendor_account or minting.host_of(access.base_url)
        return replace(
            super().dialect(access, spec),
            provider=self.slug,
            account=account,
            official=True,
            system_role="developer",
            max_tokens_field="max_completion_tokens",
        )

    def adjusted(
        self, body: Json, wire: Wire, request: MessageRequest, access: Access, spec: ModelSpec | None
    ) -> Json:
        if not _version(access):
            return body
        for name in _NEWER_FIELDS:
            body.pop(name, None)
        if wire == "chat":
            body.pop("store", None)  # nothing is stored unless it is asked for
        options = body.get("stream_options")
        if isinstance(options, dict):
            options.pop("include_obfuscation", None)
            if not options:
                del body["stream_options"]
        return body

    async def renewed(self, failure: ProviderError, access: Access) -> bool:
        """A token may have been revoked before its time; `failure` has dropped it."""
        return access.kind == "client" and isinstance(failure, AuthenticationError)

    def failure(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: tuple[Secret, ...]
    ) -> ProviderError:
        found = super().failure(status, headers, body, secrets)
        code = str(error_object(body).get("code") or "").lower()
        facts: Json = {"status": status, "request_id": found.request_id, "sent": found.sent}
        if status == 401 and code == "permissiondenied":
            return Forbidden(_NO_ROLE, **facts)
        if status == 401:
            for secret in secrets:
                self._tokens.drop(secret)
        if status == 404 and code == "deploymentnotfound":
            return NotFound(_UNKNOWN_DEPLOYMENT, **facts)
        if status == 404 and code in ("404", "", "resourcenotfound"):
            return NotFound(_UNKNOWN_ADDRESS, **facts)
        return found

    def listed(self, item: Json) -> ListedModel | None:
        """A model of the resource. Azure lists models, not deployments: the names may differ."""
        abilities = item.get("capabilities")
        if isinstance(abilities, dict) and abilities.get("chat_completion") is False:
            return None
        found = super().listed(item)
        if found is None:
            return None
        ends = item.get("deprecation")
        return replace(found, retires_on=_day(ends.get("inference")) if isinstance(ends, dict) else None)

    def counts_tokens(self, access: Access) -> bool:
        return False

    async def _models(self, access: Access) -> tuple[str, list[ListedModel]]:
        try:
            return await super()._models(access)
        except ProviderError as error:
            failure = error
        if not await self.renewed(failure, access):
            raise failure
        return await super()._models(access)

    async def _token(self, access: Access, secret: Secret) -> Token:
        tenant, client_id = access.options.get("tenant", ""), access.options.get("client_id", "")
        if not tenant or not client_id:
            raise InvalidRequest("The directory's id or the application's id is missing.", sent=False)
        authority = (access.options.get("authority") or AUTHORITY).rstrip("/")
        scope = SCOPE_DATED if _version(access) else SCOPE_V1

        async def mint() -> Token:
            answer = await minting.client_credentials(
                VENDOR,
                f"{authority}/{quote(tenant, safe='')}/oauth2/v2.0/token",
                client_id=client_id,
                secret=secret,
                scope=scope,
                through=self._transport,
            )
            life = minting.seconds(answer.get("expires_in"))
            return Token(secret=minting.token(VENDOR, answer, "access_token"), expires_in=life or 3600.0)

        return await self._tokens.get(tokens.key("entra", authority, tenant, client_id, scope, secret), mint)


def _url(access: Access, place: Place, request: MessageRequest | None) -> str:
    base = access.base_url.rstrip("/")
    for tail in ("/openai/v1", "/openai"):
        base = base.removesuffix(tail)
    minting.must_be_safe(base)
    version = _version(access)
    if not version:
        return f"{base}/openai/v1{PATHS[place]}"
    query = urlencode({"api-version": version})
    if place == "chat" and request is not None:
        deployment = quote(request.model, safe="")
        return f"{base}/openai/deployments/{deployment}{PATHS[place]}?{query}"
    return f"{base}/openai{PATHS[place]}?{query}"


def _version(access: Access) -> str:
    """The date of the older style, "" for v1."""
    version = access.options.get("api_version", "")
    return "" if version == "v1" else version


def _day(moment: Any) -> date | None:
    seconds = minting.number(moment)
    if seconds is None or not 0 < seconds < 4e9:
        return None
    return datetime.fromtimestamp(seconds, UTC).date()
