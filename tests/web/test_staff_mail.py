"""Links sent by e-mail from the staff's pages: what is offered, what is said, what is sent once."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

pytest.importorskip("flask")

from tests.conftest import Watched
from tests.web.conftest import BASE_URL, SELLER, Failing, authorize
from tests.web.desk import Desk, Page
from tests.web.test_staff_many import FailsAfter
from tests.web.token_pages import XSS, buttons, latest, path, portal_over, rows_of, shown_link
from werkzeug.test import Client

from basis_portal import (
    AuditEvent,
    Customer,
    InvalidValue,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
    Portal,
    PortalConfig,
    StorageError,
    TokenStatus,
)
from basis_portal.demo import seller as demo
from basis_portal.domain.mail import Mail, MailKind, MailStatus
from basis_portal.domain.url_keys import key_of
from basis_portal.mail import Mailer
from basis_portal.mail.outbox import OutboxTransport
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import HostLinks, create_app

ADDRESS = "finance@kopi.example"
SEND, IN_ROW = "Send by e-mail", "Send"
REGENERATE, GENERATE = "Regenerate", "Generate missing tokens"
HOST = HostLinks(
    name="Demo ERP", customer="/customers/{customer_id}", email_settings="/erp/settings/e-mail"
)
SET_UP = "Set up e-mail in Demo ERP"
REFUSED = MailRefused("The mail server refused the address (550)", code=550)
DOWN = MailServerUnavailable("The mail server mx.example cannot be reached")
UNKNOWN = MailOutcomeUnknown("The connection ended in the middle")
UNCHANGED = "The token is unchanged; you can still copy the link."
WAS_NOT_SENT = f"The e-mail of 14 Apr 2026, 09:12 to {ADDRESS} was not sent."
PERHAPS_SENT = (
    f"Nobody knows whether the e-mail to {ADDRESS} was sent. It may have arrived; ask before you "
    "send it again."
)
PERHAPS_ARRIVED = (
    f"Nobody knows whether the e-mail of 14 Apr 2026, 09:12 to {ADDRESS} arrived. Ask before you "
    "send it again."
)
CANNOT_BE_USED = "Nothing was sent: the e-mail address on file cannot be used. It is "

State = Callable[[], dict[str, Any]]


class Fails:
    """A transport over which nothing is sent."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @contextmanager
    def connect(self) -> Iterator[Fails]:
        """This transport itself."""
        yield self

    def send(self, message: EmailMessage) -> None:
        """Say why not."""
        raise copy(self.error)


@attrs.define
class Interrupted:
    """A transport that lets something happen while it sends."""

    inner: OutboxTransport
    meanwhile: Callable[[], object] = lambda: None

    @contextmanager
    def connect(self) -> Iterator[Interrupted]:
        """This transport itself."""
        with self.inner.connect():
            yield self

    def send(self, message: EmailMessage) -> None:
        """Send, after what happens meanwhile."""
        self.meanwhile()
        self.inner.send(message)


@pytest.fixture
def portal(storage: InMemoryStorage, clock: FrozenClock) -> Portal:
    """The portal of the invented seller; its longest account is not looked at here."""
    return demo.make_seller(storage, clock, base_url=BASE_URL, invoices=demo.DOZEN)


@pytest.fixture
def outbox(tmp_path: Path) -> OutboxTransport:
    """Where e-mails go."""
    return OutboxTransport(tmp_path / "outbox")


def mailer_of(portal: Portal, transport: Any) -> Mailer:
    """A mailer of the portal."""
    return Mailer(portal, transport=transport, sender="portal@nordlicht.example", seller=SELLER)


def desk_of(portal: Portal, transport: Any, name: str = "ana", host: HostLinks = HOST) -> Desk:
    """A member of staff at pages with a mailer, or without one where there is no transport."""
    mailer = None if transport is None else mailer_of(portal, transport)
    app = create_app(portal, authorize=authorize, seller=SELLER, host=host, mailer=mailer)
    return Desk(Client(app, use_cookies=False), name)


@pytest.fixture
def ana(portal: Portal, outbox: OutboxTransport) -> Desk:
    """A member of staff at pages with a mailer."""
    return desk_of(portal, outbox)


def change(storage: InMemoryStorage, customer_id: str = demo.KOPI, **changes: Any) -> None:
    """Change what the host says of a customer."""
    found = storage.customers.get(customer_id)
    assert found
    storage.customers.save(attrs.evolve(found, **changes))


def switch_off(portal: Portal, **settings: Any) -> None:
    """Switch the portal off."""
    portal.settings.save(PortalConfig(enabled=False, **settings), by="ana")


def mails_of(portal: Portal, customer_id: str = demo.KOPI) -> list[Mail]:
    """The e-mails to a customer, the newest first."""
    return list(portal.mailing.of_customer(customer_id))


def text_of(message: EmailMessage) -> str:
    """The plain text of an e-mail."""
    body = message.get_body(("plain",))
    assert body
    return str(body.get_content())


def recipients(outbox: OutboxTransport) -> list[str]:
    """To whom e-mails went, the oldest first."""
    return [str(one["To"]) for one in outbox.messages()]


# --- what is offered --------------------------------------------------------------------------


def test_a_row_tells_when_its_link_was_sent(ana: Desk, clock: FrozenClock) -> None:
    """An active token has Send between Copy link and More, and its row says when it was sent."""
    row = rows_of(ana.open("/tokens"))["Kopi Nusantara"]
    assert row.cells[5:] == ["Last sent: Not sent yet", "Copy link Copied Send More"]
    assert row.names == [
        "Copy link of Kopi Nusantara",
        f"Send link of Kopi Nusantara to {ADDRESS}",
        "More about Kopi Nusantara",
    ]
    clock.advance(hours=2, minutes=3)
    page = ana.do(ana.open("/tokens?q=kopi").form(IN_ROW))
    assert rows_of(page)["Kopi Nusantara"].cells[5] == "Last sent: 14 Apr 2026, 11:15"


@pytest.mark.parametrize(
    ("name", "cells", "acts"),
    [
        ("Café Lumière", ["Last sent: Not sent yet"], "Copy link Copied More"),
        ("Torrefazione Aurora", ["Last sent: Not sent yet"], "Regenerate More"),
        ("Kedai Pelabuhan Tua", ["Last sent: Not sent yet"], "Generate More"),
        ("Bean There Ltd", [""], "Generate"),
    ],
)
def test_rows_without_send(name: str, cells: list[str], acts: str, ana: Desk) -> None:
    """Without an address or an active token there is nothing to send, and no button for it."""
    assert rows_of(ana.open("/tokens"))[name].cells[5:] == [*cells, acts]


@pytest.mark.parametrize("how", ["no mailer", "reader", "off", "blocked", "no address", "two"])
def test_who_cannot_send(
    how: str, portal: Portal, storage: InMemoryStorage, outbox: OutboxTransport
) -> None:
    """Send is absent, in the list and on the page, where it could do nothing; Copy link stays."""
    desk = desk_of(portal, None if how == "no mailer" else outbox)
    if how == "reader":
        desk = desk_of(portal, outbox, "reader")
    elif how == "off":
        switch_off(portal)
    elif how == "blocked":
        change(storage, blocked=True)
    elif how == "no address":
        change(storage, email=None)
    elif how == "two":
        change(storage, email="a@kopi.example, b@kopi.example")
    tokens, token = desk.open("/tokens"), desk.open(path(demo.KOPI))
    row = rows_of(tokens)["Kopi Nusantara"]
    assert IN_ROW not in row.cells[-1].split()
    assert SEND not in buttons(token)
    assert ("Copy link" in buttons(token)) is (how not in ("reader", "blocked"))
    assert ("Last sent" in tokens.text) is (how != "no mailer")
    assert ("Not sent yet." in token.text) is (how != "no mailer")
    if how == "no address":
        assert row.cells[1] == "No e-mail address Open in Demo ERP"
    if how == "two":
        assert row.cells[1].endswith(
            "No e-mail can be sent there: this is not exactly one address."
        )


def test_the_buttons_of_a_token(ana: Desk) -> None:
    """Send by e-mail comes behind Copy link, with the address on file beside it."""
    page = ana.open(path(demo.KOPI))
    assert buttons(page) == [
        "Copy link",
        SEND,
        "Preview as customer",
        "Regenerate",
        "Revoke",
    ]
    assert "Send by e-mail to finance@ kopi.example" in page.text
    assert "email" not in page.form(SEND).names


def test_where_e_mail_is_not_set_up(portal: Portal, outbox: OutboxTransport) -> None:
    """Without a mailer the list says so, and leads to the host's settings, if it tells where."""
    page = desk_of(portal, None).open("/tokens")
    assert "E-mail is not set up: links are copied here and sent by hand." in page.text
    assert page.links()[SET_UP] == "/erp/settings/e-mail"
    for desk in (
        desk_of(portal, None, "reader"),
        desk_of(portal, None, host=HostLinks(name="Demo ERP")),
        desk_of(portal, outbox),
    ):
        page = desk.open("/tokens")
        assert page.status == 200
        assert "E-mail is not set up" not in page.text
        assert SET_UP not in page.links()


def test_a_page_of_the_list_asks_once_what_was_sent(
    storage: InMemoryStorage, clock: FrozenClock, outbox: OutboxTransport
) -> None:
    """The e-mails of all customers of a page are read at once, however many there are."""
    counts = []
    for more in (10, 40):
        storage.customers.save(*(Customer(f"K-{more}-{n}", f"K {n}") for n in range(more)))
        portal = portal_over(storage, clock)
        for n in range(more):
            portal.tokens.generate(f"K-{more}-{n}")
        watched = Watched(storage)
        desk_of(portal_over(watched, clock, customers=watched.customers), outbox).open("/tokens")
        counts.append(sum("last_sent" in str(call) for call in watched.calls))
    assert counts == [1, 1]


# --- sent -------------------------------------------------------------------------------------


def test_send_from_the_page_of_a_token(
    ana: Desk, portal: Portal, outbox: OutboxTransport, clock: FrozenClock
) -> None:
    """The link goes to the address on file; answer and page tell where it went, and when."""
    token = latest(portal)
    clock.advance(hours=5, minutes=5)
    page = ana.do(ana.open(path(demo.KOPI)).form(SEND))
    assert page.heading == "Kopi Nusantara"
    assert page.status_line == f"E-mailed to {ADDRESS} at 14:17."
    assert page.title == "E-mailed - Kopi Nusantara - Portal Access Tokens"
    assert "Last sent 14 Apr 2026, 14:17 to finance@ kopi.example." in page.text
    assert "Link e-mailed finance@kopi.example" in page.text
    (message,) = outbox.messages()
    assert message["To"] == ADDRESS
    assert shown_link(page) in text_of(message).splitlines()
    assert latest(portal) == token
    (mail,) = mails_of(portal)
    assert (mail.by, mail.status, mail.token_id) == ("ana", MailStatus.SENT, token.id)


def test_the_answer_of_another_day_has_its_day(ana: Desk, clock: FrozenClock) -> None:
    """An answer that is looked at later tells the day as well."""
    sent = ana.send(ana.open(path(demo.KOPI)).form(SEND))
    assert sent.location
    clock.advance(days=1)
    assert ana.open(sent.location).status_line == f"E-mailed to {ADDRESS} on 14 Apr 2026, 09:12."


def test_send_from_the_list_stays_there(
    portal: Portal, storage: InMemoryStorage, clock: FrozenClock, outbox: OutboxTransport
) -> None:
    """Search, filter and page are kept; the answer names the customer."""
    for n in range(120):
        storage.customers.save(Customer(f"K-{n:03}", f"K {n:03}", email=f"k{n}@kopi.example"))
        portal.tokens.generate(f"K-{n:03}", by="ana", days=100 + n)
    desk = desk_of(portal, outbox)
    second = desk.open("/tokens?status=active").links()["Next"]
    page = desk.open(second)
    name = list(rows_of(page))[7]
    form = next(one for one in page.forms if one.action.endswith(f"{key_of('K-' + name[2:])}/send"))
    done = desk.do(form)
    assert list(rows_of(done)) == list(rows_of(page))
    assert done.form("Filter").fields["status"] == "active"
    address = f"k{int(name[2:])}@kopi.example"
    assert done.status_line == f"{name}: E-mailed to {address} at 09:12."
    assert done.title == "E-mailed - Portal Access Tokens"
    assert recipients(outbox) == [address]


def test_an_earlier_link_is_told_apart(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """What was sent before the token was replaced is not the present link."""
    ana.do(ana.open(path(demo.KOPI)).form(SEND))
    clock.advance(days=1)
    portal.tokens.regenerate(demo.KOPI, by="Ben")
    text = ana.open(path(demo.KOPI)).text
    words = "Not sent yet; an earlier link was sent 14 Apr 2026, 09:12 to finance@ kopi.example."
    assert words in text
    row = rows_of(ana.open("/tokens"))["Kopi Nusantara"]
    assert row.cells[5] == "Last sent: Not sent yet"


# --- pressed twice ----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["/tokens?q=kopi", path(demo.KOPI)])
def test_a_form_sent_twice_sends_one_e_mail(where: str, ana: Desk, outbox: OutboxTransport) -> None:
    """The second answer is that of the first; a form of a page that was loaded anew sends again."""
    page = ana.open(where)
    form = page.form(IN_ROW if "?" in where else SEND)
    first, second = ana.do(form), ana.do(form)
    assert first.status_line == second.status_line
    assert first.status_line.endswith(f"E-mailed to {ADDRESS} at 09:12.")
    assert len(outbox.messages()) == 1
    ana.do(ana.open(where).form(form.buttons[0]))
    assert len(outbox.messages()) == 2


def test_a_second_click_while_the_first_is_sending(portal: Portal, outbox: OutboxTransport) -> None:
    """It says that the e-mail is being sent, and sends none; loaded again, that it was."""
    transport = Interrupted(outbox)
    desk = desk_of(portal, transport)
    form, seen = desk.open(path(demo.KOPI)).form(SEND), []
    transport.meanwhile = lambda: seen.append(desk.send(form))
    desk.do(form)
    assert recipients(outbox) == [ADDRESS]
    assert seen[0].location
    assert desk.open(seen[0].location).status_line == f"E-mailed to {ADDRESS} at 09:12."


def test_what_is_said_while_it_is_sending(portal: Portal, outbox: OutboxTransport) -> None:
    """The page that one looks at meanwhile tells it once, whether by an answer or by itself."""
    transport = Interrupted(outbox)
    desk = desk_of(portal, transport)
    form, seen = desk.open(path(demo.KOPI)).form(SEND), []
    words = f"The e-mail to {ADDRESS} is being sent. Load this page again to see what became of it."

    def look() -> None:
        seen.extend((desk.do(form), desk.open(path(demo.KOPI))))

    transport.meanwhile = look
    desk.do(form)
    answer, page = seen
    assert answer.status_line == words
    assert answer.text.count(words) == page.text.count(words) == 1
    assert words not in desk.open(path(demo.KOPI)).text


def test_the_fifth_pressed_twice_is_not_the_sixth(ana: Desk, outbox: OutboxTransport) -> None:
    """A second click on what was just sent is no e-mail more, and is not refused as one."""
    for _ in range(4):
        ana.do(ana.open(path(demo.KOPI)).form(SEND))
    form = ana.open(path(demo.KOPI)).form(SEND)
    for _ in range(2):
        assert ana.do(form).status_line == f"E-mailed to {ADDRESS} at 09:12."
    assert len(outbox.messages()) == 5


def test_one_id_is_one_e_mail(portal: Portal, outbox: OutboxTransport, state: State) -> None:
    """Under an id that is given one e-mail is sent, for one customer and by one person."""
    mailer, mail_id = mailer_of(portal, outbox), "m" * 22
    first = mailer.send_link(demo.KOPI, by="ana", mail_id=mail_id)
    assert first.id == mail_id
    assert mailer.send_link(demo.KOPI, by="ana", mail_id=mail_id) == first
    portal.tokens.revoke(demo.KOPI)
    assert mailer.send_link(demo.KOPI, by="ana", mail_id=mail_id) == first
    before = state()
    for customer_id, by in ((demo.MUELLER, "ana"), (demo.KOPI, "Ben"), (demo.KOPI, None)):
        with pytest.raises(InvalidValue, match="mail_id is that of another e-mail"):
            mailer.send_link(customer_id, by=by, mail_id=mail_id)
    for bad in ("", "x", "m" * 23, 22 * "\n", 7):
        with pytest.raises(InvalidValue, match="mail_id"):
            mailer.send_link(demo.KOPI, by="ana", mail_id=bad)  # type: ignore[arg-type]
    assert state() == before
    assert recipients(outbox) == [ADDRESS]
    assert mailer.send_link(demo.MUELLER, by="ana").id != mailer.send_link(demo.MUELLER).id


def test_a_failed_one_pressed_twice(portal: Portal, outbox: OutboxTransport) -> None:
    """What failed is not tried again by the same form: it answers as it did."""
    desk = desk_of(portal, Fails(REFUSED))
    form = desk.open(path(demo.KOPI)).form(SEND)
    first = desk.do(form)
    assert desk_of(portal, outbox).do(form).alert == first.alert
    assert outbox.messages() == []


# --- not sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "answer", "note", "title"),
    [
        (
            REFUSED,
            f"The mail server refused the address (550). {UNCHANGED}",
            f"{WAS_NOT_SENT} The mail server refused the address (550).",
            "Not e-mailed",
        ),
        (
            DOWN,
            f"The mail server mx.example cannot be reached. {UNCHANGED}",
            f"{WAS_NOT_SENT} The mail server mx.example cannot be reached.",
            "Not e-mailed",
        ),
        (
            UNKNOWN,
            PERHAPS_SENT,
            PERHAPS_ARRIVED,
            "Perhaps sent",
        ),
    ],
)
@pytest.mark.parametrize("in_list", [False, True])
def test_what_is_said_where_it_failed(
    error: MailError,
    answer: str,
    note: str,
    title: str,
    in_list: bool,
    portal: Portal,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Why it was not sent is said at once, and stays on the page; the token is unchanged."""
    caplog.set_level(logging.DEBUG)
    desk, token = desk_of(portal, Fails(error)), latest(portal)
    page = desk.open("/tokens?q=kopi" if in_list else path(demo.KOPI))
    page = desk.do(page.form(IN_ROW if in_list else SEND))
    assert page.alert == (f"Kopi Nusantara: {answer}" if in_list else answer)
    assert page.title.startswith(f"{title} - ")
    assert page.status_line is None
    assert page.links()[SET_UP] == HOST.email_settings
    assert latest(portal) == token
    assert rows_of(desk.open("/tokens"))["Kopi Nusantara"].cells[5] == "Last sent: Not sent yet"
    later = desk.open(path(demo.KOPI))
    assert f'<p class="notice">{note}</p>' in later.html
    assert later.links()[SET_UP] == HOST.email_settings
    assert f"E-mailing the link failed {error}" in later.text
    secret = portal.tokens.link(demo.KOPI).rsplit("/", 1)[1]
    assert type(error).__name__ in caplog.text
    assert secret not in caplog.text
    assert secret.split(".")[0] not in caplog.text


def test_what_was_sent_later_ends_the_note(
    portal: Portal, outbox: OutboxTransport, clock: FrozenClock
) -> None:
    """Of a failure nothing is said any more once an e-mail was sent, or the token replaced."""
    desk = desk_of(portal, Fails(REFUSED))
    desk.do(desk.open(path(demo.KOPI)).form(SEND))
    assert "was not sent. The mail server refused" in desk.open(path(demo.KOPI)).text
    clock.advance(minutes=1)
    portal.tokens.regenerate(demo.KOPI, by="Ben")
    assert "was not sent. The mail server refused" not in desk.open(path(demo.KOPI)).text
    desk.do(desk.open(path(demo.KOPI)).form(SEND))
    assert "was not sent. The mail server refused" in desk.open(path(demo.KOPI)).text
    clock.advance(minutes=1)
    desk = desk_of(portal, outbox)
    page = desk.do(desk.open(path(demo.KOPI)).form(SEND))
    assert "was not sent. The mail server refused" not in page.text
    assert page.alert == ""


def test_an_e_mail_whose_sender_was_ended(
    portal: Portal, outbox: OutboxTransport, clock: FrozenClock
) -> None:
    """Where the process ended on the way nobody knows; after ten minutes the page says so."""

    def end() -> None:
        raise SystemExit

    transport = Interrupted(outbox, end)
    desk = desk_of(portal, transport)
    form = desk.open(path(demo.KOPI)).form(SEND)
    with pytest.raises(SystemExit):
        desk.send(form)
    assert "is being sent" in desk.open(path(demo.KOPI)).text
    clock.advance(minutes=10, seconds=1)
    assert (
        "Nobody knows whether the e-mail of 14 Apr 2026, 09:12" in desk.open(path(demo.KOPI)).text
    )


def test_an_e_mail_that_waits(ana: Desk, portal: Portal) -> None:
    """One that a run has queued is told on the page of the token."""
    list(portal.mailing.queue_links([demo.KOPI], run="r"))
    words = "An e-mail with the link has been waiting to be sent since 14 Apr 2026, 09:12."
    page = ana.open(path(demo.KOPI))
    assert words in page.text
    assert SET_UP not in page.links()
    assert "waiting to be sent" not in ana.open(path(demo.MUELLER)).text


@pytest.mark.parametrize("in_list", [False, True])
def test_five_in_thirty_minutes(
    in_list: bool, ana: Desk, portal: Portal, outbox: OutboxTransport, clock: FrozenClock
) -> None:
    """The sixth is refused with the time from which it may be sent; then it is sent.

    The first went 30 seconds after a full minute: a time that is not a full minute is rounded up.
    """
    clock.advance(seconds=30)
    where, button = ("/tokens?q=kopi", IN_ROW) if in_list else (path(demo.KOPI), SEND)
    for _ in range(5):
        ana.do(ana.open(where).form(button))
        clock.advance(minutes=4)
    form = ana.open(where).form(button)
    page = ana.send(form)
    assert page.status == 429
    words = "5 e-mails in the last 30 minutes. You can send again at 09:43."
    assert page.alert == (f"Kopi Nusantara: {words}" if in_list else words)
    assert page.title.startswith("Not e-mailed - ")
    assert SET_UP not in page.links()
    if in_list:
        assert list(rows_of(page)) == ["Kopi Nusantara"]
    assert len(mails_of(portal)) == 5
    clock.advance(minutes=10, seconds=30)  # the time that was named
    ana.do(page.form(button))
    assert len(outbox.messages()) == 6


@pytest.mark.parametrize(
    ("meanwhile", "words"),
    [
        (
            lambda portal, storage, clock: portal.tokens.revoke(demo.KOPI, by="Ben"),
            "Ben revoked this token a moment ago. Nothing was changed.",
        ),
        (
            lambda portal, storage, clock: clock.advance(days=26),
            "There is no active token, and so no link to send.",
        ),
        (
            lambda portal, storage, clock: change(storage, blocked=True),
            "Kopi Nusantara is blocked in Demo ERP and gets no link. Nothing was changed.",
        ),
        (
            lambda portal, storage, clock: change(storage, email=None),
            "Kopi Nusantara has no e-mail address: nothing was sent.",
        ),
        (
            lambda portal, storage, clock: change(storage, email=f"a@b.example, {XSS}"),
            f"{CANNOT_BE_USED}a@b.example, {XSS}",
        ),
        (
            lambda portal, storage, clock: storage.customers.delete(demo.KOPI),
            "There is no such customer in Demo ERP any more.",
        ),
        (
            lambda portal, storage, clock: switch_off(portal),
            "The portal is off: the link would show nothing, and was not sent.",
        ),
    ],
    ids=["revoked", "expired", "blocked", "no address", "no single one", "gone", "off"],
)
@pytest.mark.parametrize("in_list", [False, True])
def test_what_changed_meanwhile(
    in_list: bool,
    meanwhile: Callable[[Portal, InMemoryStorage, FrozenClock], object],
    words: str,
    ana: Desk,
    portal: Portal,
    storage: InMemoryStorage,
    clock: FrozenClock,
    outbox: OutboxTransport,
) -> None:
    """Where the link cannot be sent any more the page says why; nothing is noted nor sent."""
    form = ana.open("/tokens?q=kopi" if in_list else path(demo.KOPI))
    form = form.form(IN_ROW if in_list else SEND)
    meanwhile(portal, storage, clock)
    page = ana.send(form)
    assert page.status == 409
    said = page.alert or page.status_line
    name = "Kopi Nusantara" if storage.customers.get(demo.KOPI) else demo.KOPI
    assert said == (f"{name}: {words}" if in_list else words)
    assert "<script>alert" not in page.html
    assert mails_of(portal) == []
    assert outbox.messages() == []
    if in_list:
        assert page.heading == "Portal Access Tokens"
        assert page.form("Filter").fields["q"] == "kopi"


def test_a_storage_that_fails_after_the_e_mail_went(
    portal: Portal, storage: InMemoryStorage, clock: FrozenClock, outbox: OutboxTransport
) -> None:
    """The page does not say that nothing was sent; it shows that the e-mail was on its way."""
    failing = Failing(storage)
    portal = portal_over(failing, clock)
    transport = Interrupted(outbox)
    desk = desk_of(portal, transport)
    form = desk.open(path(demo.KOPI)).form(SEND)

    def fail() -> None:
        failing.error, failing.only = (lambda: StorageError("disk full")), "transact"

    transport.meanwhile = fail
    page = desk.send(form)
    assert page.status == 503
    assert page.alert == "The storage failed. Nobody knows whether the e-mail was sent."
    assert "is being sent" in page.text
    failing.error = None
    assert recipients(outbox) == [ADDRESS]
    assert "is being sent" in desk.open(path(demo.KOPI)).text


# --- what an address may claim ----------------------------------------------------------------


def test_an_address_claims_nothing(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """An answer is made from what is on record: of this customer, of staff, and nothing else."""
    other = parse_qs(
        urlsplit(ana.send(ana.open(path(demo.MUELLER)).form(SEND)).location or "").query
    )
    list(portal.mailing.queue_links([demo.KOPI], run="r"))
    (queued,) = mails_of(portal)
    kopi = key_of(demo.KOPI)
    for mail in (other["mail"][0], queued.id, "x" * 22, "", XSS, "\x00"):
        for where, more in ((path(demo.KOPI), {}), ("/tokens", {"customer": kopi})):
            page = ana.open(where, query_string={"done": "mailed", "mail": mail, **more})
            assert page.status == 200
            assert (page.status_line, page.alert) == (None, "")
        page = ana.open(path(demo.KOPI), query_string={"done": "regenerated", "mail": mail})
        assert page.status_line
        assert "e-mail" not in page.status_line.lower()
    for key in ("", "x", key_of("nobody"), XSS, "\x00"):
        page = ana.open("/tokens", query_string={"done": "mailed", "customer": key, **other})
        assert page.status == 200
        assert (page.status_line, page.alert) == (None, "")


# --- who may, and from where ------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{"form": None}, {"form": "x"}, {"mail": None}, {"mail": "x"}, {"mail": XSS}],
    ids=str,
)
@pytest.mark.parametrize("in_list", [False, True])
def test_a_form_that_does_not_verify(
    changes: dict[str, str | None], in_list: bool, ana: Desk, outbox: OutboxTransport, state: State
) -> None:
    """It is asked for once more, on the page where it stood; nothing is sent."""
    page = ana.open("/tokens?q=kopi" if in_list else path(demo.KOPI))
    button = IN_ROW if in_list else SEND
    form, before = page.form(button), state()
    page = ana.send(form, **changes)
    assert page.status == 403
    assert page.alert == "Please press Send once more."
    assert (page.heading == "Portal Access Tokens") is in_list
    assert state() == before
    ana.do(page.form(button) if in_list else ana.open(path(demo.KOPI)).form(SEND))
    assert len(outbox.messages()) == 1


def test_an_id_of_another_e_mail(ana: Desk, outbox: OutboxTransport, portal: Portal) -> None:
    """A form that was given the id of somebody else's e-mail sends nothing and tells nothing."""
    ana.do(ana.open(path(demo.MUELLER)).form(SEND))
    (theirs,) = mails_of(portal, demo.MUELLER)
    page = ana.send(ana.open(path(demo.KOPI)).form(SEND), mail=theirs.id)
    assert page.status == 404
    assert len(outbox.messages()) == 1


def test_a_form_of_another_site_or_of_a_reader(
    ana: Desk, portal: Portal, outbox: OutboxTransport, state: State
) -> None:
    """What comes from another site, or from who may only look, is refused; so is GET."""
    form, before = ana.open(path(demo.KOPI)).form(SEND), state()
    assert ana.send(form, {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert desk_of(portal, outbox, "reader").send(form).status == 403
    assert ana.open(f"{path(demo.KOPI)}/send").status == 405
    assert desk_of(portal, None).send(form).status == 404
    assert ana.send(form, mail="y" * 22).status == 303  # a control
    assert state() != before
    assert len(outbox.messages()) == 1


# --- regenerate -------------------------------------------------------------------------------

BOX = "E-mail the new link to finance@ kopi.example"


def regenerate(desk: Desk, **typed: Any) -> Page:
    """Replace the token of Kopi Nusantara."""
    return desk.send(desk.open(f"{path(demo.KOPI)}/regenerate").form(REGENERATE), **typed)


def test_regenerate_and_e_mail(ana: Desk, portal: Portal, outbox: OutboxTransport) -> None:
    """With the box ticked the new link is e-mailed, and both is said; without it none is."""
    page = ana.open(f"{path(demo.KOPI)}/regenerate")
    assert BOX in page.text
    assert "email" not in page.form(REGENERATE).fields
    assert ana.do(page.form(REGENERATE)).status_line.startswith("Token regenerated.")
    assert outbox.messages() == []
    answer = regenerate(ana, email="1")
    assert answer.location
    page = ana.open(answer.location)
    until = "Thu 14 May 2026, 09:12 (UTC)"
    assert page.status_line == (
        f"Token regenerated. The old link no longer works; the new one works until {until}. "
        f"E-mailed to {ADDRESS} at 09:12."
    )
    assert page.title.startswith("Token regenerated - ")
    (message,) = outbox.messages()
    assert shown_link(page) in text_of(message)
    assert "It replaces the link we sent before" in " ".join(text_of(message).split())


@pytest.mark.parametrize("how", ["no mailer", "off", "no address"])
def test_regenerate_where_nothing_can_be_sent(
    how: str, portal: Portal, storage: InMemoryStorage, outbox: OutboxTransport
) -> None:
    """There is no box; and a form that has it all the same regenerates."""
    desk = desk_of(portal, None if how == "no mailer" else outbox)
    if how == "off":
        switch_off(portal)
    if how == "no address":
        change(storage, email=None)
    page, token = desk.open(f"{path(demo.KOPI)}/regenerate"), latest(portal)
    assert "E-mail the new link" not in page.text
    answer = desk.send(page.form(REGENERATE), email="1", mail="m" * 22)
    assert latest(portal) != token
    if how == "no mailer":
        assert answer.status == 303
    else:
        assert answer.status == 409
        assert answer.alert.startswith("Token regenerated. ")
        assert ". The e-mail was not sent: " in answer.alert
    assert outbox.messages() == []


@pytest.mark.parametrize(
    ("error", "words", "title"),
    [
        (
            REFUSED,
            "The e-mail was not sent: The mail server refused the address (550).",
            "Token regenerated, not e-mailed",
        ),
        (
            UNKNOWN,
            PERHAPS_SENT,
            "Token regenerated",
        ),
    ],
)
def test_regenerate_stands_where_the_e_mail_fails(
    error: MailError, words: str, title: str, portal: Portal
) -> None:
    """The token is a new one all the same, and both is said."""
    desk, token = desk_of(portal, Fails(error)), latest(portal)
    answer = regenerate(desk, email="1")
    assert answer.location
    page = desk.open(answer.location)
    assert latest(portal).replaces == token.id
    assert page.alert.startswith("Token regenerated. The old link no longer works; ")
    assert page.alert.endswith(f" {words}")
    assert page.title.startswith(f"{title} - ")
    assert page.text.count(words) == 1


def test_regenerate_where_many_were_sent(
    ana: Desk, portal: Portal, outbox: OutboxTransport
) -> None:
    """Too many e-mails do not keep anybody from a new link; what was not sent is said with it."""
    for _ in range(5):
        ana.do(ana.open(path(demo.KOPI)).form(SEND))
    token = latest(portal)
    page = regenerate(ana, email="1")
    assert page.status == 429
    assert page.alert.endswith(
        " The e-mail was not sent: 5 e-mails in the last 30 minutes. You can send again at 09:42."
    )
    assert latest(portal).replaces == token.id
    assert shown_link(page) == portal.tokens.link(demo.KOPI)
    assert len(outbox.messages()) == 5


def test_regenerate_pressed_twice(ana: Desk, portal: Portal, outbox: OutboxTransport) -> None:
    """One token and one e-mail, however often the form is sent."""
    form = ana.open(f"{path(demo.KOPI)}/regenerate").form(REGENERATE)
    ana.do(form, email="1")
    token, second = latest(portal), ana.send(form, email="1")
    assert second.status == 409
    assert "Last sent 14 Apr 2026, 09:12" in second.text
    assert latest(portal) == token
    assert len(outbox.messages()) == 1


def test_the_box_stays_ticked(ana: Desk) -> None:
    """A form that does not verify comes back as it was filled in."""
    page = regenerate(ana, email="1", form="stale")
    assert page.status == 403
    assert page.form(REGENERATE).fields["email"] == "1"
    assert "email" not in regenerate(ana, form="stale").form(REGENERATE).fields


# --- revoke -----------------------------------------------------------------------------------


def test_revoke_tells_where_the_link_went(
    ana: Desk, portal: Portal, clock: FrozenClock, storage: InMemoryStorage
) -> None:
    """The question says when and where the link was sent, and when it was opened."""
    words = "It stops working at once, also in e-mails already sent"
    assert f"{words}." in ana.open(f"{path(demo.MUELLER)}/revoke").text.replace(
        " (last opened", "."
    )
    portal.tokens.regenerate(demo.KOPI, by="Ben")
    assert f"{words}. This" in ana.open(f"{path(demo.KOPI)}/revoke").text
    ana.do(ana.open(path(demo.KOPI)).form(SEND))
    sent = f"last sent 14 Apr 2026, 09:12 to {ADDRESS}"
    assert f"{words} ({sent})." in ana.open(f"{path(demo.KOPI)}/revoke").text
    clock.advance(hours=1)
    portal.open(portal.tokens.link(demo.KOPI).rsplit("/", 1)[1])
    text = ana.open(f"{path(demo.KOPI)}/revoke").text
    assert f"{words} ({sent}; last opened 14 Apr 2026, 10:12)." in text


# --- many at once -----------------------------------------------------------------------------

MISSING, ALL = "/generate-missing", "/revoke-all"
ISSUE = "Issue new tokens to these customers"


def queued(portal: Portal) -> list[str]:
    """Whom a queued e-mail concerns, in the order of their ids."""
    ids = [one.id for one in portal.customers.search("", limit=200)]
    return [
        one for one in ids for mail in mails_of(portal, one) if mail.status is MailStatus.QUEUED
    ]


def test_generate_missing_and_e_mail(
    ana: Desk, portal: Portal, storage: InMemoryStorage, outbox: OutboxTransport, clock: FrozenClock
) -> None:
    """Who got a token and has an address is queued, once for each form; the answer counts them."""
    storage.customers.save(Customer("K-1", "K 1"), Customer("K-2", "K 2", email="k@k.example"))
    page = ana.open(MISSING)
    assert "E-mail each customer their link" in page.text
    assert "Nothing is e-mailed." not in page.text
    form = page.form(GENERATE)
    assert "email" not in form.fields
    answer = ana.send(form, email="1")
    assert answer.location
    done = ana.open(answer.location)
    assert done.status_line == (
        "4 tokens generated, 1 customer left out (revoked), 1 has no e-mail address. "
        "3 e-mails queued; they go out with the next run of 'basis-portal mail run'."
    )
    assert done.title == "4 tokens generated - Portal Access Tokens"
    assert queued(portal) == [demo.BEAN_THERE, "K-2", demo.AURORA]
    assert {mail.by for mail in mails_of(portal, "K-2")} == {"ana"}
    run = parse_qs(urlsplit(answer.location).query)["run"][0]
    assert run.startswith("generated 2026-04-14 09:12 ")
    assert outbox.messages() == []
    again = ana.do(form, email="1")
    assert again.status_line.startswith("0 tokens generated, ")
    assert len(queued(portal)) == 3
    mails = list(mailer_of(portal, outbox).run(run=run, limit=2))
    assert len(mails) == 2
    assert ana.open(answer.location).status_line.endswith("E-mails: 2 sent, 1 still to be sent.")
    list(mailer_of(portal, Fails(REFUSED)).run())
    assert ana.open(answer.location).status_line.endswith("E-mails: 2 sent, 1 not sent.")


def test_generate_missing_without_e_mails(
    ana: Desk, portal: Portal, storage: InMemoryStorage, outbox: OutboxTransport
) -> None:
    """Nothing is queued unless it is asked for, or where it cannot be sent."""
    done = ana.do(ana.open(MISSING).form(GENERATE))
    assert done.status_line == "2 tokens generated, 1 customer left out (revoked)."
    storage.customers.save(Customer("K-2", "K 2", email="k@k.example"))
    desk = desk_of(portal, None)
    page = desk.open(MISSING)
    assert "Nothing is e-mailed." in page.text
    assert "E-mail each customer" not in page.text
    desk.do(page.form(GENERATE), email="1")
    storage.customers.save(Customer("K-3", "K 3", email="k@k.example"))
    switch_off(portal)
    page = ana.open(MISSING)
    assert "E-mail each customer" not in page.text
    ana.do(page.form(GENERATE))
    assert queued(portal) == []


def test_e_mails_asked_for_before_the_portal_was_off(
    ana: Desk, portal: Portal, outbox: OutboxTransport
) -> None:
    """They are queued all the same, and it is said that they wait."""
    form = ana.open(MISSING).form(GENERATE)
    switch_off(portal)
    answer = ana.send(form, email="1")
    assert answer.location
    waits = "2 e-mails queued; they wait until the portal is switched on."
    assert (ana.open(answer.location).status_line or "").endswith(waits)
    assert queued(portal) == [demo.BEAN_THERE, demo.AURORA]
    assert list(mailer_of(portal, outbox).run()) == []
    config = portal.settings.get().config
    portal.settings.save(attrs.evolve(config, enabled=True))
    assert len(list(mailer_of(portal, outbox).run())) == 2
    switch_off(portal)
    assert (ana.open(answer.location).status_line or "").endswith("E-mails: 2 sent.")


@pytest.mark.parametrize(
    "run", ["", "r", "generated x", XSS, f"generated 2026-04-14 09:12 {'x' * 11}"]
)
def test_a_run_nobody_knows(run: str, ana: Desk, portal: Portal) -> None:
    """An address that names no run of these pages tells of none."""
    list(portal.mailing.queue_links([demo.KOPI], run="r"))
    page = ana.open("/tokens", query_string={"done": "issued", "issued": "1", "run": run})
    assert page.status_line == "1 token generated."


def many_customers(storage: InMemoryStorage, clock: FrozenClock) -> tuple[Portal, Any, list[str]]:
    """A portal with 25 customers who have an address, a storage that can fail, and their ids."""
    ids = [f"K-{n:02}" for n in range(25)]
    storage.customers.save(*(Customer(one, one, email=f"{one}@k.example") for one in ids))
    failing = FailsAfter(storage, 9)
    portal = portal_over(failing, clock)
    portal.settings.save(PortalConfig(enabled=True), by="ana")
    return portal, failing, ids


def with_tokens(portal: Portal) -> list[str]:
    """Who has an active token that Ana issued."""
    tokens = portal.tokens.list(status=TokenStatus.ACTIVE, limit=200)
    return sorted(one.customer_id for one in tokens if one.issued_by == "ana")


@pytest.mark.parametrize("left", [0, 1, 2])
def test_issuing_that_stops_goes_on_with_its_e_mails(
    left: int,
    storage: InMemoryStorage,
    clock: FrozenClock,
    outbox: OutboxTransport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever the storage fails, whoever got a token has an e-mail; pressing again does the rest.

    So it is from a new page as well: nothing hangs on the form that was answered.
    """
    monkeypatch.setattr("basis_portal.tokens.BATCH", 10)
    portal, failing, ids = many_customers(storage, clock)
    portal.tokens.generate("K-07", by="Ben")
    clock.advance(seconds=1)
    desk = desk_of(portal, outbox)
    failing.left = left
    stopped = desk.send(desk.open(MISSING).form(GENERATE), email="1")
    assert stopped.status == 503
    assert queued(portal) == with_tokens(portal) == [o for o in ids[: 10 * left] if o != "K-07"]
    form = stopped.form(GENERATE)
    assert form.fields["email"] == "1"
    clock.advance(minutes=1)
    failing.left = 0
    again = desk.send(form)
    assert again.status == 503
    assert again.form(GENERATE).fields == form.fields
    failing.left = 9
    desk.do(desk.open(MISSING).form(GENERATE) if left == 1 else form, email="1")
    assert queued(portal) == with_tokens(portal) == [one for one in ids if one != "K-07"]


def test_a_host_that_fails_leaves_nobody_without_an_e_mail(
    storage: InMemoryStorage,
    clock: FrozenClock,
    outbox: OutboxTransport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does the list of customers, which is the host's, whatever it raises."""
    monkeypatch.setattr("basis_portal.tokens.BATCH", 10)
    monkeypatch.setattr("basis_portal.web.staff.many.BATCH", 10)
    _, _, ids = many_customers(storage, clock)
    watched: Any = Watched(storage)
    portal = portal_over(watched, clock)
    desk, pages = desk_of(portal, outbox), iter(range(9))
    form = desk.open(MISSING).form(GENERATE)

    def fail() -> None:
        if next(pages) == 2:
            raise RuntimeError("the ERP is gone")

    watched.before["customers.search"] = fail
    stopped = desk.send(form, email="1")
    assert stopped.status == 500
    del watched.before["customers.search"]
    assert queued(portal) == with_tokens(portal) == ids[:20]
    desk.do(stopped.form(GENERATE))
    assert queued(portal) == with_tokens(portal) == ids


@pytest.mark.parametrize("left", [0, 1, 2])
def test_issuing_anew_that_stops_goes_on_with_its_e_mails(
    left: int,
    storage: InMemoryStorage,
    clock: FrozenClock,
    outbox: OutboxTransport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a leak too: whoever got a new token has an e-mail, and the others are still there."""
    monkeypatch.setattr("basis_portal.web.staff.acts.PAGE", 10)
    portal, failing, ids = many_customers(storage, clock)
    list(portal.tokens.ensure_many(ids, by="ana"))
    clock.advance(seconds=1)
    desk = desk_of(portal, outbox)
    reason = {"reason": "The list was leaked", "confirm": "REVOKE"}
    done = desk.do(desk.open(ALL).form("Revoke all tokens"), **reason)
    failing.left = left
    stopped = desk.send(done.form(ISSUE), email="1")
    assert stopped.status == 503
    assert queued(portal) == with_tokens(portal)
    assert len(with_tokens(portal)) == 10 * left
    failing.left = 9
    desk.do(stopped.form(ISSUE))
    assert queued(portal) == with_tokens(portal) == ids


def test_new_tokens_after_a_leak_are_e_mailed(ana: Desk, portal: Portal) -> None:
    """Who gets a new token after all were revoked is queued, where that is asked for."""
    done = ana.do(
        ana.open(ALL).form("Revoke all tokens"), reason="The list was leaked", confirm="REVOKE"
    )
    assert "Nothing is e-mailed." not in done.text
    page = ana.do(done.form(ISSUE), email="1")
    assert page.status_line == (
        "6 tokens generated, 1 has no e-mail address. 5 e-mails queued; they go out with the next "
        "run of 'basis-portal mail run'."
    )
    assert len(queued(portal)) == 5


# --- what happened ----------------------------------------------------------------------------


def test_what_a_visitor_asked_for(
    ana: Desk, portal: Portal, outbox: OutboxTransport, clock: FrozenClock
) -> None:
    """An e-mail that the button on the page of an expired link brought is told as such."""
    token = latest(portal, demo.AURORA)
    portal.mailing.ask_for_renewal(portal._context.link(token.id).rsplit("/", 1)[1])
    list(mailer_of(portal, Fails(REFUSED)).run())
    text = ana.open(path(demo.AURORA)).text
    assert (
        "Visitor E-mailing the link failed, which was asked for on the page of an expired link"
        in text
    )
    clock.advance(hours=1)
    portal.mailing.ask_for_renewal(portal._context.link(token.id).rsplit("/", 1)[1])
    list(mailer_of(portal, outbox).run())
    text = ana.open(path(demo.AURORA)).text
    assert (
        "Visitor Link e-mailed, as asked for on the page of an expired link conti@aurora.example"
        in text
    )


def test_every_event_has_words(ana: Desk) -> None:
    """No event of the trail is without words."""
    from basis_portal.web.staff.happened import WORDS

    assert set(WORDS) == set(AuditEvent)


# --- replies ----------------------------------------------------------------------------------


def reply(desk: Desk) -> str | None:
    """Answer Kopi Nusantara, and give what is said then."""
    form = desk.open(f"/messages/{key_of(demo.KOPI)}").form("Send reply")
    return desk.do(form, text="It is on its way.").status_line


def test_who_is_told_of_a_reply(ana: Desk, portal: Portal, outbox: OutboxTransport) -> None:
    """While an e-mail waits to tell the customer, the page says so, and where it goes."""
    assert reply(ana) == f"Reply sent. Kopi Nusantara gets an e-mail at {ADDRESS}."
    list(mailer_of(portal, outbox).run())
    page = ana.open(f"/messages/{key_of(demo.KOPI)}?done=replied")
    assert page.status_line == "Reply sent."


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (lambda portal, storage: portal.tokens.revoke(demo.KOPI), ""),
        (lambda portal, storage: change(storage, blocked=True), ""),
        (lambda portal, storage: switch_off(portal, allow_messages=True), ""),
        (
            lambda portal, storage: portal.settings.save(PortalConfig(enabled=True)),
            "",
        ),
        (
            lambda portal, storage: change(storage, email=None),
            " Kopi Nusantara has no e-mail address, and is not told of it.",
        ),
    ],
    ids=["revoked", "blocked", "off", "messages off", "no address"],
)
def test_who_is_not_told_of_a_reply(
    before: Callable[[Portal, InMemoryStorage], object],
    words: str,
    ana: Desk,
    portal: Portal,
    storage: InMemoryStorage,
) -> None:
    """Nobody is promised an e-mail that will not be sent."""
    before(portal, storage)
    assert reply(ana) == f"Reply sent.{words}"
    assert [mail.kind for mail in mails_of(portal)] == [MailKind.REPLY]


def test_a_reply_where_there_are_no_notices(portal: Portal) -> None:
    """Without a mailer nothing is said of e-mails."""
    assert reply(desk_of(portal, None)) == "Reply sent."


# --- soon ------------------------------------------------------------------------------------


def test_links_that_expire_soon_can_be_sent(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """The filter has what expires within seven days; who sends from there stays there."""
    token, instant = latest(portal), dt.timedelta(microseconds=1)
    for left, found in (
        (dt.timedelta(days=7) - instant, ["Kopi Nusantara"]),
        (dt.timedelta(days=7) + instant, []),
        (-instant, []),
    ):
        clock.set(token.expires_at - left)
        names = [one for one in rows_of(ana.open("/tokens?status=soon")) if "Kopi" in one]
        assert names == found
    clock.set(token.expires_at - dt.timedelta(days=1))
    page = ana.open("/tokens?status=soon")
    form = next(one for one in page.forms if one.action.endswith(f"{key_of(demo.KOPI)}/send"))
    done = ana.do(form)
    assert done.form("Filter").fields["status"] == "soon"
    assert done.status_line.startswith("Kopi Nusantara: E-mailed to ")
