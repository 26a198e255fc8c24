"""Sign-ins and tokens: GitHub's device flow, and the token endpoints of Entra ID and Salesforce.

Facts: GitHub's documentation, "Authorizing OAuth apps" (device flow: its errors come with status 200, its
answers are forms unless JSON is asked for); Microsoft's, "The OAuth 2.0 client credentials flow";
Salesforce's Models API guide, "Create a token" (the token is a JWT, and the answer need
not have expires_in).
"""

import base64
import re
import time
import uuid
from typing import ClassVar, Final
from urllib.parse import urlencode

from providers.simulator.call import Call
from providers.simulator.devices import DEVICE_INTERVAL, DEVICE_SECONDS, Devices
from providers.simulator.door import Door
from providers.simulator.keys import NOBODY, Keys, Tokens
from providers.simulator.messages import Streamed
from providers.simulator.replies import Headers, Refusal, Reply, encode_json, json_reply
from providers.types import Json

ENTRA_SECONDS: Final = 3599
SALESFORCE_SECONDS: Final = 1800
ENTRA_SCOPES: Final = re.compile(
    r"https://(ai\.azure\.com|cognitiveservices\.azure\.(com|us|cn)|ai\.azure\.(us|cn))/\.default"
)
ENTRA_TOKEN: Final = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"


class Grants:
    """What was given out, and what people decided."""

    def __init__(self) -> None:
        self.tokens = Tokens()
        self.devices = Devices()


class GrantDoor(Door):
    """POST /login/device/code, /login/oauth/access_token, /{tenant}/oauth2/v2.0/token,
    /services/oauth2/token, and GET /user of GitHub's API.
    """

    request_ids: ClassVar = "sim"

    def __init__(self, keys: Keys, grants: Grants) -> None:
        self._keys = keys
        self._grants = grants

    def opens(self, call: Call) -> bool:
        paths = ("/login/device/code", "/login/oauth/access_token", "/services/oauth2/token", "/user")
        return call.path in paths or ENTRA_TOKEN.fullmatch(call.path) is not None

    def organization(self, call: Call) -> str:
        return NOBODY

    def answer(self, call: Call, organization: str) -> Reply | Streamed:
        if call.path == "/user":
            call.wants("GET")
            return self._user(call)
        call.wants("POST")
        if call.path == "/login/device/code":
            return self._device_code(call)
        if call.path == "/login/oauth/access_token":
            return self._access_token(call)
        if call.path == "/services/oauth2/token":
            return self._salesforce(call)
        return self._entra(call)

    def refused(self, refusal: Refusal, call: Call) -> Reply:
        if refusal.kind is None:
            return Reply(refusal.status, encode_json({"message": refusal.message}), headers=refusal.headers)
        body = {"error": refusal.kind, "error_description": refusal.message, **(refusal.details or {})}
        return Reply(refusal.status, encode_json(body), headers=refusal.headers)

    def headers(self, call: Call, organization: str) -> Headers:
        return [(b"x-github-request-id", call.request_id.encode()), (b"cache-control", b"no-store")]

    def _user(self, call: Call) -> Reply:
        _, _, token = call.headers.get("authorization", "").partition(" ")
        if not token.startswith(("gho_", "ghu_", "github_pat_")):
            raise Refusal(401, "Bad credentials")
        number = uuid.uuid5(uuid.NAMESPACE_URL, token).int % 10**8
        return json_reply({"login": f"octocat-{number}", "id": number, "type": "User"})

    def _device_code(self, call: Call) -> Reply:
        form = call.form()
        if not form.get("client_id"):
            raise Refusal(404, "Not Found")
        device_code, user_code = self._grants.devices.begin(form["client_id"], form.get("scope", ""))
        return _github(
            call,
            {
                "device_code": device_code,
                "user_code": user_code,
                "verification_uri": f"{call.origin}/login/device",
                "expires_in": DEVICE_SECONDS,
                "interval": DEVICE_INTERVAL,
            },
        )

    def _access_token(self, call: Call) -> Reply:
        form = call.form()
        if form.get("grant_type") != _DEVICE_GRANT:
            return _github(call, {"error": "unsupported_grant_type", "error_description": "Not supported."})
        state, scope = self._grants.devices.poll(form.get("device_code", ""), form.get("client_id", ""))
        if state == "approved":
            token = self._grants.tokens.give("github", NOBODY, 10**9, "gho_{}")
            return _github(call, {"access_token": token, "token_type": "bearer", "scope": scope})
        error: Json = {"error": state, "error_description": f"The sign-in ended: {state}."}
        return _github(call, error | ({"interval": DEVICE_INTERVAL * 2} if state == "slow_down" else {}))

    def _client(self, call: Call) -> tuple[dict[str, str], str]:
        """The form of a client's request for a token, and its organisation. Raises Refusal."""
        if "json" in call.headers.get("content-type", ""):
            raise Refusal(400, "The body must be a form.", kind="invalid_request")
        form = call.form()
        if form.get("grant_type") != "client_credentials":
            raise Refusal(400, "Only client_credentials is supported.", kind="unsupported_grant_type")
        if not form.get("client_id"):
            raise Refusal(400, "client identifier invalid", kind="invalid_client_id")
        try:
            if not form.get("client_secret"):
                raise Refusal(401, "no client secret")
            return form, self._keys.organization(form["client_secret"], lambda _: "wrong client secret")
        except Refusal as refusal:
            status = refusal.status if refusal.status != 400 else 401
            raise Refusal(
                status, f"invalid client credentials: {refusal.message}", kind="invalid_client"
            ) from None

    def _entra(self, call: Call) -> Reply:
        form, organization = self._client(call)
        if not ENTRA_SCOPES.fullmatch(form.get("scope", "")):
            details: Json = {"error_codes": [70011]}
            raise Refusal(
                400,
                "AADSTS70011: The provided value for scope is not valid.",
                kind="invalid_scope",
                details=details,
            )
        token = self._grants.tokens.give("entra", organization, ENTRA_SECONDS, "eyJ0eXAi.{}.simulated")
        return json_reply(
            {
                "token_type": "Bearer",
                "expires_in": ENTRA_SECONDS,
                "ext_expires_in": ENTRA_SECONDS,
                "access_token": token,
            }
        )

    def _salesforce(self, call: Call) -> Reply:
        _, organization = self._client(call)
        claims = encode_json(
            {"exp": int(time.time()) + SALESFORCE_SECONDS, "sub": organization, "scp": "sfap_api api"}
        )
        payload = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
        form = f"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{payload}.{{}}"
        token = self._grants.tokens.give("salesforce", organization, SALESFORCE_SECONDS, form)
        return json_reply(
            {
                "access_token": token,
                "instance_url": call.origin,
                "api_instance_url": call.origin,
                "token_format": "jwt",
                "token_type": "Bearer",
                "scope": "sfap_api api",
                "issued_at": str(int(time.time() * 1000)),
            }
        )


def _github(call: Call, fields: Json) -> Reply:
    """GitHub answers with a form unless JSON is asked for, and with status 200 whatever happened."""
    if "application/json" in call.headers.get("accept", ""):
        return json_reply(fields)
    return Reply(200, urlencode(fields).encode(), "application/x-www-form-urlencoded; charset=utf-8")
