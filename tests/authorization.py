"""An authorization server on a loopback port. What it grants and refuses is decided by Authlib's grants.

Code with PKCE (S256 required), refresh tokens that rotate, device codes, revocation. Ours are only the HTTP
around it and the memory; `AuthorizationServer.asked` is what came, and a few switches make it a difficult
vendor: none of them changes what is granted.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.common.security import generate_token
from authlib.oauth2 import AuthorizationServer as Authlib
from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant, DeviceCredentialDict

from providers.oauth import OAuthClient

# The vendor's own log, in which it writes the tokens that it gives: not ours to judge.
logging.getLogger("authlib").setLevel(logging.WARNING)

CLIENT_ID = "parley-test"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
REDIRECT = "http://127.0.0.1:9/manage/keys/oauth/callback/"


class _Client(ClientMixin):  # type: ignore[misc]
    """The one client, a public one."""

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return REDIRECT

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(
            each for each in (scope or "").split() if each in {"inference", "profile", "read:user"}
        )

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == REDIRECT

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "none"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in {"authorization_code", "refresh_token", DEVICE}


@dataclass
class _Token:
    access_token: str
    refresh_token: str | None
    scope: str
    revoked: bool = False

    def check_client(self, client: _Client) -> bool:
        return True

    def get_scope(self) -> str:
        return self.scope


@dataclass
class _Code:
    code: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]

    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        self.server.codes[code] = _Code(
            code,
            data.get("redirect_uri", ""),
            request.scope or "",
            data.get("code_challenge", ""),
            data.get("code_challenge_method", ""),
        )

    def query_authorization_code(self, code: str, client: _Client) -> _Code | None:
        found: _Code | None = self.server.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: _Code) -> str:
        return "a person"


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> _Token | None:
        return self.server.good(refresh_token=refresh_token)

    def authenticate_user(self, refresh_token: _Token) -> str:
        return "a person"

    def revoke_old_credential(self, refresh_token: _Token) -> None:
        refresh_token.revoked = True


class _DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]

    def query_device_credential(self, device_code: str) -> DeviceCredentialDict | None:
        return self.server.devices.get(device_code)

    def query_user_grant(self, user_code: str) -> tuple[str, bool] | None:
        decided = self.server.decisions.get(user_code)
        return None if decided is None else ("a person", decided)

    def should_slow_down(self, credential: DeviceCredentialDict) -> bool:
        return bool(self.server.impatient)


class _DeviceEndpoint(DeviceAuthorizationEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS = ["none"]
    EXPIRES_IN = 900

    def get_verification_uri(self) -> str:
        return f"{self.server.url}/activate"

    def save_device_credential(self, client_id: str, scope: str, data: dict[str, Any]) -> None:
        expires_at = time.time() + data["expires_in"]
        self.server.devices[data["device_code"]] = DeviceCredentialDict(
            client_id=client_id, scope=scope, expires_at=expires_at, **data
        )


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS = ["none"]

    def query_token(self, token_string: str, token_type_hint: str) -> _Token | None:
        return self.server.good(refresh_token=token_string) or self.server.good(access_token=token_string)

    def revoke_token(self, token: _Token, request: Any) -> None:
        token.revoked = True


class AuthorizationServer(Authlib):  # type: ignore[misc]
    """`rotated` counts refreshes. Before an answer leaves, `before_answer(path, fields)` is called."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.codes: dict[str, _Code] = {}
        self.tokens: list[_Token] = []
        self.devices: dict[str, DeviceCredentialDict] = {}
        self.decisions: dict[str, bool] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.rotated = 0
        self.lifetime = 3600
        self.impatient = False
        self.errors_with_200 = False
        self.refuses: tuple[int, dict[str, str], dict[str, str]] | None = None  # status, body, headers
        self.before_answer: Callable[[str, dict[str, str]], None] = lambda path, fields: None
        self.register_token_generator(
            "default",
            BearerTokenGenerator(
                lambda **_: f"at-canary-{generate_token(24)}",
                lambda **_: f"rt-canary-{generate_token(24)}",
                lambda client, grant_type: self.lifetime,
            ),
        )
        self.register_grant(_CodeGrant, [CodeChallenge(required=True)])
        self.register_grant(_RefreshGrant)
        self.register_grant(_DeviceGrant)
        self.register_endpoint(_DeviceEndpoint)
        self.register_endpoint(_Revocation)

    def client(self, **more: Any) -> OAuthClient:
        """Parley as this server's client."""
        facts: dict[str, Any] = {
            "client_id": CLIENT_ID,
            "authorize_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token",
            "device_url": f"{self.url}/device",
            "revoke_url": f"{self.url}/revoke",
            "redirect_uri": REDIRECT,
            "scopes": ("inference", "profile"),
        }
        return OAuthClient(**(facts | more))

    def log_in(self, authorize_url: str, *, consent: bool = True) -> str:
        """What a person does at the login page; returns the address to which they are sent back."""
        query = dict(parse_qsl(urlsplit(authorize_url).query))
        request = self.create_oauth2_request(("GET", authorize_url, query))
        grant = self.get_consent_grant(("GET", authorize_url, query), end_user="a person")
        status, _, headers = self.create_authorization_response(
            request, grant_user="a person" if consent else None, grant=grant
        )
        assert status == 302
        return str(dict(headers)["Location"])

    def type_code(self, user_code: str, *, consent: bool = True) -> None:
        """What a person does at the page for device codes."""
        self.decisions[user_code] = consent

    def good(self, **wanted: str) -> _Token | None:
        """The token with this text, unless it was revoked or used up."""
        for token in self.tokens:
            if all(getattr(token, name) == text for name, text in wanted.items()) and not token.revoked:
                return token
        return None

    def accepts(self, access_token: str) -> bool:
        return self.good(access_token=access_token) is not None

    # What Authlib asks of a framework
    def query_client(self, client_id: str) -> _Client | None:
        return _Client() if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        self.tokens.append(_Token(token["access_token"], token.get("refresh_token"), token.get("scope", "")))
        self.rotated += request.payload.grant_type == "refresh_token"

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        if isinstance(request, OAuth2Request):
            return request
        method, path, fields = request
        made = OAuth2Request(method, f"https://authorization.test{urlsplit(path).path}")
        made.payload = BasicOAuth2Payload(fields)
        if method == "GET":
            type(made).args = property(lambda self: self.payload.data)
        type(made).form = property(lambda self: self.payload.data)
        return made

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        return status, body, headers

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        pass


@dataclass
class _Http(ThreadingHTTPServer):
    """Requests are decided one at a time, as by a vendor whose rotation is atomic."""

    daemon_threads = True
    request_queue_size = 64
    authority: AuthorizationServer = field(default_factory=AuthorizationServer)

    def __post_init__(self) -> None:
        ThreadingHTTPServer.__init__(self, ("127.0.0.1", 0), _Answer)
        self.authority.url = f"http://127.0.0.1:{self.server_port}"
        self.deciding = RLock()


class _Answer(BaseHTTPRequestHandler):
    server: _Http

    def do_POST(self) -> None:
        authority = self.server.authority
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-type", "").startswith("application/json"):
            fields = {name: str(value) for name, value in json.loads(body).items()}
        else:
            fields = dict(parse_qsl(body.decode()))
        with self.server.deciding:
            authority.asked.append((self.path, fields))
            request = ("POST", self.path, fields)
            headers: dict[str, str] = {}
            match self.path if authority.refuses is None else "":
                case "/token":
                    status, answer, _ = authority.create_token_response(request)
                case "/device":
                    status, answer, _ = authority.create_endpoint_response("device_authorization", request)
                case "/revoke":
                    status, answer, _ = authority.create_endpoint_response("revocation", request)
                case "":
                    status, answer, headers = authority.refuses or (500, {}, {})
                case _:
                    status, answer = 404, {}
        if authority.errors_with_200 and status == 400:
            status = 200
        try:
            authority.before_answer(self.path, fields)
        except ConnectionResetError:
            self.close_connection = True  # the answer is lost
            return
        data = json.dumps(dict(answer) if not isinstance(answer, str) else answer).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def authorization_server() -> Iterator[AuthorizationServer]:
    with _Http() as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield http.authority
        finally:
            http.shutdown()
            thread.join(5)
