"""The mailer: from a customer's id to a message in an outbox, and what each failure leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from basis_portal import (
    AccessRevoked,
    CustomerBlocked,
    DocumentNotFound,
    DocumentStatus,
    InvalidValue,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
    NoMailAddress,
    Portal,
    PortalConfig,
    Seller,
    TooManyMails,
)
from basis_portal.mail import (
    Mailer,
    MailKind,
    MailSkip,
    MailStatus,
    OutboxTransport,
    RunReport,
    invoice_link,
    invoice_sentence,
)
from basis_portal.testing.builders import a_customer, an_invoice, an_order
from basis_portal.testing.clocks import FrozenClock

SELLER = Seller("Nordlicht Kaffee GmbH", "Speicherstr. 1\nBerlin", "accounts@nordlicht.example")
STAFF_URL = "https://erp.example.com/settings/portal/"


class Failing:
    """A transport that fails as it is told, or hands on to another."""

    def __init__(self, inner: OutboxTransport) -> None:
        self.inner = inner
        self.connecting: list[Exception | None] = []
        self.sending: list[Exception | None] = []
        self.leaving: Exception | None = None
        self.connections = 0

    @contextmanager
    def connect(self) -> Iterator[Failing]:
        """A connection, if it is not to fail."""
        self._fail(self.connecting)
        self.connections += 1
        yield self
        if self.leaving:
            raise self.leaving

    def send(self, message: EmailMessage) -> None:
        """Send, if it is not to fail."""
        self._fail(self.sending)
        with self.inner.connect() as connection:
            connection.send(message)

    def _fail(self, errors: list[Exception | None]) -> None:
        if errors and (error := errors.pop(0)):
            raise error


@pytest.fixture
def storage(make_storage: Callable[..., Any]) -> Any:
    """One storage: what each of them does is held by tests of mailing."""
    return make_storage("memory")


@pytest.fixture
def outbox(tmp_path: Path) -> OutboxTransport:
    """Where the e-mails go."""
    return OutboxTransport(tmp_path / "outbox")


@pytest.fixture
def transport(outbox: OutboxTransport) -> Failing:
    """The way there."""
    return Failing(outbox)


@pytest.fixture
def mailer(portal: Portal, transport: Failing, storage: Any) -> Mailer:
    """A mailer of a portal with messages on; C-1004 speaks German."""
    portal.settings.save(PortalConfig(enabled=True, show_statement=True, allow_messages=True))
    storage.customers.save(
        a_customer("C-1004", name="Müller & Söhne", email="buha@mueller.example", language="de")
    )
    return Mailer(
        portal,
        transport=transport,
        sender="portal@nordlicht.example",
        seller=SELLER,
        staff="team@nordlicht.example",
        staff_url=STAFF_URL,
    )


def part(message: EmailMessage, kind: str) -> str:
    """The text or HTML part as a mail program shows it."""
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content())


# --- at once


def test_a_sent_link_opens(mailer: Mailer, outbox: OutboxTransport, clock: FrozenClock) -> None:
    """It goes to the address on file, and both parts carry the link that opens the portal."""
    mailer.portal.tokens.generate("C-1001")
    done = mailer.send_link("C-1001", by="ana")
    assert (done.status, done.by, done.address) == (MailStatus.SENT, "ana", "finance@kopi.example")
    (message,) = outbox.messages()
    link = mailer.portal.tokens.link("C-1001")
    assert link in part(message, "plain").splitlines()
    assert f'href="{link}"' in part(message, "html")
    assert message["To"] == "finance@kopi.example"
    assert message["Reply-To"] == "accounts@nordlicht.example"
    assert message["From"].addresses[0].addr_spec == "portal@nordlicht.example"
    assert message["From"].addresses[0].display_name == "Nordlicht Kaffee GmbH"
    assert message["Message-ID"] == f"<{done.id}@nordlicht.example>"
    assert message["Date"].datetime == clock.now.replace(microsecond=0)
    assert mailer.portal.open(link.rsplit("/", 1)[1]).customer.id == "C-1001"


def test_the_languages_are_the_customers(mailer: Mailer, outbox: OutboxTransport) -> None:
    """And after a regenerate the subject says that the link is new."""
    mailer.portal.tokens.generate("C-1004")
    mailer.send_link("C-1004")
    mailer.portal.tokens.regenerate("C-1004")
    mailer.send_link("C-1004")
    first, second = outbox.messages()
    assert first["Content-Language"] == second["Content-Language"] == "de"
    assert first["Subject"] != second["Subject"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MailRefused("no such user (550)", code=550), MailStatus.FAILED),
        (MailRefused("try later (451)", code=451, temporary=True), MailStatus.FAILED),
        (MailServerUnavailable("down"), MailStatus.FAILED),
        (MailOutcomeUnknown("cut"), MailStatus.UNKNOWN),
    ],
)
def test_a_failure_is_told_and_noted(
    mailer: Mailer, transport: Failing, error: MailError, status: MailStatus
) -> None:
    """Staff get the error; the token is as it was, and nothing tries it again."""
    token = mailer.portal.tokens.generate("C-1001")
    transport.sending = [error]
    with pytest.raises(type(error)) as raised:
        mailer.send_link("C-1001")
    assert raised.value is error
    (noted,) = mailer.portal.mailing.of_customer("C-1001").items
    assert (noted.status, noted.problem) == (status, str(error))
    assert mailer.portal.tokens.get("C-1001") == token
    assert list(mailer.run()) == []


def test_a_server_that_is_down_is_told(mailer: Mailer, transport: Failing) -> None:
    """Also where there is no connection to begin with."""
    mailer.portal.tokens.generate("C-1001")
    transport.connecting = [MailServerUnavailable("down")]
    with pytest.raises(MailServerUnavailable):
        mailer.send_link("C-1001")
    assert mailer.portal.mailing.of_customer("C-1001").items[0].status is MailStatus.FAILED


def test_what_a_transport_did_not_expect_is_of_unknown_outcome(
    mailer: Mailer, transport: Failing
) -> None:
    """Nobody knows what it had done by then."""
    mailer.portal.tokens.generate("C-1001")
    transport.sending = [ZeroDivisionError()]
    with pytest.raises(MailOutcomeUnknown, match="ZeroDivisionError"):
        mailer.send_link("C-1001")
    assert mailer.portal.mailing.of_customer("C-1001").items[0].status is MailStatus.UNKNOWN


@pytest.mark.parametrize(
    "email", ["a@x.example, b@y.example", "a@x.example\nBcc: b@y.example", "nobody", ""]
)
def test_what_is_not_one_address_gets_nothing(
    mailer: Mailer, storage: Any, outbox: OutboxTransport, email: str
) -> None:
    """It is parsed, not pasted. What a host's own repository may hand out is no better."""
    customer = a_customer("C-1001", email="x")
    object.__setattr__(customer, "email", email)
    storage.customers.save(a_customer("C-1001"))
    mailer.portal.tokens.generate("C-1001")
    mailer.portal.customers.get = lambda _: customer  # type: ignore[method-assign]
    with pytest.raises(NoMailAddress, match="C-1001"):
        mailer.send_link("C-1001")
    assert outbox.files() == []


def test_the_sixth_is_refused_with_the_time(mailer: Mailer, outbox: OutboxTransport) -> None:
    """As promised to staff."""
    mailer.portal.tokens.generate("C-1001")
    for _ in range(5):
        mailer.send_link("C-1001")
    with pytest.raises(TooManyMails):
        mailer.send_link("C-1001")
    assert len(outbox.files()) == 5


# --- many


def test_a_run_over_one_connection(
    mailer: Mailer, transport: Failing, outbox: OutboxTransport
) -> None:
    """It yields what became of each, and repeats nothing."""
    done = {
        one.customer_id: one for one in mailer.send_links(["C-1001", "C-1002", "C-1004"], run="r")
    }
    assert {one: mail.status for one, mail in done.items()} == {
        "C-1001": MailStatus.SENT,
        "C-1002": MailStatus.SKIPPED,
        "C-1004": MailStatus.SENT,
    }
    assert done["C-1002"].problem == MailSkip.NO_ADDRESS
    assert transport.connections == 1
    assert list(mailer.send_links(["C-1001", "C-1002", "C-1004"], run="r")) == []
    assert len(outbox.files()) == 2
    assert mailer.report("r") == RunReport("r", sent=2, skipped=1)


def test_a_refused_address_stops_nobody_else(
    mailer: Mailer, transport: Failing, outbox: OutboxTransport
) -> None:
    """One customer failed, one waits, the rest got theirs."""
    transport.sending = [MailRefused("no", code=550)]
    found = [one.status for one in mailer.send_links(["C-1001", "C-1004"], run="r")]
    assert sorted(found) == [MailStatus.FAILED, MailStatus.SENT]
    assert len(outbox.files()) == 1


def test_a_server_that_goes_away_stops_the_run(
    mailer: Mailer, transport: Failing, outbox: OutboxTransport, clock: FrozenClock
) -> None:
    """What is left waits and is sent by the next one."""
    transport.sending = [MailServerUnavailable("gone")]
    run = mailer.send_links(["C-1001", "C-1004"], run="r")
    assert next(run).status is MailStatus.QUEUED
    with pytest.raises(MailServerUnavailable):
        next(run)
    assert mailer.report("r") == RunReport("r", queued=2)
    clock.advance(minutes=15)
    assert {one.status for one in mailer.run()} == {MailStatus.SENT}
    assert len(outbox.files()) == 2


def test_a_limit_ends_a_run(mailer: Mailer) -> None:
    """For a scheduler that has only so much time."""
    for _ in mailer.portal.mailing.queue_links(["C-1001", "C-1004"], run="r"):
        pass
    assert len(list(mailer.run(limit=1))) == 1
    assert mailer.report("r").queued == 1


def test_a_run_that_is_left_in_the_middle_goes_on(mailer: Mailer, outbox: OutboxTransport) -> None:
    """Whoever stops iterating has sent what was yielded, and nothing else."""
    run = mailer.send_links(["C-1001", "C-1004"], run="r")
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert len(outbox.files()) == 1
    assert mailer.report("r") == RunReport("r", sent=1, queued=1)
    assert len(list(mailer.run())) == 1


def test_nothing_due_opens_no_connection(mailer: Mailer, transport: Failing) -> None:
    """A scheduler may call it every minute."""
    assert list(mailer.run()) == []
    assert transport.connections == 0


# --- what goes wrong on the way


def test_what_fails_before_the_sending_was_not_sent(
    mailer: Mailer, transport: Failing, clock: FrozenClock
) -> None:
    """Whatever a transport raises as it connects: nothing can have been sent."""
    mailer.portal.tokens.generate("C-1001")
    transport.connecting = [ConnectionRefusedError("port 25")]
    with pytest.raises(MailServerUnavailable, match=r"ConnectionRefusedError\) before anything"):
        mailer.send_link("C-1001")
    assert mailer.portal.mailing.of_customer("C-1001").items[0].status is MailStatus.FAILED
    transport.connecting = [ZeroDivisionError()]
    run = mailer.send_links(["C-1001", "C-1004"], run="r")
    assert next(run).status is MailStatus.QUEUED
    with pytest.raises(MailServerUnavailable):
        next(run)
    assert mailer.report("r") == RunReport("r", queued=2)
    clock.advance(minutes=15)
    assert [one.status for one in mailer.run()] == [MailStatus.SENT] * 2


@pytest.mark.parametrize("error", [MailServerUnavailable("no QUIT"), ValueError()])
def test_what_fails_after_the_sending_was_sent(
    mailer: Mailer, transport: Failing, outbox: OutboxTransport, error: Exception
) -> None:
    """Leaving a connection changes nothing."""
    transport.leaving = error
    mailer.portal.tokens.generate("C-1001")
    assert mailer.send_link("C-1001").status is MailStatus.SENT
    assert [one.status for one in mailer.send_links(["C-1004"], run="r")] == [MailStatus.SENT]
    assert len(outbox.files()) == 2


def test_a_host_that_fails_costs_no_e_mail(
    mailer: Mailer, storage: Any, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its customers cannot be looked up: all waits, and three such failures end the run."""
    ids = [f"C-2{number:03}" for number in range(5)]
    storage.customers.save(*(a_customer(one, email=f"{one}@x.example") for one in ids))
    for _ in mailer.portal.mailing.queue_links(ids, run="r"):
        pass

    def get(_: str) -> Any:
        raise ConnectionError("the ERP is away")

    with monkeypatch.context() as patch:
        patch.setattr(mailer.portal.customers, "get", get)
        run = mailer.run()
        assert [next(run).status for _ in range(3)] == [MailStatus.QUEUED] * 3
        with pytest.raises(MailError, match=r"the application failed \(ConnectionError\)"):
            next(run)
    assert mailer.report("r") == RunReport("r", queued=5)
    clock.advance(minutes=15)
    assert [one.status for one in mailer.run()] == [MailStatus.SENT] * 5


def test_one_customer_who_cannot_be_read_stops_nobody_else(
    mailer: Mailer, storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one waits."""
    get = mailer.portal.customers.get

    def broken(customer_id: str) -> Any:
        if customer_id == "C-1001":
            raise InvalidValue("Customer.name must not be empty", field="Customer.name")
        return get(customer_id)

    monkeypatch.setattr(mailer.portal.customers, "get", broken)
    found = {
        one.customer_id: one.status for one in mailer.send_links(["C-1001", "C-1004"], run="r")
    }
    assert found == {"C-1001": MailStatus.QUEUED, "C-1004": MailStatus.SENT}


# --- notices


def test_messages_reach_staff_and_replies_the_customer(
    mailer: Mailer, outbox: OutboxTransport
) -> None:
    """With what was said; never an internal note, nor the login of the staff."""
    portal = mailer.portal
    portal.tokens.generate("C-1001")
    link = portal.tokens.link("C-1001")
    portal.open(link.rsplit("/", 1)[1]).send_message("Where is INV-1042?")
    list(mailer.run())
    portal.messages.note("C-1001", "SECRET NOTE", by="bo.staff")
    portal.messages.reply("C-1001", "On its way.", by="bo.staff")
    list(mailer.run())
    to_staff, to_customer = outbox.messages()
    assert (to_staff["To"], to_customer["To"]) == ("team@nordlicht.example", "finance@kopi.example")
    for kind in ("plain", "html"):
        assert "Where is INV-1042?" in part(to_staff, kind)
        assert f"{STAFF_URL}messages/" in part(to_staff, kind)
        assert link not in part(to_staff, kind)
        assert "On its way." in part(to_customer, kind)
        assert link in part(to_customer, kind)
        assert "SECRET NOTE" not in part(to_customer, kind) + part(to_staff, kind)
        assert "bo.staff" not in part(to_customer, kind)


def test_many_replies_are_told_as_many(
    mailer: Mailer, outbox: OutboxTransport, clock: FrozenClock
) -> None:
    """The e-mail says how many earlier ones the page has besides."""
    mailer.portal.tokens.generate("C-1001")
    for number in range(53):
        mailer.portal.messages.reply("C-1001", f"answer {number}")
        clock.advance(seconds=1)
    list(mailer.run())
    text = part(outbox.messages()[0], "plain")
    lines = text.splitlines()
    assert "> answer 2" not in lines
    assert "> answer 3" in lines
    assert "and 3 earlier ones" in text


def test_without_an_address_of_staff_no_notices_for_them(
    portal: Portal, transport: Failing, text_of: Any
) -> None:
    """Customers get theirs all the same."""
    portal.settings.save(PortalConfig(enabled=True, allow_messages=True))
    mailer = Mailer(portal, transport=transport, sender="portal@nordlicht.example")
    portal.tokens.generate("C-1001")
    portal.open(text_of(portal)).send_message("one")
    assert list(mailer.run()) == []
    portal.messages.reply("C-1001", "answer")
    assert [one.kind for one in mailer.run()] == [MailKind.REPLY]
    with pytest.raises(InvalidValue, match="staff"):
        mailer.notify_of_expiry()


def test_staff_are_told_of_expiry(mailer: Mailer, outbox: OutboxTransport) -> None:
    """By name and day, where there are any."""
    assert not mailer.notify_of_expiry(within_days=7)
    mailer.portal.tokens.generate("C-1001", days=3)
    assert mailer.notify_of_expiry(within_days=7, by="cron")
    list(mailer.run())
    (message,) = outbox.messages()
    assert "Kopi Nusantara" in part(message, "plain")
    assert f"{STAFF_URL}tokens?status=soon" in part(message, "plain")


def test_further_ahead_the_list_is_of_all(mailer: Mailer, outbox: OutboxTransport) -> None:
    """The page that lists what expires soon looks a week ahead."""
    mailer.portal.tokens.generate("C-1001", days=20)
    assert mailer.notify_of_expiry(within_days=30)
    list(mailer.run())
    assert f"{STAFF_URL}tokens?status=active" in part(outbox.messages()[0], "plain")


def test_a_template_that_fails_is_named_in_the_log(
    portal: Portal, transport: Failing, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the trial at the start did not meet it."""
    (tmp_path / "link.txt").write_text(
        "Subject: S\n{{ link }}\n{% if customer.number %}\n{{ nope }}{% endif %}\n"
    )
    mailer = Mailer(portal, transport=transport, sender="p@x.example", templates=tmp_path)
    portal.tokens.generate("C-1001")
    with pytest.raises(MailError, match="could not be written"):
        mailer.send_link("C-1001")
    assert "link.txt" in caplog.text
    assert "nope" in caplog.text


# --- secrets, and what is given


def test_no_log_holds_a_link(
    mailer: Mailer, transport: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens."""
    caplog.set_level(logging.DEBUG)
    mailer.portal.tokens.generate("C-1001")
    text = mailer.portal.tokens.link("C-1001").rsplit("/", 1)[1]
    failures: list[Exception | None] = [
        None,
        MailRefused("no", code=550),
        MailOutcomeUnknown("cut"),
        ValueError(f"a transport that tells {text}"),
    ]
    told = []
    for failure in failures:
        transport.sending = [failure]
        try:
            mailer.send_link("C-1001")
        except MailError as error:
            told.append(str(error))
    assert len(told) == 3
    assert text not in "".join(told)
    assert text not in caplog.text
    assert text.split(".")[1] not in caplog.text
    assert text not in repr(mailer.portal.mailing.of_customer("C-1001"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"transport": None},
        {"transport": object()},
        {"transport": OutboxTransport},
        {"sender": "nobody"},
        {"sender": "a@x.example, b@y.example"},
        {"staff": "nobody"},
        {"staff_url": "erp.example.com"},
        {"staff_url": "javascript:alert(1)"},
        {"templates": "/nowhere"},
        {"templates": ""},
    ],
)
def test_wrong_arguments_are_refused(portal: Portal, transport: Failing, wrong: Any) -> None:
    """When the application starts, not when the first e-mail is due."""
    given = {"transport": transport, "sender": "portal@nordlicht.example", **wrong}
    with pytest.raises(InvalidValue):
        Mailer(portal, **given)
    assert portal.mailing.report().total == 0


# --- the host's own e-mails


def test_an_invoice_link_opens_the_document(portal: Portal, storage: Any) -> None:
    """An active token is kept, a first one issued."""
    storage.documents.save(an_invoice())
    link = invoice_link(portal, "C-1001", by="ana")
    token = portal.tokens.get("C-1001")
    assert token is not None
    assert token.issued_by == "ana"
    deep = invoice_link(portal, "C-1001", document=an_invoice())
    assert deep.startswith(f"{link}/document/")
    assert deep == invoice_link(portal, "C-1001", document=an_invoice().id)
    assert portal.tokens.get("C-1001") == token


@pytest.mark.parametrize(
    "document",
    [
        an_invoice("draft", status=DocumentStatus.DRAFT),
        an_invoice("foreign", customer_id="C-1002"),
        an_order("hidden"),
        "unknown",
        "",
    ],
    ids=lambda one: getattr(one, "id", one) or "empty",
)
def test_no_link_to_what_the_customer_cannot_see(
    portal: Portal, storage: Any, state: Any, document: Any
) -> None:
    """And no token is issued then."""
    if not isinstance(document, str):
        storage.documents.save(document)
    before = state()
    with pytest.raises(DocumentNotFound):
        invoice_link(portal, "C-1001", document=document)
    assert state() == before


def test_who_gets_no_invoice_link(portal: Portal) -> None:
    """As with ensure."""
    portal.tokens.generate("C-1001")
    portal.tokens.revoke("C-1001")
    with pytest.raises(AccessRevoked):
        invoice_link(portal, "C-1001")
    with pytest.raises(CustomerBlocked):
        invoice_link(portal, "C-1003")


def test_the_sentence_of_an_invoice_mail() -> None:
    """In the customer's language, with the link at its end."""
    link = "https://erp.example.com/portal/x"
    assert invoice_sentence(link) == f"See this invoice and your account online: {link}"
    assert invoice_sentence(link, "de").endswith(f": {link}")
    assert invoice_sentence(link, "de") != invoice_sentence(link)
