"""What our e-mails say, and how they are made: both parts, every language, hostile texts."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from collections.abc import Callable
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from basis_portal import Customer, InvalidValue, PortalToken, Seller
from basis_portal.domain.messages import Author, InternalNote, Message
from basis_portal.domain.visibility import Section
from basis_portal.i18n import language_for
from basis_portal.i18n.language import CATALOGUES
from basis_portal.mail.envelope import Envelope
from basis_portal.mail.letters import NAMED, Letters
from basis_portal.mail.message import Letter
from basis_portal.testing import strategies as ours
from basis_portal.testing.builders import NOW, a_customer, a_message, a_note, a_token

BERLIN = ZoneInfo("Europe/Berlin")
SECRET = "4fTq0000000000000000kQ.Zx_q9-7AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-ab"
LINK = f"https://erp.example.com/portal/{SECRET}"
STAFF_LINK = "https://erp.example.com/settings/portal/messages/Qy0xMDAx"
UNTIL = dt.datetime(2026, 5, 14, 7, 12, 40, tzinfo=dt.UTC)
SELLER = Seller(
    "Nordlicht Kaffee GmbH",
    address="Speicherstr. 1\nBerlin",
    email="accounts@nordlicht.example",
    phone="+49 30 1234567",
)
ALL = list(Section)
SENDER = "portal@nordlicht.example"
UNSEEN = "[\u202a-\u202e\u2066-\u2069]"  # signs that turn the direction of writing
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% raw %}${7*7}",
    "%s %(link)s %%",
    "\u202egnp.exe\u2066 gmb\u202d",
    "A\r\nBcc: thief@evil.example\r\n\r\nhttps://evil.example/portal",
    "B\u2028https://evil.example\x85\x0b\x1b[31m",
    "=?utf-8?q?=0D=0ABcc:_x?=",
]


class Page(HTMLParser):
    """What a mail program makes of an HTML part: words, addresses, elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.anchors: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._href: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins; each block begins a new word."""
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self._open.append(tag)
        if tag == "a":
            self.anchors.append((str(dict(attrs)["href"]), ""))
            self._href = tag
        if tag in ("br", "p", "h1", "h2", "li", "blockquote", "div"):
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """An element ends, the one that began last."""
        assert self._open.pop() == tag, f"</{tag}> closes something else"
        if tag == "a":
            self._href = None

    def handle_data(self, data: str) -> None:
        """Text, of which sheet and title are not shown."""
        if "style" in self._open or "title" in self._open:
            return
        self.words.append(data)
        if self._href:
            address, words = self.anchors[-1]
            self.anchors[-1] = (address, words + data)

    @property
    def text(self) -> str:
        """All words, in order."""
        return " ".join("".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def letters(**changes: Any) -> Letters:
    """The letters of a seller in Berlin."""
    return Letters(**{"seller": SELLER, "timezone": BERLIN, **changes})


def sent(letter: Letter, writer: Letters | None = None, **changes: Any) -> EmailMessage:
    """The e-mail of a letter as its receiver parses it."""
    given = {"sender": SENDER, "to": "finance@kopi.example", "reply_to": SELLER.email}
    more = {"date": NOW, "message_id": "<1@nordlicht.example>"}
    message = (writer or letters()).message(letter, **{**given, **more, **changes})
    raw = message.as_bytes()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    parsed = message_from_bytes(raw, policy=SMTP)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def parts(message: EmailMessage) -> tuple[str, str]:
    """Its text part and its HTML part, with line breaks as LF."""
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    found = [part.get_content().replace("\r\n", "\n") for part in (text, html)]
    return found[0], found[1]


def every_letter(
    writer: Letters, customer: Customer, text: str = "Hello", number: str | None = "INV-1042"
) -> list[Letter]:
    """One letter of each kind, about one customer."""
    asked = a_message(text=text)
    answer = a_message(text=text, author=Author.SELLER, by="ana-login")
    return [
        writer.link(customer, LINK, UNTIL, ALL),
        writer.link(customer, LINK, UNTIL, [], replaces=True),
        writer.answered(customer, LINK, UNTIL, [answer], {"M-1": number}),
        writer.customer_wrote(customer, STAFF_LINK, [asked], {"M-1": number}),
        writer.expiring([(customer, a_token())], STAFF_LINK, 7),
    ]


def link_of(letter: Letter) -> str:
    """The address a letter of `every_letter` is about."""
    return LINK if LINK in letter.text else STAFF_LINK


def words_of(text: str) -> list[str]:
    """The words of a text, without the marks of lines that a text part has."""
    return [word for word in text.split() if word not in (">", "-")]


def is_within(few: list[str], many: list[str]) -> bool:
    """True where all of ``few`` are found in ``many``, in this order."""
    rest = iter(many)
    return all(one in rest for one in few)


# --- the link ---------------------------------------------------------------------------------


def test_the_first_link() -> None:
    """Subject and text are those of the design, to the letter."""
    letter = letters().link(a_customer(), LINK, UNTIL, ALL)
    assert letter.subject == "Your invoices and statement from Nordlicht Kaffee GmbH"
    assert letter.text == (
        "Hello Kopi Nusantara,\n"
        "\n"
        "Nordlicht Kaffee GmbH keeps a page for you with your invoices, sales orders,\n"
        "credit notes and statement of account. No account or password is needed:\n"
        "\n"
        f"{LINK}\n"
        "\n"
        "The link works until Thu 14 May 2026, 09:12 (Berlin time).\n"
        "Whoever has it can see these documents, so please do not pass it on.\n"
        "\n"
        "Not expecting this? Ask us before you open it: accounts@nordlicht.example,\n"
        "+49 30 1234567. The page never asks for a password or card number.\n"
        "\n"
        "Nordlicht Kaffee GmbH, Speicherstr. 1, Berlin\n"
    )
    assert "No password needed. Works until 14 May 2026, 09:12." in letter.html


def test_the_link_after_a_regenerate() -> None:
    """Subject and text say that it is new and that the old one is dead; the first says neither."""
    first, new = (
        letters().link(a_customer(), LINK, UNTIL, ALL, replaces=replaces)
        for replaces in (False, True)
    )
    dead = "It replaces the link we sent before, which no longer works."
    assert new.subject == "New link to your invoices from Nordlicht Kaffee GmbH"
    assert f"(Berlin time).\n{dead}\nWhoever" in new.text
    assert dead in new.html
    assert dead not in first.text + first.html


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ([Section.INVOICES], "your invoices."),
        ([Section.INVOICES, Section.MESSAGES], "your invoices."),
        ([Section.STATEMENT, Section.INVOICES], "your invoices and statement of account."),
        (
            [Section.INVOICES, Section.SALES_ORDERS, Section.CREDIT_NOTES],
            "your invoices, sales orders and credit notes.",
        ),
    ],
)
def test_what_is_listed_follows_the_switches(sections: list[Section], words: str) -> None:
    """Only what the page shows, in its own order; the subject names the statement likewise."""
    letter = letters().link(a_customer(), LINK, UNTIL, sections)
    assert f"with {words} No account" in " ".join(letter.text.split())
    assert words in letter.html
    assert ("statement" in letter.subject) == (Section.STATEMENT in sections)


@pytest.mark.parametrize(
    ("seller", "words"),
    [
        (Seller("S"), "Ask us before you open it. The page"),
        (Seller("S", email="a@s.example"), "Ask us before you open it: a@s.example. The page"),
        (Seller("S", phone="+49 30 1"), "Ask us before you open it: +49 30 1. The page"),
    ],
)
def test_whom_to_ask(seller: Seller, words: str) -> None:
    """By e-mail, by phone, or nothing is said where there is neither."""
    letter = letters(seller=seller).link(a_customer(), LINK, UNTIL, ALL)
    assert words in " ".join(letter.text.split())
    assert words in Page(letter.html).text


# --- answers and notices ----------------------------------------------------------------------


def test_an_answer_reaches_the_customer() -> None:
    """With its text, what it is about and the link; without who of the staff wrote it."""
    replies = [
        a_message("M-1", author=Author.SELLER, by="ana-login", text="Found it.\n\nThank you."),
        a_message("M-2", author=Author.SELLER, by="ben-login", text="It is settled."),
    ]
    letter = letters().answered(a_customer(), LINK, UNTIL, replies, {"M-1": "INV-1042"})
    assert letter.subject == "Nordlicht Kaffee GmbH has answered you"
    assert "about INV-1042:\n\n> Found it.\n>\n> Thank you.\n\n" in letter.text
    assert f"{letters_time(replies[1].at)}:\n\n> It is settled.\n" in letter.text
    assert "Replies to this e-mail are not read; answer on the page:\n\nhttps" in letter.text
    assert "Found it.<br>\n<br>\nThank you." in letter.html
    assert "login" not in letter.text + letter.html


def letters_time(at: dt.datetime) -> str:
    """An instant as a letter in English shows it."""
    return language_for("en").short_instant(at, BERLIN)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (0, None),
        (1, "and 1 earlier one; see the page."),
        (10, "and 10 earlier ones; see the page."),
    ],
)
def test_what_is_left_out_is_counted(more: int, words: str | None) -> None:
    """In both parts, to customers and to staff; nothing where all is told."""
    reply = a_message(author=Author.SELLER)
    for one in (
        letters().answered(a_customer(), LINK, UNTIL, [reply], {}, more=more),
        letters().customer_wrote(a_customer(), STAFF_LINK, [a_message()], {}, more=more),
        letters().customer_wrote(a_customer(), None, [a_message()], {}, more=more),
    ):
        for part in (one.text, Page(one.html).text):
            assert (words or "earlier") in part or words is None
            assert ("earlier" in part) == bool(more)


def test_the_document_of_what_is_left_out_is_not_known() -> None:
    """So the subject names none."""
    for more, subject in (
        (0, "Kopi Nusantara wrote about INV-1"),
        (1, "Kopi Nusantara wrote to you"),
    ):
        letter = letters().customer_wrote(
            a_customer(), STAFF_LINK, [a_message()], {"M-1": "INV-1"}, more=more
        )
        assert letter.subject == subject


@pytest.mark.parametrize("more", [-1, 1.0, True, "1", None])
def test_how_many_are_left_out_is_a_number(more: Any) -> None:
    """What is none is refused."""
    with pytest.raises(InvalidValue, match="more must be a whole number from 0"):
        letters().customer_wrote(a_customer(), None, [a_message()], {}, more=more)
    with pytest.raises(InvalidValue, match="more must be a whole number from 0"):
        letters().answered(
            a_customer(), LINK, UNTIL, [a_message(author=Author.SELLER)], {}, more=more
        )


@pytest.mark.parametrize("wrong", [a_note(), a_message(author=Author.CUSTOMER), "text", None])
def test_only_replies_are_told_to_customers(wrong: Any) -> None:
    """An internal note has no way into a letter, nor what customers wrote themselves."""
    good = a_message("M-2", author=Author.SELLER)
    assert letters().answered(a_customer(), LINK, UNTIL, [good], {})
    with pytest.raises(InvalidValue, match="must be") as refused:
        letters().answered(a_customer(), LINK, UNTIL, [good, wrong], {})
    assert "Pays late" not in str(refused.value)


@pytest.mark.parametrize("wrong", [a_note(), a_message(author=Author.SELLER)])
def test_only_what_customers_wrote_is_told_to_staff(wrong: Message | InternalNote) -> None:
    """Neither notes nor what staff wrote themselves."""
    with pytest.raises(InvalidValue, match="must be"):
        letters().customer_wrote(a_customer(), STAFF_LINK, [wrong], {})  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("about", "subject"),
    [
        ({"M-1": "INV-1042", "M-2": "INV-1042"}, "Kopi Nusantara wrote about INV-1042"),
        ({"M-1": "INV-1042", "M-2": "INV-7"}, "Kopi Nusantara wrote to you"),
        ({"M-1": "INV-1042"}, "Kopi Nusantara wrote to you"),
        ({"M-1": None, "M-2": None}, "Kopi Nusantara wrote to you"),
    ],
)
def test_a_message_reaches_staff(about: dict[str, str | None], subject: str) -> None:
    """The subject names the document where it is the one of all messages; texts are marked."""
    messages = [a_message("M-1", text=f"Paid.\n{LINK}"), a_message("M-2", text="Again.")]
    letter = letters().customer_wrote(a_customer(), STAFF_LINK, messages, about)
    assert letter.subject == subject
    assert f"> Paid.\n> {LINK}\n" in letter.text
    assert "Replies to this e-mail are not read; answer on the page:" in letter.text
    assert letter.text.splitlines().count(STAFF_LINK) == 1
    assert (STAFF_LINK, STAFF_LINK) in Page(letter.html).anchors


def test_staff_read_their_own_language() -> None:
    """Notices are in the seller's language, letters in the customer's, else the seller's."""
    writer = letters(seller=Seller("S", language="id"))
    german = a_customer(language="de")
    languages = [one.language for one in every_letter(writer, german)]
    assert languages == ["de", "de", "de", "id", "id"]
    assert writer.link(a_customer(), LINK, UNTIL, ALL).language == "id"
    assert writer.link(a_customer(language="pt-BR"), LINK, UNTIL, ALL).language == "en"


def test_without_an_address_of_the_staff_pages() -> None:
    """It is said where to look; there is no link."""
    wrote = letters().customer_wrote(a_customer(), None, [a_message()], {})
    soon = letters().expiring([(a_customer(), a_token())], None, 7)
    assert "answer under Messages on the staff pages." in wrote.text
    assert "The page Portal Access Tokens lists them." in soon.text
    for one in (wrote, soon):
        assert "http" not in one.text
        assert Page(one.html).anchors == []


def rows(count: int) -> list[tuple[Customer, PortalToken]]:
    """So many customers whose links expire."""
    token = a_token(issued_at=UNTIL - dt.timedelta(3), expires_at=UNTIL)
    return [
        (a_customer(f"C-{n}", name=f"Customer {n}", number=f"{n}"), token) for n in range(count)
    ]


def test_a_notice_of_links_that_expire() -> None:
    """Each is named with the customer's number and the instant; all fit."""
    letter = letters().expiring(rows(2), STAFF_LINK, 7)
    assert letter.subject == "2 portal links expire soon"
    assert letter.text.startswith(
        "These portal links expire within 7 days (Berlin time):\n"
        "\n"
        "- Customer 0 (0): Thu 14 May 2026, 09:12\n"
        "- Customer 1 (1): Thu 14 May 2026, 09:12\n"
        "\n"
        "Whoever still needs access gets a new link by Regenerate.\n"
    )
    assert STAFF_LINK in letter.text.splitlines()


@pytest.mark.parametrize(
    ("count", "more", "subject", "rest"),
    [
        (1, False, "1 portal link expires soon", None),
        (NAMED, False, f"{NAMED} portal links expire soon", None),
        (NAMED + 1, False, f"{NAMED + 1} portal links expire soon", "and 1 other"),
        (NAMED + 120, False, f"{NAMED + 120} portal links expire soon", "and 120 others"),
        (
            200,
            True,
            "More than 200 portal links expire soon",
            f"and more than {200 - NAMED} others",
        ),
    ],
)
def test_a_long_notice_is_cut(count: int, more: bool, subject: str, rest: str | None) -> None:
    """The first are named, the rest are counted, in both parts."""
    letter = letters().expiring(rows(count), STAFF_LINK, 7, more=more)
    assert letter.subject == subject
    assert letter.text.count("\n- ") == min(count, NAMED) == letter.html.count("<li ")
    assert [line for line in letter.text.splitlines() if line.startswith("and ")] == (
        [rest] if rest else []
    )
    assert (f">{rest}<" in letter.html) is (rest is not None)


# --- what holds of each letter ----------------------------------------------------------------


@given(
    name=ours.texts() | st.sampled_from(HOSTILE),
    number=ours.optional(ours.texts()),
    seller=ours.one_line_texts(255).filter(str.strip),
    address=ours.multi_line_texts(1000),
    language=st.sampled_from([*CATALOGUES, "de-CH", "pt-BR", "ar", "", "\r\nx: y"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Jakarta", "America/St_Johns"]),
    sections=st.sets(st.sampled_from(Section)),
    until=ours.instants(dt.datetime(2000, 1, 1, tzinfo=dt.UTC), UNTIL),
    text=ours.multi_line_texts(2000, least=1) | st.sampled_from([LINK, f"\n{LINK}\n\n"]),
    replaces=st.booleans(),
)
def test_both_parts_say_the_same(
    name: str,
    number: str | None,
    seller: str,
    address: str,
    language: str,
    zone: str,
    sections: set[Section],
    until: dt.datetime,
    text: str,
    replaces: bool,
) -> None:
    """Whoever writes to whom: one link, the same words in the same order, headers as they are."""
    writer = Letters(Seller(seller, address=address), ZoneInfo(zone))
    customer = Customer("C-1", name, number=number, language=language)
    reply = [a_message(text=text, author=Author.SELLER)]
    for letter in (
        writer.link(customer, LINK, until, sections, replaces=replaces),
        writer.answered(customer, LINK, until, reply, {"M-1": number}),
        writer.customer_wrote(customer, LINK, [a_message(text=text)], {"M-1": number}),
        writer.expiring([(customer, a_token())], LINK, 7),
    ):
        message = sent(letter, writer)
        plain, html = parts(message)
        assert (plain, html) == (letter.text, letter.html)
        assert plain.splitlines().count(LINK) == 1
        page = Page(html)
        assert [one for one in page.anchors if one[0] == LINK][1] == (LINK, LINK)
        assert {address for address, _ in page.anchors} == {LINK}
        assert is_within(words_of(plain), words_of(page.text))
        assert message["Subject"] == letter.subject
        assert SECRET not in letter.subject
        said = str(make_header(decode_header(raw_header(message, "From"))))
        assert said.endswith(f"<{SENDER}>")
        if letter.language != "en" or language in ("en", ""):
            assert message["Content-Language"] == letter.language


def raw_header(message: EmailMessage, name: str) -> str:
    """A header as it came, unfolded."""
    raw = dict(message.raw_items())
    return "".join(str(raw[name]).splitlines())


@pytest.mark.parametrize("language", CATALOGUES)
def test_each_language_is_spoken(language: str) -> None:
    """Words, day and list of each language; nothing but names is left in English."""
    letter = letters().link(a_customer(language=language), LINK, UNTIL, ALL)
    seen = {
        "en": ["Hello Kopi", "credit notes and statement of account", "Thu 14 May 2026, 09:12"],
        "de": ["Guten Tag Kopi", "Gutschriften und Ihren Kontoauszug", "Do., 14. Mai 2026, 09:12"],
        "id": ["Yth. Kopi", "dan laporan rekening pelanggan", "Kam, 14 Mei 2026, 09:12"],
    }
    words = " ".join(letter.text.split())
    for other, expected in seen.items():
        assert [one in words for one in expected] == [other == language] * 3
    assert letter.language == language
    assert Page(letter.html).named("html") == [{"lang": language}]
    if language != "en":
        english = every_letter(letters(), a_customer(language="en"))
        own = every_letter(letters(seller=Seller("S", language=language)), a_customer())
        for here, there in zip(own, english, strict=True):
            assert here.subject != there.subject
            same = set(words_of(here.text)) & {"the", "of", "and", "your", "page", "soon"}
            assert same == set()


def test_days_are_in_the_language_of_the_words() -> None:
    """An Italian "mar 17 nov" among English words would be read as a day in March."""
    english = letters().link(a_customer(language="en"), LINK, UNTIL, ALL)
    assert letters().link(a_customer(language="it"), LINK, UNTIL, ALL).text == english.text
    swiss = letters().link(a_customer(language="de-CH"), LINK, UNTIL, ALL)
    assert swiss.language == "de"
    assert language_for("de-CH").day(UNTIL.date()) in swiss.text


@pytest.mark.parametrize("language", CATALOGUES)
def test_lines_are_short_but_for_the_link(language: str) -> None:
    """At most 78 characters; the link stands alone, whole, with nothing sticking to it."""
    writer = letters(seller=Seller("S" * 60 + " GmbH", phone="1 " * 30, language=language))
    text = "word " * 300 + "\n" + "x" * 200
    for letter in every_letter(writer, a_customer(), text):
        link = link_of(letter)
        long = [line for line in letter.text.splitlines() if len(line) > 78]
        assert [line for line in long if line not in (LINK, f"> {'x' * 200}")] == []
        assert re.search(rf"\n\n{re.escape(link)}\n\n", letter.text)


def test_a_phone_number_stays_on_one_line() -> None:
    """It is not cut where a line ends."""
    for filler in range(1, 80):
        seller = Seller("S", email=f"{'a' * filler}@s.example", phone="+49 30 1234567")
        assert "+49 30 1234567" in letters(seller=seller).link(a_customer(), LINK, UNTIL, []).text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_anybody_types_is_text(text: str) -> None:
    """In names, numbers and messages: no element, no line, no header, no template of theirs."""
    customer = Customer("C-1", text, number=text)
    line = " ".join(re.sub(f"{UNSEEN}|[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())
    writer = letters(seller=Seller(line, address=line))
    for letter in every_letter(writer, customer, f"A\n{line}", number=text):
        plain, html = parts(mail := sent(letter, writer))
        assert {"Bcc", "x"}.isdisjoint(mail.keys())
        assert len(mail["To"].addresses) == 1
        links = re.findall(r"^https?://.+$", plain, re.MULTILINE)
        assert links == [link_of(letter)]
        page = Page(html)
        assert {tag for tag, _ in page.elements} <= ALLOWED
        assert "49" not in letter.subject
        assert not re.search(UNSEEN, letter.subject)


ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "p", "a", "br"),
    *("blockquote", "ul", "li"),
}


@pytest.mark.parametrize("language", CATALOGUES)
def test_nothing_is_loaded_from_anywhere(language: str) -> None:
    """No picture, script, form, sheet or font; the only addresses are the link and ways to ask."""
    writer = letters(seller=Seller("S", email="a@s.example", phone="+49 30/1", language=language))
    for letter in every_letter(writer, a_customer(), "See https://evil.example/pixel.png"):
        page = Page(letter.html)
        assert {tag for tag, _ in page.elements} <= ALLOWED
        names = {name for _, attributes in page.elements for name in attributes}
        assert names <= {
            "lang",
            "charset",
            "name",
            "content",
            "class",
            "style",
            "role",
            "href",
            "dir",
        }
        addresses = {address for address, _ in page.anchors}
        assert addresses <= {link_of(letter), "mailto:a@s.example", "tel:+49301"}
        assert link_of(letter) in addresses
        assert not re.search(r"url\(|@import|src=|<!--|expression", letter.html, re.IGNORECASE)


def test_the_page_of_a_letter_is_in_order() -> None:
    """Title, one heading, both schemes of colours; the button has words, the address is in full."""
    letter = letters().link(a_customer(), LINK, UNTIL, ALL)
    page = Page(letter.html)
    assert letter.html.startswith("<!doctype html>\n")
    assert f"<title>{letter.subject}</title>" in letter.html
    assert len(page.named("h1")) == 1
    assert {"name": "color-scheme", "content": "light dark"} in page.named("meta")
    assert [one for one in page.anchors if one[0] == LINK] == [
        (LINK, "Open your page"),
        (LINK, LINK),
    ]


def test_no_amount_is_in_a_mail_with_a_link() -> None:
    """Nothing looks like money: mails are forwarded and shown on lock screens."""
    letter = letters().link(a_customer(), LINK, UNTIL, ALL)
    assert not re.search(r"\d[.,]\d\d\b|EUR|USD|€", letter.text.replace(LINK, ""))


def test_the_link_is_not_in_the_repr() -> None:
    """A letter that is logged tells no secret."""
    letter = letters().link(a_customer(), LINK, UNTIL, ALL)
    assert SECRET not in repr(letter)
    assert letter.subject in repr(letter)


@pytest.mark.parametrize(
    "link", ["", "erp/portal", "javascript:alert(1)", f"{LINK} x", f"{LINK}\n", None, 7]
)
def test_what_is_no_link_is_refused(link: Any) -> None:
    """It must be able to stand alone on a line; the refusal does not repeat it."""
    with pytest.raises(InvalidValue, match="link must be an http address") as refused:
        letters().link(a_customer(), link, UNTIL, ALL)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", ["\n", " ", "\u202e", "\t"])
def test_a_name_that_shows_nothing_is_replaced(name: str) -> None:
    """By the customer's number, else by the id."""
    link = letters().link
    numbered = link(a_customer(name=name), LINK, UNTIL, ALL)
    assert numbered.text.startswith("Hello 1001,\n")
    nameless = link(a_customer("C-9", name=name, number=None), LINK, UNTIL, ALL)
    assert nameless.text.startswith("Hello C-9,\n")


def test_long_names_are_cut() -> None:
    """At a length to be read."""
    letter = letters().customer_wrote(a_customer(name="x" * 1000), None, [a_message()], {})
    assert letter.subject == f"{'x' * 99}… wrote to you"


# --- the e-mail -------------------------------------------------------------------------------


def test_the_headers() -> None:
    """From whom, to whom, when, that it is automatic and in which language."""
    message = sent(letters().link(a_customer(language="de"), LINK, UNTIL, ALL))
    assert {name: str(value) for name, value in message.items() if name != "Content-Type"} == {
        "From": "Nordlicht Kaffee GmbH <portal@nordlicht.example>",
        "Subject": "Ihre Rechnungen und Ihr Kontoauszug von Nordlicht Kaffee GmbH",
        "To": "finance@kopi.example",
        "Reply-To": "accounts@nordlicht.example",
        "Date": "Wed, 15 Jan 2025 09:00:00 +0000",
        "Message-ID": "<1@nordlicht.example>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Content-Language": "de",
        "MIME-Version": "1.0",
    }


def test_no_way_back_where_there_is_none() -> None:
    """A seller without an address has no Reply-To."""
    assert "Reply-To" not in sent(letters().link(a_customer(), LINK, UNTIL, ALL), reply_to=None)


NAMES = [
    "GmbH & Co. KG, Lübeck",
    'The "Best\\", Ltd.',
    "株式会社" * 20,
    "=?utf-8?q?=41?=",
    "a " * 40 + "b",
]


@given(
    ours.one_line_texts(255).filter(lambda name: name == " ".join(name.split()) != "")
    | st.sampled_from(NAMES)
)
@example('The "Best\\", Ltd.')
@example("=?utf-8?q?=41?=")
def test_the_seller_is_named_as_it_is(name: str) -> None:
    """Whatever its name: one address, and the name whole, by the reader of any mail program."""
    writer = letters(seller=Seller(name))
    message = sent(writer.link(a_customer(), LINK, UNTIL, ALL), writer, reply_to=None)
    assert [one.addr_spec for one in message["From"].addresses] == [SENDER]
    raw = raw_header(message, "From")
    assert raw.isascii()
    shown = str(make_header(decode_header(raw))).removesuffix(f"<{SENDER}>").strip()
    if raw.startswith('"'):
        shown = re.sub(r"\\(.)", r"\1", shown[1:-1])
    assert shown == name
    assert message["Subject"] == f"Your invoices and statement from {name}"


@pytest.mark.parametrize("name", NAMES)
def test_names_with_commas_and_quotes(name: str) -> None:
    """They are one name before one address, with any policy, and as our transports write them."""
    writer = letters(seller=Seller(name))
    mail = writer.message(
        writer.link(a_customer(), LINK, UNTIL, ALL),
        sender=SENDER,
        to="finance@kopi.example",
        date=NOW,
        message_id="<1@nordlicht.example>",
    )
    written = [mail.as_bytes(), mail.as_bytes(policy=SMTP.clone(linesep="\n"))]
    for raw in [*written, Envelope.of(mail).content]:
        assert max(map(len, raw.partition(b"To: ")[0].splitlines())) <= 78
        assert len(message_from_bytes(raw, policy=SMTP)["From"].addresses) == 1
        assert message_from_bytes(raw)["From"].count("<") == 1


def test_a_sender_with_other_letters() -> None:
    """An address that needs SMTPUTF8 is handed over as it is; the server may refuse it."""
    mail = letters().message(
        letters().link(a_customer(), LINK, UNTIL, ALL),
        sender="rechnungsbüro@nordlicht.example",
        to="finance@kopi.example",
        date=NOW,
        message_id="<1@nordlicht.example>",
    )
    envelope = Envelope.of(mail)
    assert envelope.needs_utf8
    assert envelope.sender == "rechnungsbüro@nordlicht.example"


@pytest.mark.parametrize("field", ["sender", "to", "reply_to"])
@pytest.mark.parametrize(
    "address", ["a@x.example, b@y.example", "a@x.example\r\nBcc: b@y", "", "a"]
)
def test_addresses_are_parsed(field: str, address: str) -> None:
    """What is not exactly one address is refused, by the name of the argument."""
    letter = letters().link(a_customer(), LINK, UNTIL, ALL)
    assert sent(letter, **{field: "good@x.example"})
    with pytest.raises(InvalidValue) as refused:
        sent(letter, **{field: address})
    assert refused.value.field == field


def test_bodies_stay_readable_on_the_way() -> None:
    """ASCII goes as it is, all else as quoted-printable; never base64, never raw 8 bits."""
    english, german = (
        letters().link(a_customer(language=language), LINK, UNTIL, ALL) for language in ("en", "de")
    )
    ways = [
        [part["Content-Transfer-Encoding"] for part in sent(one).iter_parts()]
        for one in (english, german)
    ]
    assert ways == [["7bit", "7bit"], ["quoted-printable", "quoted-printable"]]


def test_a_link_of_any_length_arrives_whole() -> None:
    """Also where no line of an e-mail may be as long."""
    link = f"https://erp.example.com/{'long/' * 300}{SECRET}"
    text, html = parts(sent(letters().link(a_customer(), link, UNTIL, ALL)))
    assert link in text.splitlines()
    assert (link, link) in Page(html).anchors


# --- templates of the host --------------------------------------------------------------------

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a template of the host."""

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    return write


def test_blocks_of_a_template_are_overridden(tmp_path: Path, write: Write) -> None:
    """The host's come first and may extend ours; the rest stays."""
    write(
        "link.txt",
        '{% extends "basis_portal/link.txt" %}'
        "{% block greeting %}Dear {{ customer.name }} & friends,\n\n{% endblock %}",
    )
    write(
        "frame.html",
        '{% extends "basis_portal/frame.html" %}'
        "{% block footer %}{{ super() }}<p>{{ seller.name }} & Registered</p>{% endblock %}",
    )
    writer = letters(templates=tmp_path, seller=Seller("N & K"))
    letter = writer.link(a_customer(name="A & B"), LINK, UNTIL, ALL)
    assert letter.text.startswith("Dear A & B & friends,\n\nN & K keeps")
    assert "<p>N &amp; K & Registered</p>" in letter.html
    assert "Hello A &amp; B," in letter.html


def test_a_folder_speaks_a_language(tmp_path: Path, write: Write) -> None:
    """Readers of a language the host has templates for get these, tagged so; others do not."""
    write(
        "fr/link.txt",
        "Subject: Vos factures\nBonjour {{ customer.name }}\n\n{{ link }}\n{{ until }}",
    )
    write(
        "fr/link.html",
        '{% extends "frame.html" %}{% block content %}<a href="{{ link }}">page</a>{% endblock %}',
    )
    writer = letters(templates=str(tmp_path))
    for language in ("fr", "fr-CA", "fr_CA"):
        letter = writer.link(a_customer(language=language), LINK, UNTIL, ALL)
        assert (letter.subject, letter.language) == ("Vos factures", "fr")
        assert "14 mai 2026" in letter.text
        assert '<html lang="fr">' in letter.html
    for language in ("de", "../fr", None):
        letter = writer.link(a_customer(language=language), LINK, UNTIL, ALL)
        assert letter.subject != "Vos factures"
    french = a_customer(language="fr")
    reply = [a_message(author=Author.SELLER)]
    assert writer.answered(french, LINK, UNTIL, reply, {}).language == "en"


def test_half_a_translation_is_not_used(tmp_path: Path, write: Write) -> None:
    """Both parts are in one language."""
    write("fr/link.txt", "Subject: Vos factures\n{{ link }}\n")
    letter = letters(templates=tmp_path).link(a_customer(language="fr"), LINK, UNTIL, ALL)
    assert letter.language == "en"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("link.txt", "Subject: {% if %}", r"link\.txt cannot be used: link\.txt, line 1: "),
        ("link.txt", "Subject: Hi\n{{ lnk }}", "'lnk' is undefined"),
        ("link.txt", "Hello\n{{ link }}", "must begin with a line that is 'Subject: '"),
        ("link.txt", "Subject: \n{{ link }}", "must begin with a line that is 'Subject: '"),
        ("link.txt", "Subject: Hi\nGo to {{ link }}.", "must show {{ link }}: alone on a line"),
        ("link.html", "<p>{{ link }}</p>", "must show {{ link }}"),
        ("answered.html", '{% extends "nowhere.html" %}', "nowhere.html"),
        ("expiring.txt", "Subject: Hi\n{{ customer.name }}", "'customer' is undefined"),
        ("customer_wrote.html", "{{ link.x.y }}", "has no attribute 'x'"),
        ("fr/link.txt", "Subject: Hi\n{{ lnk }}", "fr/link.txt, line 2: 'lnk' is undefined"),
        (
            "link.txt",
            "Subject: Hi\n{{ link }}\n{{ 1/0 }}",
            "link.txt, line 3: ZeroDivisionError: division by zero",
        ),
        ("to_staff.html", "<p>\n{{ 1/0 }}", "to_staff.html, line 2: ZeroDivisionError"),
        ("link.html", '{% include "link.html" %}', "link.html, line 1: RecursionError"),
    ],
)
def test_a_mistake_in_a_template_is_found_at_the_start(
    tmp_path: Path, write: Write, name: str, text: str, complaint: str
) -> None:
    """When the application starts, not in the middle of an invoice run; it says where and what."""
    letters(templates=tmp_path)
    if name.startswith("fr/"):
        write("fr/link.html", '<a href="{{ link }}">')
    write(name, text)
    with pytest.raises(
        InvalidValue, match=re.escape(complaint) if "\\" not in complaint else complaint
    ):
        letters(templates=tmp_path)


@pytest.mark.parametrize("name", ["link.txt", "frame.html"])
def test_a_template_that_is_not_utf_8_is_named(tmp_path: Path, name: str) -> None:
    """With the line of the first byte that is none, also where another extends it."""
    (tmp_path / name).write_bytes("Subject: Hi\n\nGrüße".encode("latin-1"))
    with pytest.raises(InvalidValue, match=f"{re.escape(name)}, line 3: it is not UTF-8"):
        letters(templates=tmp_path)


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        ("{{ nope }}", "'nope' is undefined"),
        ("{{ customer.name_of_no_customer }}", "has no attribute 'name_of_no_customer'"),
        ("{{ [][link] }}", "has no attribute '<...>'"),
        ("{{ {}[link.split('/')[-1]] }}", "has no attribute '<...>.<...>'"),
        ("{{ '%d' % link }}", "TypeError"),
        ("{{ ''.join([1], link) }}", "TypeError"),
        ("{{ link.index('nowhere') }}", "ValueError"),
        ("{{ customer[link] }}", "has no attribute '<...>"),
    ],
)
def test_a_template_that_fails_later_is_named_without_the_link(
    tmp_path: Path, write: Write, fails: str, told: str
) -> None:
    """What only some customers meet: file, line and cause, and nothing of the link."""
    write("link.txt", "Subject: Hi\n{{ link }}\n{% if customer.number %}\n" + fails + "{% endif %}")
    writer = letters(templates=tmp_path)
    with pytest.raises(
        InvalidValue, match=r"link\.txt cannot be used: link\.txt, line 4: "
    ) as failed:
        writer.link(a_customer(number="7"), LINK, UNTIL, ALL)
    assert failed.value.field == "link.txt"
    assert told in str(failed.value)
    assert not any(half in str(failed.value) for half in SECRET.split("."))
    assert failed.value.__context__ is failed.value.__cause__ is None


@pytest.mark.parametrize("folder", ["nowhere", "a file", "", 7])
def test_templates_must_be_a_folder(tmp_path: Path, folder: Any) -> None:
    """What is none is refused by name; an empty text is not the working folder."""
    (tmp_path / "a file").touch()
    wrong = tmp_path / folder if folder in ("nowhere", "a file") else folder
    with pytest.raises(InvalidValue, match="templates must be a folder with templates"):
        letters(templates=wrong)


def test_days_are_in_the_words_of_the_letter_without_babel() -> None:
    """Where it is missing, German and Indonesian letters tell the day as English ones do."""
    code = (
        "import sys; sys.modules['babel'] = None\n"
        "from tests.mail.test_letters import *\n"
        "for tag in ('en', 'de', 'id', 'fr'):\n"
        "    letter = letters().link(a_customer(language=tag), LINK, UNTIL, ALL)\n"
        "    print(ascii(next(one for one in letter.text.splitlines() if '2026' in one)))\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "'The link works until Thu 14 May 2026, 09:12 (Berlin time).'",
        "'Der Link gilt bis Do., 14. Mai 2026, 09:12 Uhr (Zeitzone Berlin).'",
        "'Tautan ini berlaku sampai Kam, 14 Mei 2026, 09:12 (waktu Berlin).'",
        "'The link works until Thu 14 May 2026, 09:12 (Berlin time).'",
    ]


@pytest.mark.parametrize(
    ("missing", "module", "told"),
    [
        ("jinja2", "basis_portal.mail", r"basis-portal\[mail\]"),
        ("jinja2", "basis_portal.mail.smtp", r"basis-portal\[mail\]"),
        ("flask", "basis_portal.web", r"basis-portal\[web\]"),
    ],
)
def test_what_is_missing_names_the_extra(missing: str, module: str, told: str) -> None:
    """Whoever installed the package alone is told what to install."""
    code = f"import sys; sys.modules[{missing!r}] = None; import {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert re.search(f"^ModuleNotFoundError: .*{told}", done.stderr, re.M)
