"""Messages as a thread with a form: nothing typed is lost, nothing is sent twice."""

from __future__ import annotations

import pytest
from tests.web.conftest import document_path, path_of
from tests.web.reading import hidden, links, words
from werkzeug.test import Client, TestResponse

from basis_portal import Portal, PortalConfig
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock

TEXT = "Paid today, see remittance 4711."


def _form(client: Client, link: str, page: str = "/messages") -> dict[str, str]:
    """The hidden fields of the form as a browser would send them."""
    html = client.get(link + page).text
    fields = {"form": hidden(html, "form"), "once": hidden(html, "once")}
    if 'name="about"' in html:
        fields["about"] = hidden(html, "about")
    return fields


def _send(client: Client, link: str, text: str = TEXT, **fields: str) -> TestResponse:
    given = {**_form(client, link), **fields, "text": text}
    return client.post(f"{link}/messages", data=given)


def _texts(portal: Portal) -> list[str]:
    return [one.text for one in portal.messages.thread(demo.KOPI, limit=200).items]


def test_the_thread_reads_from_top_to_bottom(client: Client, kopi: str) -> None:
    """Oldest first by day; the seller speaks as the seller, no member of staff is named."""
    html = client.get(f"{kopi}/messages").text
    said = words(html)
    order = ["Sat 11 Apr 2026", "You", "May we pay", "Sun 12 Apr 2026", "The 800.00 are here"]
    places = [said.find(one) for one in order]
    assert -1 not in places
    assert places == sorted(places)
    assert links(html)["about Invoice INV-1042"] == document_path(kopi, "INV-1042")
    assert "ana" not in said.replace("Nusantara", "")


def test_a_message_is_sent_and_appears(client: Client, portal: Portal, kopi: str) -> None:
    """After sending, a redirect shows the thread with the message and says that it was sent."""
    answer = _send(client, kopi)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{kopi}/messages?sent=1#sent"
    said = words(client.get(answer.headers["Location"].split("#")[0]).text)
    assert "Message sent. The answer will appear here." in said
    assert TEXT in said
    assert _texts(portal)[0] == TEXT


def test_a_question_about_an_invoice_names_it(client: Client, portal: Portal, kopi: str) -> None:
    """The form on a document's page sends along which document it is about."""
    page = f"/document/{key_of('INV-1051')}"
    assert _send(client, kopi, **_form(client, kopi, page)).status_code == 303
    (newest, *_) = portal.messages.thread(demo.KOPI).items
    assert (newest.text, newest.document_id) == (TEXT, "INV-1051")


def test_a_form_sent_twice_makes_one_message(
    client: Client, portal: Portal, clock: FrozenClock, kopi: str
) -> None:
    """A double click, or Back and once more from a new page, is one message; later it is two."""
    before, form = len(_texts(portal)), _form(client, kopi)
    for _ in range(3):
        assert _send(client, kopi, **form).status_code == 303
    assert _send(client, kopi).status_code == 303
    assert len(_texts(portal)) == before + 1
    clock.advance(hours=1)
    assert _send(client, kopi).status_code == 303
    assert len(_texts(portal)) == before + 2
    clock.advance(minutes=1)
    portal.messages.reply(demo.KOPI, "Yes.", by="ana")
    clock.advance(minutes=1)
    assert _send(client, kopi).status_code == 303
    assert len(_texts(portal)) == before + 4


def test_a_form_sent_again_with_another_text_makes_another_message(
    client: Client, portal: Portal, clock: FrozenClock, kopi: str
) -> None:
    """Where the first answer never came, what was changed before it was sent again is not lost."""
    before, form = _texts(portal), _form(client, kopi)
    ten, hundred = "Ten bags, please.", "100 bags, please (not ten)."
    for text in (ten, hundred, hundred):
        assert _send(client, kopi, **{**form, "text": text}).status_code == 303
        clock.advance(minutes=1)
    assert _texts(portal) == [hundred, ten, *before]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Please write something first."),
        (" \r\n\t ", "Please write something first."),
        ("x" * 2001, "Your message has 2,001 characters. The limit is 2,000."),
        ("bell \x07", "Your message contains a character that cannot be sent"),
    ],
)
def test_a_message_that_cannot_be_sent_comes_back(
    client: Client, portal: Portal, kopi: str, text: str, said: str
) -> None:
    """The page says why, the text stands in the box, and nothing was stored."""
    before = _texts(portal)
    answer = _send(client, kopi, text)
    assert answer.status_code == 400
    assert said in words(answer.text)
    if text.strip():
        assert text in answer.text
    assert _texts(portal) == before


def test_two_thousand_characters_as_a_browser_sends_them_are_enough(
    client: Client, portal: Portal, kopi: str
) -> None:
    """Line breaks arrive as CRLF and count as one character."""
    text = "line\r\n" * 399 + "last5"
    assert len(text.replace("\r\n", "\n")) == 2000
    assert _send(client, kopi, text).status_code == 303
    assert _texts(portal)[0] == text.replace("\r\n", "\n")


def test_the_hourly_limit_says_when_again(client: Client, clock: FrozenClock, kopi: str) -> None:
    """After twenty in an hour: 429, when one can write again, and the text is kept."""
    for number in range(20):
        assert _send(client, kopi, f"Message {number}").status_code == 303
    clock.advance(minutes=10, seconds=30)
    answer = _send(client, kopi)
    assert answer.status_code == 429
    said = words(answer.text)
    assert "You have sent 20 messages in the last hour. You can write again at 10:12." in said
    assert TEXT in answer.text
    clock.advance(minutes=50)
    assert _send(client, kopi).status_code == 303


@pytest.mark.parametrize("forged", ["", "x", "Zx.ü", "A" * 43])
def test_a_form_of_no_page_of_ours_is_asked_again(
    client: Client, portal: Portal, kopi: str, forged: str
) -> None:
    """A value that does not verify sends nothing: the text comes back with a good form."""
    before = _texts(portal)
    answer = _send(client, kopi, form=forged)
    assert answer.status_code == 403
    assert "Please press Send message once more." in words(answer.text)
    assert TEXT in answer.text
    assert _texts(portal) == before
    again = {"form": hidden(answer.text, "form"), "once": hidden(answer.text, "once")}
    assert client.post(f"{kopi}/messages", data={**again, "text": TEXT}).status_code == 303


def test_the_form_of_another_customer_is_not_accepted(
    client: Client, portal: Portal, kopi: str
) -> None:
    """A value is bound to the token of the link it was shown under."""
    other = path_of(portal.tokens.link(demo.HAFENKONTOR))
    before = _texts(portal)
    assert _send(client, kopi, form=_form(client, other)["form"]).status_code == 403
    assert _texts(portal) == before
    portal.tokens.regenerate(demo.KOPI)
    renewed = path_of(portal.tokens.link(demo.KOPI))
    assert _send(client, renewed).status_code == 303


@pytest.mark.parametrize("about", [key_of("INV-1030"), key_of("INV-1060"), key_of("none"), "!!"])
def test_a_message_about_a_foreign_document_is_refused_without_a_hint(
    client: Client, portal: Portal, kopi: str, about: str
) -> None:
    """Another customer's, a draft, an unknown one: one answer, and the text is kept."""
    before = _texts(portal)
    answer = _send(client, kopi, about=about)
    assert answer.status_code == 404
    assert "That document is no longer in your portal." in words(answer.text)
    assert TEXT in answer.text
    assert _texts(portal) == before


def test_hidden_messages_are_not_found(client: Client, portal: Portal, kopi: str) -> None:
    """Switched off, the thread is not there and the form of an open page sends nothing."""
    form, before = _form(client, kopi), _texts(portal)
    portal.settings.save(PortalConfig(enabled=True))
    assert client.get(f"{kopi}/messages").status_code == 404
    answer = client.post(f"{kopi}/messages", data={**form, "text": TEXT})
    assert answer.status_code == 404
    assert _texts(portal) == before
    assert "Ask about" not in words(client.get(document_path(kopi, "INV-1042")).text)


def test_a_long_thread_is_read_in_pages(client: Client, clock: FrozenClock, kopi: str) -> None:
    """The newest fifty first; "Older messages" leads back to the beginning."""
    for number in range(60):
        clock.advance(minutes=5)
        assert _send(client, kopi, f"Message number {number:02}").status_code == 303
    html = client.get(f"{kopi}/messages").text
    assert "Message number 59" in html
    assert "Message number 09" not in html
    older = client.get(links(html)["Older messages"]).text
    assert "Message number 09" in older
    assert "May we pay" in older
    assert links(older)["Newest"] == f"{kopi}/messages"


def test_a_revoke_while_one_writes_sends_nothing(
    client: Client, portal: Portal, storage: InMemoryStorage, kopi: str
) -> None:
    """The form of a page opened before the revoke is denied like any other visit."""
    form, before = _form(client, kopi), _texts(portal)
    portal.tokens.revoke(demo.KOPI, by="ana")
    answer = client.post(f"{kopi}/messages", data={**form, "text": TEXT})
    assert answer.status_code == 403
    assert "This link does not work." in words(answer.text)
    assert _texts(portal) == before
