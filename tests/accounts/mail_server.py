"""A mail server on this machine: TLS from the start, STARTTLS or none, with or without a login."""

from __future__ import annotations

import base64
import socketserver
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "parley", "canary-of-mail-4471"


class MailServer(socketserver.ThreadingTCPServer):
    """`letters` are those that it took, `signed_in` whether each sender had signed in before. `answers` are
    given instead of the usual ones, by command; `steps` are the commands it heard, without their arguments.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, asks: bool = False
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.tls, self.starttls, self.asks = tls, starttls, asks
        self.answers: dict[str, str] = {}
        self.letters: list[str] = []
        self.signed_in: list[bool] = []
        self.steps: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who breaks off in the middle of TLS is no error of this server."""


class _Session(socketserver.BaseRequestHandler):
    @property
    def house(self) -> MailServer:
        return cast(MailServer, self.server)

    def setup(self) -> None:
        if self.house.tls is not None:
            self.request = self.house.tls.wrap_socket(self.request, server_side=True)
        self._begin(is_tls=self.house.tls is not None)

    def _begin(self, *, is_tls: bool) -> None:
        self._file, self._is_tls, self._signed_in = self.request.makefile("rb"), is_tls, False

    def handle(self) -> None:
        self._say(self.house.answers.get("banner", "220 ready"))
        while line := self._file.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            self.house.steps.append(verb.upper())
            if verb.upper() == "QUIT":
                return self._say("221 bye")
            self._obey(verb.upper(), rest)

    def finish(self) -> None:
        self._file.close()
        self.request.close()

    def _obey(self, verb: str, rest: str) -> None:
        if (told := self.house.answers.get(verb)) is not None:
            return self._say(told)
        match verb:
            case "EHLO":
                offers = ["house"]
                if self.house.starttls is not None and not self._is_tls:
                    offers.append("STARTTLS")
                if self.house.asks:
                    offers.append("AUTH PLAIN")
                self._say("\r\n".join(f"250-{one}" for one in offers) + "\r\n250 HELP")
            case "STARTTLS" if self.house.starttls is not None:
                self._say("220 go on")
                self._file.close()
                self.request = self.house.starttls.wrap_socket(self.request, server_side=True)
                self._begin(is_tls=True)
            case "AUTH":
                told = base64.b64decode(rest.partition(" ")[2]).decode()
                self._signed_in = told == f"\0{USER}\0{PASSWORD}"
                self._say("235 welcome" if self._signed_in else f"535 {told!r} does not fit")
            case "MAIL" | "RCPT" if self.house.asks and not self._signed_in:
                self._say("530 sign in first")
            case "DATA":
                self._say("354 go on")
                lines = []
                while (line := self._file.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(line)
                self.house.letters.append("\n".join(lines))
                self.house.signed_in.append(self._signed_in)
                self._say("250 taken")
            case _:
                self._say("250 fine")

    def _say(self, text: str) -> None:
        self.request.sendall(text.encode() + b"\r\n")


@contextmanager
def serving(server: MailServer) -> Iterator[MailServer]:
    with server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def certificate(folder: Path, name: str = "localhost") -> tuple[Path, ssl.SSLContext]:
    """A certificate that signs itself, as a file to trust, and the context of a server that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context
