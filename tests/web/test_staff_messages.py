"""The inbox and the conversations: what staff read there, and what they write."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from threading import Barrier
from typing import Any

import attrs
import pytest

pytest.importorskip("flask")

from tests.web.conftest import authorize
from tests.web.desk import Desk, Form, Page
from werkzeug.test import Client

from basis_portal import AuditEvent, Author, Customer, Document, DocumentVisibility, Portal
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_message, a_note, an_invoice
from basis_portal.testing.clocks import FrozenClock
from basis_portal.web import create_app

XSS = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
KOPI, MUELLER = demo.KOPI, demo.MUELLER
START = dt.datetime(2026, 4, 1, 9, 0, tzinfo=dt.UTC)
QUESTION = "We have paid 800.00 of INV-1042. May we pay the rest with INV-1051?"
ANSWER = "The 800.00 are here, thank you. Yes, that is fine."
PRICES = "Please send us your new price list."

State = Callable[[], dict[str, Any]]


@pytest.fixture(autouse=True)
def _few_invoices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer who buys almost daily takes a second to make, and is not looked at here."""
    monkeypatch.setattr(demo, "LONG", demo.DOZEN)


@pytest.fixture
def ana(client: Client) -> Desk:
    """A member of staff."""
    return Desk(client)


@pytest.fixture
def ben(client: Client) -> Desk:
    """Another one."""
    return Desk(client, "Ben")


def desk_over(portal: Portal, storage: Any, **more: Any) -> Desk:
    """A member of staff at the pages of a portal of another host over the same storage."""
    host = Portal(
        storage, secret_keys=["k" * 32], base_url=portal.base_url, clock=portal.now, **more
    )
    return Desk(Client(create_app(host, authorize=authorize), use_cookies=False))


def thread(customer_id: str = KOPI) -> str:
    """The address of a conversation."""
    return f"/messages/{key_of(customer_id)}"


def reply_form(desk: Desk, customer_id: str = KOPI) -> Form:
    """The box for a reply, on a fresh page."""
    return desk.open(thread(customer_id)).form("Send reply")


def note_form(desk: Desk, customer_id: str = KOPI) -> Form:
    """The box for a note, on a fresh page."""
    return desk.open(thread(customer_id)).form("Save note")


def read_form(desk: Desk, customer_id: str = MUELLER) -> Form:
    """The button that marks as read, on a fresh page."""
    return desk.open(thread(customer_id)).form("Mark as read")


def write(portal: Portal, text: str, customer_id: str = KOPI, document: str | None = None) -> None:
    """Write as the customer does."""
    link = portal.tokens.link(portal.tokens.ensure(customer_id).customer_id)
    portal.open(link.rsplit("/", 1)[1]).send_message(text, document_id=document)


def texts(portal: Portal, customer_id: str = KOPI) -> list[str]:
    """The thread, oldest first."""
    return [one.text for one in portal.messages.thread(customer_id)][::-1]


def rows(page: Page) -> list[list[str]]:
    """The table, row by row, as it is read."""
    body = page.html.partition("<tbody")[2].partition("</tbody>")[0]
    found = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [[read(cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in found]


def read(html: str) -> str:
    """A piece of a page as it is read."""
    return Page(200, f"<body>{html}").text


def articles(page: Page) -> list[str]:
    """Messages and notes as they are read, in their order."""
    return [read(one) for one in re.findall(r"<article.*?</article>", page.html, re.DOTALL)]


def follow(desk: Desk, page: Page, words: str, most: int = 9) -> list[Page]:
    """A page and those that a link on each of them leads to, one after the other."""
    pages = [page]
    while words in pages[-1].links() and len(pages) < most:
        pages.append(desk.open(pages[-1].links()[words]))
    return pages


def set_config(portal: Portal, **changes: Any) -> None:
    """Change some settings."""
    portal.settings.save(attrs.evolve(portal.settings.get().config, **changes))


# --- the inbox --------------------------------------------------------------------------------


def test_what_is_unread_comes_first(ana: Desk) -> None:
    """The inbox opens with what is unread: customer, about, first line, when."""
    page = ana.open("/messages")
    assert rows(page) == [["Müller & Söhne", "", PRICES, "13 Apr 2026, 21:12"]]
    assert page.links()["Müller & Söhne"] == f"/settings/portal{thread(MUELLER)}"
    assert page.heading == page.title == "Messages"
    assert "Messages (1 unread)" in page.text
    assert re.search(r'href="/settings/portal/messages" aria-current="true">Unread<', page.html)


def test_all_messages(ana: Desk) -> None:
    """All holds what is read as well, newest first; our own replies are not in it."""
    page = ana.open("/messages?show=all")
    assert rows(page) == [
        ["Müller & Söhne Unread", "", PRICES, "13 Apr 2026, 21:12"],
        ["Kopi Nusantara", "Invoice INV-1042", QUESTION, "11 Apr 2026, 09:12"],
    ]
    assert 'show=all" aria-current="true">All<' in page.html


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("One line", "One line"),
        ("First\n\nsecond", "First…"),
        ("x" * 120, "x" * 120),
        ("x" * 121, "x" * 120 + "…"),
    ],
)
def test_the_first_line(ana: Desk, portal: Portal, text: str, line: str) -> None:
    """More than a line is cut, and said to be."""
    write(portal, text)
    assert rows(ana.open("/messages"))[0][2] == line


@pytest.mark.parametrize("show", ["", "all"])
def test_the_inbox_is_paged_by_key(ana: Desk, storage: Any, show: str) -> None:
    """Fifty a page, from page to page without a gap, and back to the newest."""
    storage.messages.erase(KOPI)
    storage.messages.erase(MUELLER)
    for number in range(101):
        at = START + dt.timedelta(minutes=number // 2)
        storage.messages.add(a_message(f"M-{number:03}", at=at, text=f"No. {number:03}"))
    pages = follow(ana, ana.open("/messages", query_string={"show": show}), "Older")
    assert [len(rows(page)) for page in pages] == [50, 50, 1]
    found = [row[2] for page in pages for row in rows(page)]
    assert found == [f"No. {number:03}" for number in range(100, -1, -1)]
    assert ["Newest" in page.links() for page in pages] == [False, True, True]
    first = ana.open(pages[-1].links()["Newest"])
    assert rows(first) == rows(pages[0])
    assert ("All messages" in first.text) == bool(show)


def test_an_empty_inbox(ana: Desk, portal: Portal, storage: Any) -> None:
    """It says what there is none of, and where to look."""
    portal.messages.mark_read(MUELLER)
    page = ana.open("/messages")
    assert "No unread messages." in page.text
    assert page.links()["Show all"] == "/settings/portal/messages?show=all"
    assert "unread)" not in page.text
    after = portal.messages.list(limit=1).next
    storage.messages.erase(KOPI)
    storage.messages.erase(MUELLER)
    page = ana.open("/messages?show=all")
    assert "No messages yet. What customers write on their page appears here." in page.text
    page = ana.open("/messages", query_string={"after": after})
    assert "There is nothing older." in page.text
    assert page.links()["Newest"] == "/settings/portal/messages"


@pytest.mark.parametrize("path", ["/messages", thread()])
def test_an_address_with_junk(ana: Desk, path: str) -> None:
    """A cursor that no page gave is not found; it is no fault."""
    assert ana.open(path, query_string={"after": "junk"}).status == 404
    assert ana.open(path, query_string={"after": "x" * 5000}).status == 404


# --- a conversation ---------------------------------------------------------------------------


def test_a_conversation_both_ways(ana: Desk, portal: Portal) -> None:
    """Oldest first, by day, with the names of staff, and what it is about as a link."""
    write(portal, "Thank you!\nRegards")
    page = ana.open(thread())
    assert articles(page) == [
        f"Kopi Nusantara 09:12 · about Invoice INV-1042 {QUESTION}",
        f"ana 09:12 · about Invoice INV-1042 {ANSWER}",
        "Kopi Nusantara 09:12 Unread Thank you! Regards",
    ]
    days = re.findall(r'<h2 class="day">(.*?)</h2>', page.html)
    assert days == ["Sat 11 Apr 2026", "Sun 12 Apr 2026", "Tue 14 Apr 2026"]
    document = f"/settings/portal/preview/{key_of(KOPI)}/document/{key_of('INV-1042')}"
    assert page.links()["about Invoice INV-1042"] == document
    assert ana.open(document).status == 200
    assert page.heading == page.title == "Messages with Kopi Nusantara"


def test_the_ways_from_a_conversation(ana: Desk) -> None:
    """Back to the inbox, to the customer's token, to its record in the host."""
    links = ana.open(thread()).links()
    assert links["Messages"] == "/settings/portal/messages"
    assert links["Portal access token"] == f"/settings/portal/tokens/{key_of(KOPI)}"
    assert links["Open in Demo ERP"] == f"/customers/{KOPI}"


def test_notes_stand_where_they_were_written(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """Notes are among the messages by their time, tinted, and said to be internal."""
    clock.advance(hours=1)
    portal.messages.note(KOPI, "They pay in two parts.", by="Ben")
    clock.advance(hours=1)
    write(portal, "One more thing")
    page = ana.open(thread())
    assert articles(page)[2:] == [
        "Internal note by Ben 10:12 They pay in two parts.",
        "Kopi Nusantara 11:12 Unread One more thing",
    ]
    assert page.html.count('<article class="message note">') == 1


def test_long_conversations_are_paged(ana: Desk, storage: Any) -> None:
    """Each message and each note is on just one page; boxes are on the newest alone."""
    storage.messages.erase(KOPI)
    for number in range(120):
        at = START + dt.timedelta(minutes=number)
        storage.messages.add(a_message(f"M-{number:03}", at=at, text=f"M {number:03}"))
    for number in range(-1, 121):  # from before the first to after the last; some at the instant
        at = START + dt.timedelta(minutes=number, seconds=30 if number % 10 else 0)
        storage.messages.add_note(a_note(f"N-{number:03}", at=at, text=f"N {number:03}"))
    pages = follow(ana, ana.open(thread()), "Older messages")
    found = [articles(page) for page in reversed(pages)]
    words = [re.sub(r".* (?=[MN] )", "", one) for page in found for one in page]
    assert [word for word in words if word[0] == "M"] == [f"M {n:03}" for n in range(120)]
    assert [word for word in words if word[0] == "N"] == [f"N {n:03}" for n in range(-1, 121)]
    places = {word: place for place, word in enumerate(words)}
    assert all(places[f"M {n:03}"] < places[f"N {n:03}"] for n in range(120) if n % 10)
    assert all(places[f"N {n:03}"] < places[f"M {n + 1:03}"] for n in range(119))
    assert [bool(page.forms) for page in pages] == [True, False, False]
    assert pages[1].links()["Newest"] == f"/settings/portal{thread()}"


def test_nobody_wrote_yet(ana: Desk, portal: Portal) -> None:
    """Staff may write first."""
    page = ana.open(thread(demo.ATHENS))
    assert "No messages yet." in page.text
    page = ana.do(page.form("Send reply"), text="Hello")
    assert texts(portal, demo.ATHENS) == ["Hello"]


@pytest.mark.parametrize("key", [key_of("C-9999"), "%20", "!", key_of("a\0b"), key_of("x" * 256)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_customer(ana: Desk, state: State, key: str, method: str) -> None:
    """There is no such conversation, whatever the address looks like."""
    before = state()
    form = {**reply_form(ana).fields, "text": "Hello"}
    assert ana.open(f"/messages/{key}", method, data=form).status == 404
    assert state() == before


def test_odd_ids(ana: Desk, portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """Ids with slashes, hashes and spaces reach their customer and document."""
    odd = "K/1 #ü?"
    storage.customers.save(Customer(odd, "Odd & Co"))
    storage.documents.save(an_invoice("INV/1 #2", customer_id=odd))
    write(portal, "Why?", odd, "INV/1 #2")
    page = ana.open(ana.open("/messages").links()["Odd & Co"])
    assert articles(page) == ["Odd & Co 09:12 · about Invoice INV/1 #2 Unread Why?"]
    clock.advance(minutes=1)
    ana.do(page.form("Send reply"), text="Because.")
    reply = portal.messages.thread(odd).items[0]
    assert (reply.text, reply.document_id) == ("Because.", "INV/1 #2")


# --- replies ----------------------------------------------------------------------------------


def test_a_reply(ana: Desk, portal: Portal, client: Client) -> None:
    """It is sent and marks as read; the customer reads it without the name of staff."""
    form = reply_form(ana, MUELLER)
    assert form.fields["text"] == ""
    answer = ana.send(form, text="It is on its way.\r\nRegards")
    assert (answer.status, answer.location) == (
        303,
        f"/settings/portal{thread(MUELLER)}?done=replied",
    )
    page = ana.open(answer.location)
    assert page.status_line == "Reply sent."
    assert page.title == "Reply sent - Messages with Müller & Söhne"
    assert articles(page)[-1] == "ana 09:12 It is on its way. Regards"
    assert portal.messages.unread_count() == 0
    link = portal.tokens.link(MUELLER).removeprefix("https://erp.example.com")
    seen = client.get(f"{link}/messages").get_data(as_text=True)
    assert "It is on its way.\nRegards" in seen
    assert "ana" not in re.sub(r"<[^>]+>", "", seen.partition("<main")[2])


class Meeting(InMemoryStorage):
    """A storage in which two changes begin together, once ``both`` is set."""

    both: Barrier | None = None

    def transact(self, work: Any, *, lock: Any = ()) -> Any:
        """Wait for the other, then make the change."""
        if self.both:
            self.both.wait(timeout=30)
        return super().transact(work, lock=lock)


def test_a_button_pressed_twice_at_once_sends_one_reply(clock: FrozenClock) -> None:
    """Also where both are on their way before either has arrived."""
    storage = Meeting()
    portal = demo.make_seller(
        storage, clock, base_url="https://erp.example.com/portal", invoices=36
    )
    desks = [Desk(Client(create_app(portal, authorize=authorize))) for _ in range(2)]
    form = reply_form(desks[0])
    storage.both = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda desk: desk.send(form, text="It is there."), desks))
    assert {one.location for one in sent} == {f"/settings/portal{thread()}?done=replied"}
    texts = [one.text for one in portal.messages.thread(KOPI)]
    assert texts.count("It is there.") == 1


def test_a_reply_is_about_what_was_asked(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """What the customer last wrote about is chosen; staff may choose the account in general."""
    write(portal, "And this?", document="INV-1051")
    form = reply_form(ana)
    assert form.fields["about"] == key_of("INV-1051")
    clock.advance(minutes=1)
    ana.do(form, text="That too.")
    assert portal.messages.thread(KOPI).items[0].document_id == "INV-1051"
    clock.advance(minutes=1)
    ana.do(reply_form(ana), text="In general.", about="")
    assert portal.messages.thread(KOPI).items[0].document_id is None
    clock.advance(minutes=1)
    ana.do(reply_form(ana), text="Of the other.", about=key_of("INV-1042"))
    assert portal.messages.thread(KOPI).items[0].document_id == "INV-1042"


@pytest.mark.parametrize("about", [key_of("CN-21"), key_of("INV-9"), key_of("INV-1053"), "!", "x"])
def test_a_reply_about_what_the_customer_cannot_see(
    ana: Desk, portal: Portal, state: State, about: str
) -> None:
    """Hidden, unknown and foreign documents: nothing is sent, and the text is kept."""
    set_config(portal, show_credit_notes=False)
    before = state()
    page = ana.send(reply_form(ana), text="See there", about=about)
    assert page.status == 404
    assert page.alert == (
        "The customer cannot see that document any more. Send the reply without it?"
    )
    assert state() == before
    again = page.form("Send reply")
    assert (again.fields["text"], again.fields["about"]) == ("See there", "")
    ana.do(again)
    assert texts(portal)[-1] == "See there"


def test_documents_that_the_customer_cannot_see_any_more(
    ana: Desk, portal: Portal, state: State
) -> None:
    """They are named, but are no link and nothing a reply could be about."""
    write(portal, "What is this credit?", document="CN-21")
    page = ana.open(thread())
    assert key_of("CN-21") in page.html
    assert page.form("Send reply").fields["about"] == key_of("CN-21")
    set_config(portal, show_credit_notes=False)
    page = ana.open(thread())
    assert "about Credit note CN-21" in articles(page)[-1]
    assert "about Credit note CN-21" not in page.links()
    assert key_of("CN-21") not in page.html
    assert page.form("Send reply").fields["about"] == ""
    assert rows(ana.open("/messages"))[0][1] == "Credit note CN-21"


def test_documents_that_the_host_hides(portal: Portal, storage: Any) -> None:
    """A reply about one is refused once, and then goes to the account in general."""

    class NoInvoice(DocumentVisibility):
        def shows_document(self, document: Document, *_: Any) -> bool:
            return document.id != "INV-1042"

    ana = desk_over(portal, storage, visibility=NoInvoice())
    page = ana.send(reply_form(ana), text="See there")
    assert page.status == 404
    again = page.form("Send reply")
    assert (again.fields["text"], again.fields["about"]) == ("See there", "")
    ana.do(again)
    assert texts(portal)[-1] == "See there"


def test_a_host_that_gives_the_wrong_record(portal: Portal, storage: Any) -> None:
    """Another customer's document or name, given by a host's fault, is not shown."""

    class Careless:
        def __getattr__(self, name: str) -> Any:
            return getattr(storage.documents, name)

        def get(self, *_: Any) -> Any:
            return storage.documents.get(demo.LUMIERE, "INV-1053")

    class Confused:
        def __getattr__(self, name: str) -> Any:
            return getattr(storage.customers, name)

        def get_many(self, ids: Any) -> Any:
            return dict.fromkeys(ids, storage.customers.get(demo.LUMIERE))

    ana = desk_over(portal, storage, documents=Careless(), customers=Confused())
    for path in ("/messages?show=all", thread()):
        page = ana.open(path)
        assert page.status == 200
        assert "INV-1053" not in page.html
        assert "Lumière" not in page.html


def test_a_reply_sent_twice(ana: Desk, portal: Portal) -> None:
    """A button pressed twice sends one reply, and both presses are told so."""
    form = reply_form(ana)
    for _ in range(3):
        assert ana.do(form, text="Yes\r\n").status_line == "Reply sent."
    assert texts(portal) == [QUESTION, ANSWER, "Yes"]
    ana.do(reply_form(ana), text="Yes")
    assert texts(portal) == [QUESTION, ANSWER, "Yes", "Yes"]


def test_the_customer_wrote_meanwhile(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """Nothing is sent before staff have seen it; the text is kept and the next press sends it."""
    form = reply_form(ana)
    write(portal, "Forget it, found it")
    page = ana.send(form, text="Where are you looking?")
    assert page.status == 409
    assert page.title == "Not sent - Messages with Kopi Nusantara"
    assert page.alert == (
        "Kopi Nusantara wrote here meanwhile. Read it above, then press Send reply once more."
    )
    assert "Forget it, found it" in articles(page)[-1]
    assert portal.messages.unread_count() == 2
    clock.advance(minutes=1)
    ana.do(page.form("Send reply"))
    assert texts(portal)[2:] == ["Forget it, found it", "Where are you looking?"]


def test_a_colleague_replied_meanwhile(ana: Desk, ben: Desk, portal: Portal) -> None:
    """Two do not answer one question without knowing; also not with the same words."""
    form = reply_form(ana, MUELLER)
    ben.do(reply_form(ben, MUELLER), text="Here it is.")
    page = ana.send(form, text="Here it is.")
    assert page.status == 409
    assert page.alert.startswith("Ben wrote here meanwhile.")
    assert page.form("Send reply").fields["text"] == "Here it is."
    assert texts(portal, MUELLER) == [PRICES, "Here it is."]


WRONG_TEXTS = {
    "": "Please write something first.",
    " \r\n ": "Please write something first.",
    "x" * 2001: "The text has 2,001 characters. The limit is 2,000.",
    "a\x07b": "The text contains a character that cannot be sent, such as a control character.",
}


@pytest.mark.parametrize(
    ("text", "words"), WRONG_TEXTS.items(), ids=["empty", "blank", "long", "x"]
)
@pytest.mark.parametrize("box", ["reply", "note"])
def test_a_text_that_is_refused(ana: Desk, state: State, box: str, text: str, words: str) -> None:
    """Nothing is kept, the rule is told at the box, and the text still stands in it."""
    before, button = state(), "Send reply" if box == "reply" else "Save note"
    page = ana.send(ana.open(thread()).form(button), text=text)
    assert (page.status, page.alert) == (400, words)
    assert page.title.startswith("Not sent - " if box == "reply" else "Not saved - ")
    again = {button: page.form(button).fields["text"] for button in ("Send reply", "Save note")}
    assert again.pop(button) == text
    assert list(again.values()) == [""]
    area = page.html.partition(f'id="{box}-text"')[2].partition(">")[0]
    assert f'aria-describedby="{box}-help {box}-error" aria-invalid="true"' in area
    assert state() == before


def test_a_text_of_2000_characters(ana: Desk, portal: Portal) -> None:
    """Line breaks count once."""
    text = "x" * 999 + "\r\n" + "\U0001f600" * 1000
    ana.do(reply_form(ana), text=text)
    assert len(texts(portal)[-1]) == 2000


# --- notes ------------------------------------------------------------------------------------


def test_an_internal_note(ana: Desk, portal: Portal, client: Client) -> None:
    """It is kept for staff, leaves what is unread unread, and no page of the customer has it."""
    page = ana.do(note_form(ana, MUELLER), text="Wants a discount.\r\nNo!")
    assert page.status_line == "Note saved. The customer never sees it."
    assert articles(page)[-1] == "Internal note by ana 09:12 Wants a discount. No!"
    assert [one.text for one in portal.messages.notes(MUELLER)] == ["Wants a discount.\nNo!"]
    assert portal.messages.unread_count() == 1
    assert texts(portal, MUELLER) == [PRICES]
    link = portal.tokens.link(MUELLER).removeprefix("https://erp.example.com")
    for path in (link, f"{link}/messages"):
        assert "discount" not in client.get(path).get_data(as_text=True)
    for path in ("", "/messages"):
        assert "discount" not in ana.open(f"/preview/{key_of(MUELLER)}{path}").html


def test_the_two_boxes_cannot_be_confused(ana: Desk) -> None:
    """The reply is open and names the customer; the note is closed and says who sees it."""
    page = ana.open(thread())
    assert ">Reply to Kopi Nusantara</label>" in page.html
    details = page.html.partition("<details")[2].partition("</details>")[0]
    assert " open" not in details.partition(">")[0]
    words = "Internal note - the customer never sees this"
    assert f"<summary>{words}</summary>" in details
    assert "Save note" in details
    assert "Send reply" not in details
    assert page.form("Send reply").buttons == ["Send reply"]
    assert page.form("Save note").buttons == ["Save note"]
    refused = ana.send(page.form("Save note"), text="")
    assert re.search(r"<details[^>]* open>", refused.html)


def test_a_note_saved_twice(ana: Desk, ben: Desk, portal: Portal, clock: FrozenClock) -> None:
    """A button pressed twice keeps one note; the same words of a colleague are another."""
    form, other = note_form(ana), note_form(ben)
    for _ in range(2):
        ana.do(form, text="Late again")
    clock.advance(minutes=1)
    ben.do(other, text="Late again")
    clock.advance(minutes=1)
    ana.do(note_form(ana), text="Late again")
    found = [(one.by, one.text) for one in portal.messages.notes(KOPI)]
    assert found == [("ana", "Late again"), ("Ben", "Late again"), ("ana", "Late again")]


# --- marking as read --------------------------------------------------------------------------


def test_mark_as_read(ana: Desk, portal: Portal) -> None:
    """The button is there while something is unread."""
    page = ana.do(read_form(ana))
    assert page.status_line == "Marked as read."
    assert portal.messages.unread_count() == 0
    assert "Unread" not in "".join(articles(page))
    assert "Mark as read" not in page.html
    assert "Mark as read" not in ana.open(thread()).html


def test_what_nobody_saw_is_not_marked(ana: Desk, portal: Portal) -> None:
    """What came after the page was shown stays unread, and is shown."""
    form = read_form(ana)
    write(portal, "PS: and samples", MUELLER)
    page = ana.do(form)
    assert page.status_line == (
        "Müller & Söhne wrote meanwhile: see below. Nothing was marked as read."
    )
    assert portal.messages.unread_count() == 2
    ana.do(page.form("Mark as read"))
    assert portal.messages.unread_count() == 0


# --- what customers cannot see ----------------------------------------------------------------

NOT_SEEN = {
    "messages off": "Customers cannot see or answer this while Allow Customer Messages is off.",
    "portal off": "Customers cannot see or answer this while the portal is off.",
    "blocked": "Blocked in Demo ERP: the customer cannot see or answer this.",
}


@pytest.mark.parametrize("why", [None, *NOT_SEEN])
def test_customers_who_cannot_see_it(
    ana: Desk, portal: Portal, storage: Any, why: str | None
) -> None:
    """It is said why; staff can write all the same."""
    if why == "blocked":
        storage.customers.save(attrs.evolve(portal.customers.get(KOPI), blocked=True))
    elif why is not None:
        set_config(portal, allow_messages=why != "messages off", enabled=why != "portal off")
    page, inbox = ana.open(thread()), ana.open("/messages")
    for reason, words in NOT_SEEN.items():
        assert (words in page.text) == (reason == why)
        assert (words in inbox.text) == (reason == why != "blocked")
    assert ana.do(page.form("Send reply"), text="Hello").status_line == "Reply sent."


def test_a_customer_whom_the_host_knows_no_more(ana: Desk, portal: Portal, storage: Any) -> None:
    """The conversation can still be read and marked as read; nobody can be answered."""
    form, note = reply_form(ana, MUELLER), note_form(ana, MUELLER)
    storage.customers.delete(MUELLER)
    assert rows(ana.open("/messages"))[0][0] == MUELLER
    page = ana.open(thread(MUELLER))
    assert page.heading == f"Messages with {MUELLER}"
    assert "This customer is no longer in Demo ERP: nobody can read an answer." in page.text
    assert [form.buttons for form in page.forms] == [["Mark as read"]]
    for sent in (form, note):
        refused = ana.send(sent, text="A long text\r\n<b>")
        assert refused.status == 404
        assert refused.alert == "This customer is no longer in Demo ERP."
        assert ">\nA long text\r\n&lt;b&gt;</textarea>" in refused.html
    ana.do(page.form("Mark as read"))
    assert portal.messages.unread_count() == 0


# --- who may send it --------------------------------------------------------------------------


@pytest.mark.parametrize("button", ["Send reply", "Save note", "Mark as read"])
@pytest.mark.parametrize("kind", ["missing", "junk", "another's", "old key"])
def test_a_form_value_that_does_not_verify(
    button: str, kind: str, ana: Desk, ben: Desk, portal: Portal, storage: Any, state: State
) -> None:
    """Nothing is changed, the text is kept, and one press more is asked for."""
    other = Portal(storage, secret_keys=["o" * 32], base_url=portal.base_url)
    values = {
        "missing": None,
        "junk": "x" * 43,
        "another's": reply_form(ben).fields["form"],
        "old key": other.forms.value("staff", "ana"),
    }
    before, form = state(), ana.open(thread(MUELLER)).form(button)
    page = ana.send(form, form=values[kind], text="Mine")
    assert (page.status, page.alert) == (403, f"Please press {button} once more.")
    assert state() == before
    again = page.form(button)
    if button != "Mark as read":
        assert again.fields["text"] == "Mine"
    ana.do(again)
    assert state() != before


@pytest.mark.parametrize("button", ["Send reply", "Save note", "Mark as read"])
def test_forms_that_another_site_sends(button: str, ana: Desk, state: State) -> None:
    """They are refused with the right form value too; from our own page they are taken."""
    form, before = ana.open(thread(MUELLER)).form(button), state()
    page = ana.send(form, {"Sec-Fetch-Site": "cross-site"}, text="Theirs")
    assert page.status == 403
    assert "This came from another site. Nothing was changed." in page.text
    assert "Theirs" not in page.html
    assert state() == before
    assert ana.send(form, {"Sec-Fetch-Site": "same-origin"}, text="Ours").status == 303
    assert state() != before


@pytest.mark.parametrize("do", [None, "", "erase", "READ"])
def test_a_button_that_does_not_exist(do: str | None, ana: Desk, state: State) -> None:
    """Nothing is done."""
    before = state()
    assert ana.send(reply_form(ana), do=do, text="Hello").status == 400
    assert state() == before


def test_who_may_only_read(client: Client, ana: Desk, state: State) -> None:
    """There is nothing to press; a form sent is refused and its text given back."""
    reader = Desk(client, "reader")
    before = state()
    page = reader.open(thread(MUELLER))
    assert page.forms == []
    assert "<details" not in page.html
    assert PRICES in page.text
    for button in ("Send reply", "Save note", "Mark as read"):
        form = ana.open(thread(MUELLER)).form(button)
        refused = reader.send(form, text="Mine")
        assert refused.status == 403
        assert ">\nMine</textarea>" in refused.html
    assert state() == before


@pytest.mark.parametrize("path", ["/messages", thread()])
def test_who_is_not_signed_in(client: Client, ana: Desk, path: str) -> None:
    """Sees nothing; what was written when the sign-in ended is given back."""
    page = Desk(client, "").open(path)
    assert page.status == 403
    assert "Kopi" not in page.html
    refused = Desk(client, "").send(reply_form(ana), text="A long text")
    assert refused.status == 403
    assert ">\nA long text</textarea>" in refused.html


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(method: str, ana: Desk, state: State) -> None:
    """Reading a conversation marks nothing as read, whatever the address says."""
    fields, before = read_form(ana).fields, state()
    for path in ("/messages", "/messages?show=all", thread(MUELLER), thread()):
        assert ana.open(path, method).status == 200
    assert ana.open(thread(MUELLER), method, query_string=fields).status == 200
    assert state() == before


def test_what_the_trail_says(ana: Desk, portal: Portal) -> None:
    """A reply is in the trail with who sent it."""
    ana.do(reply_form(ana), text="Yes")
    entry = portal.audit.list(limit=1).items[0]
    assert (entry.event, entry.by, entry.customer_id) == (AuditEvent.REPLY, "ana", KOPI)


# --- what others wrote is text ----------------------------------------------------------------


def test_markup_is_shown_as_it_was_typed(
    ana: Desk, client: Client, portal: Portal, storage: Any
) -> None:
    """Names, numbers, messages, notes, members of staff: all of it is text."""
    storage.customers.save(Customer(XSS, f"Name {XSS}", number=XSS))
    storage.documents.save(an_invoice("INV-X", customer_id=XSS, number=f"No {XSS}"))
    write(portal, f"</textarea>{XSS}", XSS, "INV-X")
    mean = Desk(client, XSS)
    mean.do(note_form(mean, XSS), text=f"Note {XSS}")
    stale = reply_form(ana, XSS)
    mean.do(reply_form(mean, XSS), text=f"Reply {XSS}")
    pages = [
        ana.open("/messages?show=all"),
        mean.open(thread(XSS)),
        ana.send(stale, text=f"</textarea>{XSS}"),
        ana.send(stale, form=XSS, text=f"</textarea>{XSS}", about=XSS, seen=XSS),
        ana.open(thread(XSS), query_string={"done": XSS}),
    ]
    storage.customers.delete(XSS)
    pages += [ana.open("/messages?show=all"), ana.send(stale, seen="", text=f"</textarea>{XSS}")]
    for page in pages:
        assert "<script>alert" not in page.html
        assert "<img" not in page.html
        assert page.html.count("</textarea>") == page.html.count("<textarea")
    assert [page.status for page in pages] == [200, 200, 409, 403, 200, 200, 404]
    for words in ("Name ", "Invoice No ", "Note ", "Reply "):
        assert f"{words}{XSS}" in unescape(pages[1].html)


def test_who_wrote_comes_from_authorize(ana: Desk, portal: Portal) -> None:
    """No field of a form names the author or the member of staff."""
    ana.do(reply_form(ana), text="Yes", by="Ben", author="customer")
    found = portal.messages.thread(KOPI).items[0]
    assert (found.author, found.by) == (Author.SELLER, "ana")
