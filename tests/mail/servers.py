"""Mail servers for the tests: real ones, that can be told to refuse, to stall and to break off."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
USERNAME, PASSWORD = "ana", "a pässword"
DROP = "drop"  # instead of an answer: break the connection off
STALL = "stall"  # instead of an answer: none, until the server is stopped


@attrs.define
class Taken:
    """An e-mail that a server took: from whom, to whom, its bytes, the options of its MAIL."""

    sender: str
    recipients: list[str]
    content: bytes
    options: list[str]


@attrs.define
class Behaviour:
    """What a server answers instead of 250, by step, once each or always.

    Attributes:
        answers: by step, what it says next: an answer, `DROP` or `STALL`; none: it takes the
            e-mail. ``MAIL``, ``RCPT``, ``DATA`` (the answer after the content), and ``CONTENT``,
            where whatever is said is `DROP` in the middle of it.
        taken: every e-mail it took, in order.
        connections: how many connections it was given.
    """

    answers: dict[str, list[str]] = attrs.Factory(dict)
    taken: list[Taken] = attrs.Factory(list)
    connections: int = 0

    def will(self, step: str, *answers: str) -> None:
        """Tell the server what to say next at a step."""
        self.answers[step] = list(answers)

    async def answer(self, step: str, server: SMTP) -> str | None:
        """What it says at a step, None where nothing special."""
        waiting = self.answers.get(step)
        said = waiting.pop(0) if waiting else None
        if said == DROP:
            assert server.transport is not None
            server.transport.abort()
            return "554 nobody hears this"
        if said == STALL:
            await asyncio.Event().wait()
        return said

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender."""
        if said := await self.answer("MAIL", server):
            return said
        envelope.mail_from, envelope.mail_options = address, options
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the address."""
        if said := await self.answer("RCPT", server):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take the e-mail."""
        content = envelope.original_content
        assert isinstance(content, bytes)
        said = await self.answer("DATA", server)
        if said and not said.startswith("2"):
            return said
        sender = str(envelope.mail_from)
        recipients = [str(address) for address in envelope.rcpt_tos]
        options = [str(option) for option in envelope.mail_options]
        self.taken.append(Taken(sender, recipients, content, options))
        return said or "250 OK, taken"


class _Server(SMTP):
    """An aiosmtpd server that breaks off in the middle where it is told to."""

    def connection_made(self, transport: Any) -> None:
        """Count the connections."""
        if self.session is None:  # else it is the second half of STARTTLS
            self.event_handler.connections += 1
        super().connection_made(transport)

    async def smtp_DATA(self, arg: str) -> None:
        """Take the content, or break off after its first line."""
        if not self.event_handler.answers.get("CONTENT"):
            await super().smtp_DATA(arg)
            return
        self.event_handler.answers["CONTENT"].pop()
        await self.push("354 go on")
        await self._reader.readline()
        assert self.transport is not None
        self.transport.abort()


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)


def _log_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    good = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@attrs.define(frozen=True)
class Served:
    """A server that runs: where, and how it behaves."""

    port: int
    behaviour: Behaviour

    @property
    def taken(self) -> list[Taken]:
        """Every e-mail it took."""
        return self.behaviour.taken

    @property
    def recipients(self) -> list[str]:
        """To whom they went."""
        return [address for taken in self.taken for address in taken.recipients]


@contextmanager
def smtp_server(**options: Any) -> Iterator[Served]:
    """A real mail server on a free port; ``options`` are those of aiosmtpd."""
    behaviour = Behaviour()
    # What we write is ASCII unless agreed otherwise: a server that insists on it.
    options = {"enable_SMTPUTF8": False, "decode_data": False} | options
    controller: Any = None
    while controller is None:  # somebody may take the port in between
        port = free_port()
        controller = _Controller(behaviour, hostname=HOST, port=port, **options)
        try:
            controller.start()
        except OSError:
            controller = None
    behaviour.connections = 0  # the controller tried it
    try:
        yield Served(port, behaviour)
    finally:
        controller.stop()


def with_login(**options: Any) -> dict[str, Any]:
    """The options of a server that wants a login."""
    return {"authenticator": _log_in, "auth_required": True, **options}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Talk:
    """The server's side of one connection, line by line.

    Attributes:
        stop: set when the test is over.
    """

    def __init__(self, connection: socket.socket, stop: threading.Event) -> None:
        self._connection, self.stop = connection, stop
        self._heard = connection.makefile("rb")

    def say(self, *lines: bytes) -> None:
        """Send lines."""
        self._connection.sendall(b"".join(line + b"\r\n" for line in lines))

    def drip(self, line: bytes) -> None:
        """Send a line, a byte at a time, until the test is over."""
        for number in line + b"\r\n":
            if self.stop.wait(0.02):
                return
            self._connection.sendall(bytes([number]))

    def line(self) -> bytes:
        """Read a line, nothing at the end."""
        return self._heard.readline()

    def rest(self) -> bytes:
        """Read to the end."""
        return self._heard.read()

    def hear(self, command: bytes = b"") -> None:
        """Read a line that begins with a command."""
        line = self.line()
        if not line or not line.upper().startswith(command):
            raise OSError(f"heard {line!r}")

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Go on encrypted."""
        self._heard.close()
        self._connection = context.wrap_socket(self._connection, server_side=True)
        self._heard = self._connection.makefile("rb")

    def greet(self, *offers: bytes) -> None:
        """Say hello, and what is offered."""
        self.say(b"220 here")
        self.hear(b"EHLO")
        self.say(b"250-here", *(b"250-" + offer for offer in offers), b"250 HELP")

    def ask_for_content(self) -> None:
        """Take sender and address, and ask for the content."""
        for command, answer in ((b"MAIL", b"250 OK"), (b"RCPT", b"250 OK"), (b"DATA", b"354 go")):
            self.hear(command)
            self.say(answer)

    def hear_content(self) -> None:
        """Read up to the final dot."""
        while (line := self._heard.readline()) != b".\r\n":
            if not line:
                raise OSError("broken off")

    def wait(self) -> None:
        """Say nothing until the test is over."""
        self.stop.wait()

    def close(self) -> None:
        """Hang up."""
        self._heard.close()
        self._connection.close()


Script = Callable[[Talk], object]
"""What a server does with one connection; then it hangs up."""


@contextmanager
def scripted_server(*scripts: Script) -> Iterator[int]:
    """A server that runs one script per connection, in order, and then none; yields its port."""
    stop = threading.Event()

    def serve() -> None:
        for script in scripts:
            connection = _next_connection(listener, stop)
            if connection is None:
                return
            talk = Talk(connection, stop)
            with suppress(OSError):  # the other side hung up: the test sees why
                script(talk)
            talk.close()

    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def _next_connection(listener: socket.socket, stop: threading.Event) -> socket.socket | None:
    while not stop.is_set():
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            connection.settimeout(None)
            return connection
    return None


# --- certificates --------------------------------------------------------------------------


@attrs.define(frozen=True)
class Certificates:
    """An authority of the tests' own, and a server's certificate from it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def make_certificates(folder: Path, *, host: str = HOST) -> Certificates:
    """A certificate for ``host``, valid around today, and the context that trusts it."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Tests", authority_key, "Tests", authority_key, None)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(host, key, "Tests", authority_key, host)
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(authority.public_bytes(pem))
    (folder / "server.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem", folder / "server.key")
    return Certificates(server, ssl.create_default_context(cafile=folder / "authority.pem"))


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    host: str | None,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_issued_by(issuer_key), critical=False)
    )
    if host is not None:
        address = x509.IPAddress(ipaddress.ip_address(host))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    else:
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _issued_by(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
