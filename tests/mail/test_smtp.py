"""E-mails over SMTP, to real mail servers that behave well and badly."""

from __future__ import annotations

import itertools
import logging
import smtplib
import socket
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from tests.mail.messages import LINK, a_message
from tests.mail.servers import (
    DROP,
    HOST,
    PASSWORD,
    STALL,
    USERNAME,
    Certificates,
    Script,
    Talk,
    free_port,
    make_certificates,
    scripted_server,
    smtp_server,
    with_login,
)

from basis_portal import (
    InvalidValue,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
)
from basis_portal.mail.smtp import SMTPTransport
from basis_portal.mail.transport import Transport

SHORT = 0.3  # seconds, where a server is to be found too slow


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate for the test servers."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def plain(port: int, **options: Any) -> SMTPTransport:
    """A transport to a server of the tests, not encrypted."""
    return SMTPTransport(HOST, port, security="none", **options)


def send(transport: Transport, *messages: EmailMessage) -> None:
    """Send messages over one connection."""
    with transport.connect() as connection:
        for message in messages or (a_message(),):
            connection.send(message)


def text_of(content: bytes) -> str:
    """The text part of an e-mail, as a mail program shows it."""
    part = message_from_bytes(content, policy=policy.default).get_body(("plain",))
    assert LINK in shown(part)
    return shown(part)


def shown(part: EmailMessage | None) -> str:
    """What a reader sees of a part, whatever the ends of its lines."""
    assert part is not None
    return "\n".join(str(part.get_content()).splitlines())


# --- what arrives --------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("login", [False, True])
def test_an_email_arrives(security: str, login: bool, certificates: Certificates) -> None:
    """Over each kind of connection, with and without login, to the one address."""
    options: dict[str, Any] = with_login(auth_require_tls=security != "none") if login else {}
    if security == "starttls":
        options |= {"tls_context": certificates.server, "require_starttls": True}
    elif security == "tls":
        options |= {"ssl_context": certificates.server, "auth_require_tls": False}
    who = {"username": USERNAME, "password": PASSWORD} if login else {}
    with smtp_server(**options) as server:
        send(
            SMTPTransport(HOST, server.port, security=security, context=certificates.client, **who)
        )
    (taken,) = server.taken
    assert (taken.sender, taken.recipients) == ("portal@seller.example", ["finance@kopi.example"])
    assert text_of(taken.content) == text_of(a_message().as_bytes())


@pytest.mark.parametrize(
    "text",
    [
        "short\n",
        f"Hello\n\n{LINK}\n",
        "no line break at the end",
        ".\n..\n.a\n\n.\n",
        "x" * 5000 + "\n",
        ("wörter " * 300).strip() + "\n",
        "Grüße, Ελληνικά, 用户, €\n",
        "cr\rlf\r\nlf\n",
        "",
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_what_arrives_is_what_was_sent(text: str) -> None:
    """Headers, text and HTML arrive as they were, and no line is too long for a server."""
    message = a_message(subject="Grüße von Müller & Söhne: " + "sehr lang " * 20, text=text)
    with smtp_server() as server:
        send(plain(server.port), message)
    (taken,) = server.taken
    arrived = message_from_bytes(taken.content, policy=policy.default)
    assert dict(arrived.items()).keys() == dict(message.items()).keys()
    for name in ("From", "To", "Date", "Message-ID", "Auto-Submitted"):
        assert arrived[name] == message[name]
    assert str(arrived["Subject"]).split() == str(message["Subject"]).split()
    for kind in ("plain", "html"):
        assert shown(arrived.get_body((kind,))) == shown(message.get_body((kind,)))
    assert max(map(len, taken.content.split(b"\r\n"))) <= 998
    assert taken.content.isascii()
    assert taken.content.count(b"\n") == taken.content.count(b"\r\n") == taken.content.count(b"\r")


def test_the_message_stays_as_it_is() -> None:
    """Sending changes nothing in the message, so that it can be sent again."""
    message = a_message()
    before = message.as_bytes()
    with smtp_server() as server:
        send(plain(server.port), message, message)
    first, second = server.taken
    assert message.as_bytes() == before
    assert first.content == second.content


def test_many_go_over_one_connection() -> None:
    """A run needs one connection."""
    with smtp_server() as server:
        send(plain(server.port), *(a_message(to=f"a{n}@kopi.example") for n in range(20)))
    assert [taken.recipients for taken in server.taken] == [
        [f"a{n}@kopi.example"] for n in range(20)
    ]
    assert server.behaviour.connections == 1


@pytest.mark.parametrize("headers", [{"Cc": "b@y.example"}, {"Bcc": "b@y.example"}])
def test_nobody_else_is_sent_a_copy(headers: dict[str, str]) -> None:
    """A message with other recipients is refused before anything is said, the next one is sent."""
    message = a_message()
    for name, value in headers.items():
        message[name] = value
    with smtp_server() as server, plain(server.port).connect() as connection:
        with pytest.raises(InvalidValue, match="one address"):
            connection.send(message)
        connection.send(a_message())
    assert len(server.taken) == 1


@pytest.mark.parametrize("name", ["From", "To"])
@pytest.mark.parametrize("value", [None, "a@x.example, b@y.example", "a@x", '"a b"@x.example'])
def test_a_message_is_from_one_address_to_one(name: str, value: str | None) -> None:
    """None, two and nonsense are refused."""
    message = a_message()
    del message[name]
    if value is not None:
        message[name] = value
    with smtp_server() as server, pytest.raises(InvalidValue, match=name):
        send(plain(server.port), message)
    assert server.taken == []


def test_other_letters_before_the_at_go_to_a_server_that_takes_them() -> None:
    """An address with such letters is named to a server with SMTPUTF8, the next plain one too."""
    with smtp_server(enable_SMTPUTF8=True) as server:
        send(plain(server.port), a_message(to="用户@kopi.example"), a_message())
    first, second = server.taken
    assert first.recipients == ["用户@kopi.example"]
    assert "用户@kopi.example".encode() in first.content
    assert "SMTPUTF8" in first.options
    assert "SMTPUTF8" not in second.options
    assert second.content.isascii()


def test_other_letters_before_the_at_are_refused_elsewhere() -> None:
    """A server without SMTPUTF8 is not asked; the next one is sent over the same connection."""
    with smtp_server() as server, plain(server.port).connect() as connection:
        with pytest.raises(MailRefused, match="ASCII") as refused:
            connection.send(a_message(to="用户@kopi.example"))
        connection.send(a_message())
    assert not refused.value.temporary
    assert (len(server.taken), server.behaviour.connections) == (1, 1)


# --- what the server refuses ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "what"), [("MAIL", "sender"), ("RCPT", "address"), ("DATA", "e-mail")]
)
@pytest.mark.parametrize("code", [450, 452, 550, 554])
def test_a_refusal_is_told(step: str, what: str, code: int) -> None:
    """By what was refused, by number, and whether later would help. The next one is sent."""
    with smtp_server() as server, plain(server.port).connect() as connection:
        server.behaviour.will(step, f"{code} 5.1.1 no, thanks")
        with pytest.raises(MailRefused) as refused:
            connection.send(a_message(to="nobody@kopi.example"))
        connection.send(a_message())
    assert str(refused.value) == f"The mail server refused the {what} ({code}): 5.1.1 no, thanks"
    assert (refused.value.code, refused.value.temporary) == (code, code < 500)
    assert server.recipients == ["finance@kopi.example"]
    assert server.behaviour.connections == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
@pytest.mark.parametrize("answer", ["421 too busy", "530 log in first", "250-?", "354 what?"])
def test_what_is_not_about_the_email_is_no_refusal(step: str, answer: str) -> None:
    """A server that closes, wants a login or does not speak SMTP is unavailable."""
    with smtp_server() as server:
        server.behaviour.will(step, answer, answer)
        with pytest.raises(MailServerUnavailable):
            send(plain(server.port, timeout=SHORT))
    assert server.taken == []


def test_closing_after_the_content_is_a_refusal() -> None:
    """421 after the content says that nothing was sent; a new connection serves the next one."""
    with (
        scripted_server(closes_after_content, takes(1)) as port,
        plain(port, timeout=5).connect() as connection,
    ):
        with pytest.raises(MailRefused) as refused:
            connection.send(a_message())
        connection.send(a_message())
    assert (refused.value.code, refused.value.temporary) == (421, True)


def test_an_answer_is_shown_in_one_short_line_without_the_link() -> None:
    """A server that quotes the e-mail, at length and in several lines, does not spread it."""
    words = f"550-spam: {LINK}\r\n550-{LINK[:70]}\r\n550 {LINK[70:]} \x1b[31m" + " red" * 200
    with smtp_server() as server:
        server.behaviour.will("DATA", words)
        with pytest.raises(MailRefused) as refused:
            send(plain(server.port))
    text = str(refused.value)
    assert text.startswith("The mail server refused the e-mail (550): spam: ")
    assert text.isprintable()
    assert len(text) < 300
    assert not quotes_link(text)


def test_an_answer_of_several_lines_is_one_sentence() -> None:
    """As people read it, not as it was sent."""
    with smtp_server() as server:
        server.behaviour.will("RCPT", "550-5.1.1 no such user;\r\n550 5.1.1   ask them")
        with pytest.raises(MailRefused, match=r": 5\.1\.1 no such user; 5\.1\.1 ask them$"):
            send(plain(server.port))


def quotes_link(text: str) -> bool:
    """True where as much of the link is in a text as would help in guessing the rest."""
    secret = LINK.rsplit("/", 1)[1].replace(".", "")
    return any(secret[i : i + 20] in text.replace(".", "") for i in range(len(secret) - 19))


# --- connections that do not come about ----------------------------------------------------


def test_a_server_that_is_down_is_unavailable() -> None:
    """Nobody listens: told on entering, by the name of the server."""
    port = free_port()
    with pytest.raises(MailServerUnavailable, match=f"{HOST}:{port}"):
        send(plain(port))


def test_each_address_of_a_server_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that takes the connection gets the e-mail."""
    with smtp_server() as server:
        at = _addresses([free_port(), server.port])
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: at)
        send(plain(server.port))
    assert len(server.taken) == 1


def test_many_addresses_take_no_longer_than_an_email_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is that of all addresses together, not of each: the last is not reached."""
    seconds = itertools.count()
    with socket.create_server((HOST, 0)) as last:
        last.setblocking(False)
        at = _addresses([free_port()] * 20 + [last.getsockname()[1]])
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: at)
        monkeypatch.setattr("basis_portal.mail.smtp.time.monotonic", lambda: float(next(seconds)))
        with pytest.raises(MailServerUnavailable, match="no answer in time"):
            send(plain(25, message_timeout=5, timeout=SHORT))
        with pytest.raises(BlockingIOError):
            last.accept()


def test_a_name_without_an_address_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told as what it is."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with pytest.raises(MailServerUnavailable, match="its name has no address"):
        send(plain(25))


def _addresses(ports: list[int]) -> list[Any]:
    """What `socket.getaddrinfo` gives for a name with several addresses."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (HOST, port)) for port in ports]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    security: str, certificates: Certificates
) -> None:
    """By default certificates are verified; nothing is said to such a server."""
    kind = "tls_context" if security == "starttls" else "ssl_context"
    with smtp_server(**{kind: certificates.server}) as server:
        transport = SMTPTransport(HOST, server.port, security=security)
        with pytest.raises(MailServerUnavailable, match="certificate verify failed"):
            send(transport)
    assert server.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_another_host_is_not_trusted(security: str, tmp_path: Path) -> None:
    """The certificate must be of the host that was asked for."""
    certificates = make_certificates(tmp_path, host="127.0.0.2")
    kind = "tls_context" if security == "starttls" else "ssl_context"
    with smtp_server(**{kind: certificates.server}) as server:
        transport = SMTPTransport(HOST, server.port, security=security, context=certificates.client)
        with pytest.raises(MailServerUnavailable, match=r"not valid for '127\.0\.0\.1'"):
            send(transport)
    assert server.taken == []


def test_a_server_without_starttls_gets_nothing() -> None:
    """Where encryption was asked for nothing goes out without."""
    refused = pytest.raises(MailServerUnavailable, match="does not offer STARTTLS")
    with smtp_server() as server, refused:
        send(SMTPTransport(HOST, server.port))
    assert server.taken == []


def test_what_came_before_the_encryption_is_forgotten(certificates: Certificates) -> None:
    """Offers and answers that somebody put in before it do not count afterwards."""

    def injects(talk: Talk) -> None:
        talk.greet(b"STARTTLS", b"SMTPUTF8", b"AUTH PLAIN")
        talk.hear(b"STARTTLS")
        talk.say(b"220 go", b"250-injected", b"250 AUTH PLAIN")
        talk.encrypt(certificates.server)
        talk.hear(b"EHLO")
        talk.say(b"250-the true one", b"250 AUTH NOTHING")
        talk.wait()

    with scripted_server(injects) as port:
        transport = SMTPTransport(
            HOST, port, context=certificates.client, username="a", password="b", timeout=5
        )
        with pytest.raises(MailServerUnavailable, match="PLAIN or LOGIN"):
            send(transport)


@pytest.mark.parametrize("mechanisms", [["PLAIN"], ["LOGIN"]])
def test_a_wrong_password_is_told_by_number(
    mechanisms: list[str], certificates: Certificates
) -> None:
    """The right one is accepted by the same server; neither is shown."""
    others = [each for each in ("PLAIN", "LOGIN") if each not in mechanisms]
    options = with_login(tls_context=certificates.server, auth_exclude_mechanism=others)
    with smtp_server(**options) as server:
        wrong = SMTPTransport(
            HOST,
            server.port,
            context=certificates.client,
            username=USERNAME,
            password="not this one",
        )
        with pytest.raises(MailServerUnavailable, match=r"user name or password \(535 5\.7\.8\)$"):
            send(wrong)
        send(
            SMTPTransport(
                HOST,
                server.port,
                context=certificates.client,
                username=USERNAME,
                password=PASSWORD,
            )
        )
    assert len(server.taken) == 1


def test_a_server_that_quotes_the_password_is_not_repeated() -> None:
    """Neither in the error nor in what led to it."""

    def quotes(talk: Talk) -> None:
        talk.greet(b"AUTH PLAIN")
        talk.hear(b"AUTH")
        talk.say(b"500 5.5.4 what is 'hush hush'?")

    with scripted_server(quotes) as port, pytest.raises(MailServerUnavailable) as failed:
        send(plain(port, username="ana", password="hush hush"))
    assert str(failed.value).endswith("refused user name or password (500 5.5.4)")
    assert failed.value.__cause__ is failed.value.__context__ is None


@pytest.mark.parametrize("offers", [[], [b"AUTH CRAM-MD5"], [b"AUTH"]])
def test_a_login_that_is_not_offered_is_told(offers: list[bytes]) -> None:
    """The e-mail is not tried without."""
    refused = pytest.raises(MailServerUnavailable, match="no login by PLAIN or LOGIN")
    with scripted_server(lambda talk: (talk.greet(*offers), talk.wait())) as port, refused:
        send(plain(port, username="ana", password="secret"))


# --- servers that do not speak SMTP, or not in time ----------------------------------------


def takes(number: int) -> Script:
    """A script: takes so many e-mails, then hangs up."""

    def script(talk: Talk) -> None:
        talk.greet()
        for _ in range(number):
            talk.ask_for_content()
            talk.hear_content()
            talk.say(b"250 taken")

    return script


def closes_after_content(talk: Talk) -> None:
    """A script: asks for the content, reads it, and closes with 421."""
    talk.greet()
    talk.ask_for_content()
    talk.hear_content()
    talk.say(b"421 not now")


@pytest.mark.parametrize(
    "script",
    [
        lambda talk: talk.say(b"HTTP/1.1 400 Bad Request", b"", b"hello"),
        lambda talk: talk.say(b"554 not you"),
        lambda talk: talk.say(b"421 not now"),
        lambda talk: talk.say(b"\xff\xfe\x00\x01"),
        lambda talk: talk.say(b"220 " + b"x" * 100_000),
        lambda talk: talk.say(*[b"220-"] * 1000),
        lambda talk: None,
        lambda talk: (
            talk.say(b"220 hi"),
            talk.hear(),
            talk.say(b"500 no"),
            talk.hear(),
            talk.say(b"500 no"),
        ),
        lambda talk: (talk.say(b"220 hi"), talk.hear(), talk.say(b"nonsense")),
        lambda talk: talk.wait(),
        lambda talk: (talk.say(b"220 hi"), talk.wait()),
        lambda talk: (talk.say(b"220-hi"), talk.wait()),
        lambda talk: talk.drip(b"220 " + b"x" * 500),
    ],
)
def test_who_does_not_greet_is_no_mail_server(script: Script) -> None:
    """Other protocols, refusals, silence and a byte now and then: unavailable, and in time."""
    with scripted_server(script) as port, pytest.raises(MailServerUnavailable, match=str(port)):
        send(plain(port, timeout=SHORT))


def test_a_server_that_does_not_want_us_is_not_talked_into_it() -> None:
    """It would go on after its refusal, and take the e-mail to drop it."""

    def reluctant(talk: Talk) -> None:
        talk.say(b"554 go away")
        talk.hear(b"EHLO")
        talk.say(b"250 hello")
        talk.ask_for_content()
        talk.hear_content()
        talk.say(b"250 taken")

    refused = pytest.raises(MailServerUnavailable, match=r"\(554\): go away")
    with scripted_server(reluctant) as port, refused:
        send(plain(port))


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_server_that_does_not_finish_to_encrypt_is_unavailable(security: str) -> None:
    """Silence while the connection is being encrypted ends in time."""

    def silent(talk: Talk) -> None:
        if security == "starttls":
            talk.greet(b"STARTTLS")
            talk.hear(b"STARTTLS")
            talk.say(b"220 go")
        talk.wait()

    with scripted_server(silent) as port, pytest.raises(MailServerUnavailable):
        send(SMTPTransport(HOST, port, security=security, timeout=SHORT))


def test_a_server_that_says_hello_the_old_way_is_spoken_to() -> None:
    """Where EHLO is not known HELO is said."""

    def old(talk: Talk) -> None:
        talk.say(b"220 here")
        talk.hear(b"EHLO")
        talk.say(b"500 what?")
        talk.hear(b"HELO")
        talk.say(b"250 hello")
        talk.ask_for_content()
        talk.hear_content()
        talk.say(b"250 taken")

    with scripted_server(old) as port:
        send(plain(port, timeout=5))


# --- how far it came -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "failure", "error"),
    [
        ("MAIL", DROP, MailServerUnavailable),
        ("MAIL", STALL, MailServerUnavailable),
        ("RCPT", DROP, MailServerUnavailable),
        ("RCPT", STALL, MailServerUnavailable),
        ("CONTENT", DROP, MailOutcomeUnknown),
        ("DATA", DROP, MailOutcomeUnknown),
        ("DATA", STALL, MailOutcomeUnknown),
    ],
)
def test_how_far_an_email_came_is_told(step: str, failure: str, error: type[MailError]) -> None:
    """Before the content nothing was sent; from then on until the answer nobody knows.

    The next one is sent over a new connection.
    """
    with smtp_server() as server:
        transport = plain(server.port, timeout=SHORT, message_timeout=3 * SHORT)
        with transport.connect() as connection:
            server.behaviour.will(step, failure, failure)
            with pytest.raises(error):
                connection.send(a_message(to="first@kopi.example"))
            server.behaviour.will(step)
            connection.send(a_message(to="second@kopi.example"))
    assert server.recipients == ["second@kopi.example"]


def drips_in(step: bytes) -> Script:
    """A script: one answer comes a byte at a time, for much longer than anybody would wait."""

    def script(talk: Talk) -> None:
        talk.greet()
        for command in (b"MAIL", b"RCPT", b"DATA"):
            talk.hear(command)
            if command == step:
                talk.drip(b"250 " + b"x" * 500)
            talk.say(b"354 go" if command == b"DATA" else b"250 OK")
        talk.hear_content()
        talk.drip(b"250 " + b"x" * 500)

    return script


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (b"RCPT", MailServerUnavailable),
        (b"DATA", MailServerUnavailable),
        (b"content", MailOutcomeUnknown),
    ],
)
def test_a_dripping_server_holds_nobody(step: bytes, error: type[MailError]) -> None:
    """A byte now and then is no answer, however short each pause is."""
    with scripted_server(drips_in(step)) as port:
        transport = plain(port, timeout=SHORT, message_timeout=2 * SHORT)
        with pytest.raises(error):
            send(transport)


def test_a_server_that_drips_all_answers_is_left_in_the_end() -> None:
    """Each answer may come in time: the e-mail as a whole has its time as well."""

    def slow(talk: Talk) -> None:
        talk.greet()
        for _ in range(200):
            talk.hear()
            if talk.stop.wait(SHORT / 6):
                return
            talk.say(b"250-more")
            for _ in range(5):
                talk.drip(b"250-more")
            talk.say(b"250 OK")

    with scripted_server(slow) as port:
        transport = plain(port, timeout=60, message_timeout=SHORT)
        with pytest.raises(MailServerUnavailable):
            send(transport)


def test_the_last_answer_may_take_longer_than_the_others() -> None:
    """A server that looks for spam first is waited for, as nobody could send the e-mail again."""

    def thinks(talk: Talk) -> None:
        talk.greet()
        talk.ask_for_content()
        talk.hear_content()
        talk.stop.wait(3 * SHORT)
        talk.say(b"250 taken")

    with scripted_server(thinks) as port:
        send(plain(port, timeout=SHORT, message_timeout=60))


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_server_that_does_not_read_holds_nobody(
    encrypted: bool, certificates: Certificates
) -> None:
    """An e-mail larger than what lies in between, to a server that takes nothing of it."""

    def deaf(talk: Talk) -> None:
        if encrypted:
            talk.encrypt(certificates.server)
        talk.greet()
        talk.ask_for_content()
        talk.wait()

    with scripted_server(deaf) as port:
        transport = SMTPTransport(
            HOST,
            port,
            security="tls" if encrypted else "none",
            context=certificates.client,
            message_timeout=2 * SHORT,
        )
        with pytest.raises(MailOutcomeUnknown), transport.connect() as connection:
            connection.send(a_message(text="a long line of a long e-mail\n" * 500_000))


@pytest.mark.parametrize("answer", [b"nonsense", b"354 go on", b"250-", b"999 ?"])
def test_an_answer_that_is_none_leaves_it_open(answer: bytes) -> None:
    """After the content only 2xx is a yes and only 4xx and 5xx are a no."""

    def mumbles(talk: Talk) -> None:
        talk.greet()
        talk.ask_for_content()
        talk.hear_content()
        talk.say(answer)

    with scripted_server(mumbles) as port, pytest.raises(MailOutcomeUnknown):
        send(plain(port))


def test_the_next_email_is_not_waited_for_as_long() -> None:
    """The patience for the last answer ends with it."""

    def slows_down(talk: Talk) -> None:
        takes(1)(talk)
        talk.hear(b"MAIL")
        talk.say(b"250 OK")
        talk.hear(b"RCPT")
        talk.stop.wait(4 * SHORT)
        talk.say(b"250 OK")
        talk.hear(b"DATA")
        talk.say(b"354 go")
        talk.hear_content()
        talk.say(b"250 taken")

    with scripted_server(slows_down) as port:
        transport = plain(port, timeout=SHORT, message_timeout=60)
        with pytest.raises(MailServerUnavailable):
            send(transport, a_message(), a_message())


# --- idle connections ----------------------------------------------------------------------


def says_goodbye(talk: Talk) -> None:
    """A script: takes one, then closes the idle connection with 421."""
    takes(1)(talk)
    talk.say(b"421 idle for too long")


@pytest.mark.parametrize("first", [takes(0), takes(1), says_goodbye])
def test_a_server_that_closed_meanwhile_is_called_once_more(first: Script) -> None:
    """An idle connection that the server closed is replaced, and each e-mail is sent."""
    with scripted_server(first, takes(3)) as port:
        send(plain(port, timeout=5), *[a_message()] * 3)


def test_a_server_that_always_closes_is_not_called_for_ever() -> None:
    """Once more, not more often: the third script is not reached."""
    reached = []
    with scripted_server(takes(1), takes(0), reached.append) as port:
        with pytest.raises(MailServerUnavailable):
            send(plain(port, timeout=5), a_message(), a_message())
        assert reached == []


def test_an_email_that_was_heard_of_is_not_tried_again() -> None:
    """A loss after the sender was named is told, not repaired behind one's back."""
    reached = []

    def breaks_off(talk: Talk) -> None:
        takes(1)(talk)
        talk.hear(b"MAIL")
        talk.say(b"250 OK")
        talk.hear(b"RCPT")

    with scripted_server(breaks_off, reached.append) as port:
        with pytest.raises(MailServerUnavailable):
            send(plain(port, timeout=5), a_message(), a_message())
        assert reached == []


def test_a_connection_ends_in_good_manners() -> None:
    """Servers count connections that just break off against the sender."""
    heard = []

    def listens(talk: Talk) -> None:
        takes(2)(talk)
        heard.append(talk.line())
        talk.say(b"221 bye")

    with scripted_server(listens) as port:
        send(plain(port), a_message(), a_message())
    assert [line.upper() for line in heard] == [b"QUIT\r\n"]


def test_a_server_that_cannot_say_goodbye_is_left() -> None:
    """What was sent stays sent, whatever becomes of QUIT."""
    for script in (takes(1), lambda talk: (takes(1)(talk), talk.hear(b"QUIT"), talk.wait())):
        with scripted_server(script) as port:
            send(plain(port, timeout=SHORT))


def test_an_interrupted_email_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl+C in the middle of an e-mail: nothing more is said over that connection."""
    heard: list[bytes] = []

    def listens(talk: Talk) -> None:
        talk.greet()
        talk.ask_for_content()
        heard.append(talk.rest())

    real = smtplib.SMTP.send

    def interrupted(client: smtplib.SMTP, text: Any) -> None:
        if isinstance(text, bytes):
            raise KeyboardInterrupt
        real(client, text)

    monkeypatch.setattr(smtplib.SMTP, "send", interrupted)
    with scripted_server(listens) as port, pytest.raises(KeyboardInterrupt):
        send(plain(port))
    assert heard == [b""]


# --- what the transport is told ------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"host": ""}, "host"),
        ({"host": "mail.example:25/"}, "host"),
        ({"host": None}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": "25"}, "port"),
        ({"security": "ssl"}, "security"),
        ({"security": ["tls"]}, "security"),
        ({"security": None}, "security"),
        ({"username": "ana"}, "username"),
        ({"password": "secret"}, "username"),
        ({"username": "ana\n", "password": "secret"}, "username"),
        ({"username": "ana", "password": "secret\0"}, "password"),
        ({"username": "ana", "password": b"secret"}, "password"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": "30"}, "timeout"),
        ({"message_timeout": 3601}, "message_timeout"),
        ({"context": "default"}, "context"),
        ({"local_hostname": "a b"}, "local_hostname"),
        ({"security": "none", "username": "ana", "password": "secret"}, "security"),
    ],
)
def test_an_argument_that_breaks_its_rule_is_refused(options: dict[str, Any], field: str) -> None:
    """By its name, and without the password."""
    with pytest.raises(InvalidValue, match=field) as refused:
        SMTPTransport(**{"host": "mail.example", **options})
    assert "secret" not in str(refused.value)
    assert SMTPTransport("mail.example").port == 587


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_usual_port_follows_the_security(security: str, port: int) -> None:
    """Where none is named."""
    assert SMTPTransport("mail.example", security=security).port == port


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_a_login_on_this_machine_needs_no_encryption(host: str) -> None:
    """Nobody is in between."""
    assert SMTPTransport(host, security="none", username="ana", password="secret").port == 25


def test_the_password_is_not_shown() -> None:
    """A transport in a log or a debugger does not give it away."""
    transport = SMTPTransport("mail.example", username="ana", password="hush hush")
    assert "ana" in repr(transport)
    assert "hush" not in repr(transport)


def test_we_call_ourselves_as_told() -> None:
    """The name in EHLO can be set, as some servers insist on one they can look up."""
    heard = []

    def listens(talk: Talk) -> None:
        talk.say(b"220 here")
        heard.append(talk.line())
        talk.say(b"250 hello")

    with (
        scripted_server(listens) as port,
        plain(port, local_hostname="erp.seller.example").connect(),
    ):
        pass
    assert heard == [b"ehlo erp.seller.example\r\n"]


# --- logs ----------------------------------------------------------------------------------


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    """No record of ours, at whatever level, and nothing on the terminal, holds a link."""
    caplog.set_level(logging.DEBUG)
    with smtp_server() as server:
        server.behaviour.will("RCPT", f"550 {LINK}")
        with plain(server.port).connect() as connection:
            with pytest.raises(MailRefused):
                connection.send(a_message())
            connection.send(a_message())
    printed = capfd.readouterr()
    assert LINK not in printed.out + printed.err
    ours = [r for r in caplog.records if not r.name.startswith(("mail.", "asyncio"))]
    assert ours == []  # aiosmtpd logs as "mail.log"
