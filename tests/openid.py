"""An OpenID provider on a loopback port, which is a GitHub Enterprise Server as well.

What it grants and signs is decided by Authlib (a confidential client, codes with PKCE, ID tokens by
OpenIDCode). Ours are only the HTTP around it, the memory, and what makes it difficult: `twist` changes the
claims before they are signed, `forge` answers with a token of the test's own, `answers` says what a path
answers instead.
"""

from __future__ import annotations

import base64
import json
import logging
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
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

logging.getLogger("authlib").setLevel(logging.WARNING)

CLIENT_ID = "parley-sso"
CLIENT_SECRET = "cs-canary-4c1f9b7e"
ADA = {"sub": "ada-1", "email": "ada@example.org", "email_verified": True, "name": "Ada Okafor"}
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "second", "use": "sig", "alg": "RS256"})


class _Client(ClientMixin):  # type: ignore[misc]
    def __init__(self, provider: OpenIDProvider) -> None:
        self.provider = provider

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.provider.redirects

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in self.provider.methods

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class _Code:
    code: str
    person: dict[str, Any]
    data: dict[str, str]

    def get_redirect_uri(self) -> str:
        return self.data["redirect_uri"]

    def get_scope(self) -> str:
        return self.data.get("scope", "")

    def get_nonce(self) -> str | None:
        return self.data.get("nonce")

    def get_auth_time(self) -> None:
        return None

    get_acr = get_amr = get_auth_time

    @property
    def code_challenge(self) -> str:
        return self.data.get("code_challenge", "")

    @property
    def code_challenge_method(self) -> str:
        return self.data.get("code_challenge_method", "")


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post", "client_secret_basic"]

    def save_authorization_code(self, code: str, request: Any) -> None:
        self.server.codes[code] = _Code(code, dict(request.user), dict(request.payload.data))

    def query_authorization_code(self, code: str, client: _Client) -> _Code | None:
        found: _Code | None = self.server.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: _Code) -> dict[str, Any]:
        return authorization_code.person


class _IdTokens(OpenIDCode):  # type: ignore[misc]
    def __init__(self, provider: OpenIDProvider) -> None:
        super().__init__(require_nonce=False)
        self.provider = provider

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def resolve_client_private_key(self, client: _Client) -> RSAKey:
        return self.provider.key

    def get_client_claims(self, client: _Client) -> dict[str, Any]:
        return {"iss": self.provider.issuer, "aud": [CLIENT_ID]}

    def get_encode_header(self, client: _Client) -> dict[str, Any]:
        return {"alg": "RS256", "kid": self.provider.key.kid}

    def generate_user_info(self, user: dict[str, Any], scope: str) -> dict[str, Any]:
        return {name: value for name, value in user.items() if name not in self.provider.only_userinfo}

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        claims: dict[str, Any] = super().get_compatible_claims(request)
        return claims

    def encode_id_token(self, token: Any, request: Any) -> str:
        if self.provider.forge is not None:
            nonce = request.authorization_code.get_nonce()
            claims = {**self.get_compatible_claims(request), "nonce": nonce, **request.user}
            return self.provider.forge(claims)
        text: str = super().encode_id_token(token, request)
        if self.provider.twist is None:
            return text
        claims = jwt.decode(text, self.provider.key).claims
        self.provider.twist(claims)
        return jwt.encode(self.get_encode_header(request.client), claims, self.provider.key, ["RS256"])


Answer = tuple[int, dict[str, str], bytes]


class OpenIDProvider(Authlib):  # type: ignore[misc]
    """`person` signs in. `asked` is what came, as (path, fields, headers)."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.path = ""  # of the issuer below the url, such as Microsoft's tenants
        self.person: dict[str, Any] = dict(ADA)
        self.redirects: set[str] = set()
        self.methods = ["client_secret_post"]
        self.key = KEY
        self.published = [KEY]
        self.only_userinfo: set[str] = set()
        self.extra: dict[str, Any] = {}  # of the discovery document
        self.twist: Callable[[dict[str, Any]], None] | None = None
        self.forge: Callable[[dict[str, Any]], str] | None = None
        self.answers: dict[str, Callable[[], Answer]] = {}
        self.emails: list[dict[str, Any]] = []  # of GitHub
        self.orgs: list[dict[str, Any]] = []
        self.teams: list[dict[str, Any]] = []
        self.codes: dict[str, _Code] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.register_token_generator(
            "default",
            BearerTokenGenerator(lambda **_: f"at-canary-{generate_token(24)}", None, lambda *_: 3600),
        )
        self.register_grant(_CodeGrant, [CodeChallenge(required=True), _IdTokens(self)])

    @property
    def issuer(self) -> str:
        return f"{self.url}{self.path}"

    @property
    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "token_endpoint_auth_methods_supported": self.methods,
            "scopes_supported": ["openid", "email", "profile", "groups"],
            **self.extra,
        }

    def sign_in(self, page: str, *, consent: bool = True) -> str:
        """What a person does at the page that they are sent to; returns the address to which they go back."""
        query = {"response_type": "code", **dict(parse_qsl(urlsplit(page).query))}  # GitHub takes it as given
        assert query["code_challenge_method"] == "S256" and query["code_challenge"] and query["state"]
        grant = self.get_consent_grant(("GET", page, query, {}), end_user=self.person)
        status, _, headers = self.create_authorization_response(
            ("GET", page, query, {}), grant_user=self.person if consent else None, grant=grant
        )
        assert status == 302
        return str(dict(headers)["Location"])

    # What Authlib asks of a framework
    def query_client(self, client_id: str) -> _Client | None:
        return _Client(self) if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        self.tokens[token["access_token"]] = request.user

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        if isinstance(request, OAuth2Request):
            return request
        method, path, fields, headers = request
        made = OAuth2Request(method, f"https://provider.test{urlsplit(path).path}", headers=headers)
        made.payload = BasicOAuth2Payload(fields)
        type(made).args = property(lambda self: self.payload.data if self.method == "GET" else {})
        type(made).form = property(lambda self: self.payload.data if self.method != "GET" else {})
        return made

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        return status, body, headers

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        pass

    # HTTP
    def answer(self, method: str, target: str, fields: dict[str, str], headers: dict[str, str]) -> Answer:
        path = urlsplit(target).path
        self.asked.append((path, fields, headers))
        if path in self.answers:
            return self.answers[path]()
        if method == "POST" and path in {"/token", "/login/oauth/access_token"}:
            status, body, _ = self.create_token_response(("POST", path, fields, headers))
            return _json(status, dict(body))
        if path in {"/authorize", "/login/oauth/authorize"}:
            if "agreed" not in fields:
                return _page(f"{target}&agreed=1")
            return 302, {"location": self.sign_in(target.replace("&agreed=1", ""))}, b""
        if path == f"{self.path}/.well-known/openid-configuration":
            return _json(200, self.discovery)
        if path == "/keys":
            return _json(200, KeySet(list(self.published)).as_dict(private=False))
        known = self.tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
        if known is None:
            return _json(401, {"message": "Bad credentials"})
        page = int(fields.get("page", "1"))
        lists = {
            "/api/v3/user/emails": self.emails,
            "/api/v3/user/orgs": self.orgs,
            "/api/v3/user/teams": self.teams,
        }
        match path:
            case "/userinfo":
                return _json(200, known)
            case "/api/v3/user":
                return _json(200, {"id": known["id"], "login": known["login"], "name": known.get("name")})
            case _ if path in lists:
                return _json(200, lists[path][(page - 1) * 100 : page * 100])
        return _json(404, {})


def _json(status: int, value: Any) -> Answer:
    return status, {"content-type": "application/json"}, json.dumps(value).encode()


def _page(link: str) -> Answer:
    html = (
        f"<!doctype html><title>Harbour ID</title><h1>Harbour ID</h1><a href='{link}'>Sign in as yourself</a>"
    )
    return 200, {"content-type": "text/html; charset=utf-8"}, html.encode()


def unsigned(claims: dict[str, Any], *, alg: str = "none") -> str:
    """A token that says it needs no signature."""
    parts = [json.dumps(part).encode() for part in ({"alg": alg, "typ": "JWT", "kid": "first"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@dataclass
class _Http(ThreadingHTTPServer):
    daemon_threads = True
    provider: OpenIDProvider = field(default_factory=OpenIDProvider)

    def __post_init__(self) -> None:
        ThreadingHTTPServer.__init__(self, ("127.0.0.1", 0), _Handler)
        self.provider.url = f"http://127.0.0.1:{self.server_port}"
        self.deciding = RLock()


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_GET(self) -> None:
        self._answer("GET", dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer("POST", dict(parse_qsl(body.decode())))

    def _answer(self, method: str, fields: dict[str, str]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers.update({"Authorization": headers["authorization"]} if "authorization" in headers else {})
        with self.server.deciding:
            status, sent, data = self.server.provider.answer(method, self.path, fields, headers)
        self.send_response(status)
        for name, value in {**sent, "content-length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def openid_provider() -> Iterator[OpenIDProvider]:
    with _Http() as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield http.provider
        finally:
            http.shutdown()
            thread.join(5)
