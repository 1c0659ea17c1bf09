"""The button "E-mail me a new link": one answer for every link, and who gets an e-mail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.conftest import Watched
from tests.depth import examples
from tests.web.conftest import (
    BASE_URL,
    ORIGIN,
    SELLER,
    Failing,
    Page,
    Visitor,
    crawl,
    document_path,
    path_of,
)
from tests.web.reading import hidden, title, words
from werkzeug.test import TestResponse

from basis_portal import AuditEvent, Edition, Portal, PortalConfig, StorageError
from basis_portal.demo import seller as demo
from basis_portal.mail import Mail, Mailer, MailKind, OutboxTransport
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import customer_app

BUTTON = "?new-link=1"
ON_ITS_WAY = (
    "If this link belongs to a customer with an e-mail address on file, a new link is on its way. "
    "It can take a few minutes; look in the spam folder too."
)
BELOW = ["", "/", "/invoices", "/messages", f"/{'x' * 3000}", "/statement.pdf"]
Rows = Callable[[], dict[str, Any]]


@attrs.define
class Post:
    """The customers' pages of a seller who e-mails, and the e-mails.

    Attributes:
        portal: the portal.
        clock: its clock.
        mailer: its mailer.
        outbox: where the e-mails go.
    """

    portal: Portal
    clock: FrozenClock
    mailer: Mailer
    outbox: OutboxTransport
    _visitors: dict[bool, Visitor] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of(cls, portal: Portal, clock: FrozenClock, folder: Path) -> Post:
        """All of a portal, its e-mails in a folder."""
        outbox = OutboxTransport(folder)
        sender = "portal@nordlicht.example"
        return cls(portal, clock, Mailer(portal, transport=outbox, sender=sender), outbox)

    def visitor(self, *, renewals: bool = True) -> Visitor:
        """Whoever asks from outside."""
        if renewals not in self._visitors:
            app = customer_app(self.portal, seller=SELLER, mailer=self.mailer, renewals=renewals)
            self._visitors[renewals] = Visitor(app)
        return self._visitors[renewals]

    def press(self, address: str, **headers: str) -> TestResponse:
        """The answer to the button on the page at an address."""
        return self.visitor().post(address + BUTTON, headers=headers)

    @property
    def queued(self) -> int:
        """How many e-mails wait."""
        return self.portal.mailing.report().queued

    def mailed(self) -> list[EmailMessage]:
        """All e-mails, once what waits is sent."""
        for _ in self.mailer.run():
            pass
        return self.outbox.messages()

    def link(self, customer_id: str = demo.KOPI) -> str:
        """The path of a link that works."""
        self.portal.tokens.ensure(customer_id, by="ana")
        return path_of(self.portal.tokens.link(customer_id, by="ana"))


@pytest.fixture
def portal(storage: InMemoryStorage, clock: FrozenClock) -> Portal:
    """The portal of the invented seller, with a short long account."""
    return demo.make_seller(storage, clock, base_url=BASE_URL, invoices=12)


@pytest.fixture
def post(portal: Portal, clock: FrozenClock, tmp_path: Path) -> Post:
    """The invented seller, who e-mails new links."""
    return Post.of(portal, clock, tmp_path / "outbox")


@pytest.fixture
def kinds(post: Post) -> dict[str, str]:
    """A path of each kind of link there is, on one day."""
    portal, hosts = post.portal, post.portal.customers
    assert hasattr(hosts, "save")
    assert hasattr(hosts, "delete")
    link = post.link()
    made = {
        "expired": post.link(demo.KOPI),
        "expired, without an address": post.link(demo.LUMIERE),
        "expired, blocked": post.link(demo.HAFENKONTOR),
        "expired, gone": post.link(demo.BEAN_THERE),
        "expired, then revoked": post.link(demo.ATHENS),
        "replaced, past its time": post.link(demo.MUELLER),
    }
    post.clock.advance(days=20)
    portal.tokens.regenerate(demo.MUELLER, by="ana")
    post.clock.advance(days=20)
    made |= {"revoked": post.link(demo.AURORA), "replaced": path_of(_regenerated(portal))}
    portal.tokens.revoke(demo.AURORA, by="ana")
    portal.tokens.revoke(demo.ATHENS, by="ana")
    portal.tokens.regenerate(demo.HARBOUR, by="ana")
    blocked, gone = hosts.get(demo.HAFENKONTOR), demo.BEAN_THERE
    assert blocked is not None
    hosts.save(attrs.evolve(blocked, blocked=True))
    hosts.delete(gone)
    return made | {
        "active": post.link(demo.HARBOUR),
        "forged": link[:-3] + ("A" if link[-3] != "A" else "B") + link[-2:],
        "cut": link[:-1],
        "unknown": f"/portal/{'A' * 22}.{'b' * 43}",
        "junk": "/portal/invoices",
        "a page's": "/portal/static/portal.css",
        "foreign letters": "/portal/%D7%90%00%FF",
        "very long": f"/portal/{'A' * 60_000}",
        "empty": "/portal",
    }


def _regenerated(portal: Portal) -> str:
    portal.tokens.regenerate(demo.HARBOUR, by="ana")
    return portal.tokens.link(demo.HARBOUR, by="ana")


def _whole(answer: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    """All of an answer that anybody could tell from another."""
    return answer.status, list(answer.headers), answer.data


# --- the button -----------------------------------------------------------------------------


def test_every_page_that_denies_has_the_same_button(post: Post, kinds: dict[str, str]) -> None:
    """Whatever the link, and wherever below it: the same bytes; a link that works has none."""
    client = post.visitor()
    plain = client.get("/portal/x")
    (form,) = Page("/portal/x", plain.text).forms
    assert (form.method, form.fields, form.typed) == ("post", [], {})
    assert form.action == f"/portal/x{BUTTON}"
    said = words(plain.text)
    assert "E-mail me a new link" in said
    assert "We send it only to the address Nordlicht Kaffee GmbH has on file." in said
    for kind, link in kinds.items():
        for below in BELOW if kind not in ("a page's", "very long") else [""]:
            answer = client.get(link + below)
            if kind == "active":
                assert answer.status_code != 403
                assert b"E-mail me a new link" not in answer.data
            elif kind != "a page's":
                assert _whole(answer) == _whole(plain), (kind, below)
                head = client.head(link + below)
                assert (head.status, list(head.headers)) == _whole(plain)[:2]


def test_where_it_is_not_switched_on_there_is_no_button(post: Post, kinds: dict[str, str]) -> None:
    """By default; a POST is then what it is on every address of a link, and queues nothing."""
    client = post.visitor(renewals=False)
    for link in (one for kind, one in kinds.items() if kind not in ("active", "a page's")):
        answer = client.get(link)
        assert answer.status_code == 403
        assert "<form" not in answer.text
        for below in BELOW:
            pressed, usual = (client.post(link + below + one) for one in (BUTTON, ""))
            assert pressed.status_code in (403, 405)
            assert _whole(pressed) == _whole(usual)
    assert post.queued == 0


# --- one answer -----------------------------------------------------------------------------


def test_the_answer_is_the_same_for_every_link(post: Post, kinds: dict[str, str]) -> None:
    """Status, headers and body, on whatever page of whatever link the button is pressed."""
    plain = post.press("/portal/x")
    assert plain.status_code == 200
    assert ON_ITS_WAY in words(plain.text)
    assert title(plain.text) == "New link requested - Nordlicht Kaffee GmbH"
    assert "If none arrives, ask Nordlicht Kaffee GmbH: accounts@nordlicht" in words(plain.text)
    for kind, link in kinds.items():
        for below in BELOW if kind != "very long" else [""]:
            assert _whole(post.press(link + below)) == _whole(plain), (kind, below)
    assert post.queued > 0


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(st.characters(exclude_categories=["Cs"])))
@example(path="/")
@example(path="//x")
@example(path="../x")
@example(path="x/../../x")
@example(path="\0")
@example(path="x?new-link=2#y")
def test_the_answer_is_the_same_for_any_address(post: Post, path: str) -> None:
    """Whatever is in the address."""
    assert _whole(post.press(f"/portal/{quote(path)}")) == _whole(post.press("/portal/x"))


@pytest.mark.parametrize("site", ["same-origin", "same-site", "cross-site", "none", "?"])
def test_the_answer_is_the_same_whoever_sends_it(
    post: Post, kinds: dict[str, str], site: str
) -> None:
    """Another site's page gains nothing by it: the e-mail goes to the address on file."""
    plain = post.press("/portal/x")
    headers = {"Sec-Fetch-Site": site, "Origin": "https://evil.example", "Referer": "x" * 3000}
    for link in (kinds["expired"], kinds["active"], kinds["forged"]):
        assert _whole(post.press(link, **headers)) == _whole(plain)


def test_the_answer_is_in_the_language_of_the_browser(post: Post, kinds: dict[str, str]) -> None:
    """That of the customer would tell whose link it is."""
    link = kinds["replaced, past its time"]
    assert '<html lang="en">' in post.press(link).text
    assert '<html lang="id">' in post.press(link, **{"Accept-Language": "id"}).text


@pytest.mark.parametrize("gate", ["switch", "edition", "feature"])
def test_a_portal_that_is_off_says_so_whatever_the_link(
    post: Post, kinds: dict[str, str], storage: InMemoryStorage, tmp_path: Path, gate: str
) -> None:
    """Portal not available, as for GET, and nothing is queued."""
    off = Portal(
        storage,
        secret_keys=["k" * 32],
        base_url=BASE_URL,
        clock=post.clock,
        edition=Edition.DESKTOP if gate == "edition" else Edition.SERVER,
        feature_enabled=gate != "feature",
    )
    if gate == "switch":
        off.settings.save(PortalConfig())
    closed = Post.of(off, post.clock, tmp_path / "closed")
    usual = closed.visitor().get("/portal/x")
    assert "Portal not available" in words(usual.text)
    for link in kinds.values():
        answer = closed.press(link)
        assert answer.status_code == 403
        assert _whole(answer) == _whole(usual)
    assert post.queued == 0


@pytest.mark.parametrize("only", ["settings.", "tokens."])
def test_a_storage_that_fails_is_a_fault(
    storage: InMemoryStorage,
    clock: FrozenClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    only: str,
) -> None:
    """The page of faults, with a reference that is in the log, where the link is not."""
    failing: Any = Failing(storage)
    portal = demo.make_seller(failing, clock, base_url=BASE_URL, invoices=12)
    post = Post.of(portal, clock, tmp_path)
    link = post.link()
    clock.advance(days=60)
    failing.error, failing.only = lambda: StorageError("the disk is gone"), only
    with caplog.at_level(logging.DEBUG):
        answer = post.press(link)
    assert answer.status_code == 503
    reference = words(answer.text).split("Reference: ")[1].split()[0]
    assert f"fault {reference} " in caplog.text
    assert link.rsplit("/", 1)[1] not in caplog.text + answer.text
    failing.error = None
    assert post.press(link).status_code == 200
    assert post.queued == 1


def test_a_storage_that_cannot_be_written_answers_alike(
    storage: InMemoryStorage, clock: FrozenClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only a genuine expired link is written about: a page of faults would tell that it is one."""
    failing: Any = Failing(storage)
    portal = demo.make_seller(failing, clock, base_url=BASE_URL, invoices=12)
    post = Post.of(portal, clock, tmp_path)
    link = post.link()
    clock.advance(days=60)
    usual = _whole(post.press("/portal/forged"))
    failing.error, failing.only = lambda: StorageError("the disk is full"), "transact"
    assert _whole(post.press(link)) == usual
    assert "the disk is full" in caplog.text
    assert link.rsplit("/", 1)[1] not in caplog.text
    failing.error = None
    assert post.queued == 0


# --- what it costs and changes --------------------------------------------------------------


def test_the_button_opens_no_link_and_sends_nothing_by_itself(
    post: Post, kinds: dict[str, str], rows: Rows
) -> None:
    """Not even a working one counts as opened; no token begins or ends; e-mails only wait."""
    before = rows()
    for link in kinds.values():
        post.press(link)
    after = rows()
    assert {name for name in before if before[name] != after[name]} == {"mails"}
    assert post.outbox.files() == []


def test_what_is_not_genuine_costs_one_read(
    storage: InMemoryStorage, clock: FrozenClock, tmp_path: Path
) -> None:
    """That of the settings; a genuine link that works one more, and neither is written about."""
    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=12)
    watched: Any = Watched(storage)
    portal = Portal(watched, secret_keys=["k" * 32], base_url=BASE_URL, clock=clock)
    post = Post.of(portal, clock, tmp_path)
    link = path_of(portal.tokens.regenerate(demo.KOPI) and portal.tokens.link(demo.KOPI))
    for address, calls in ((link[:-1], ["settings.get"]), (link, ["settings.get", "tokens.get"])):
        watched.calls.clear()
        assert post.press(address).status_code == 200
        assert watched.calls == calls


def test_to_look_at_the_address_of_the_button_changes_nothing(
    post: Post, kinds: dict[str, str], rows: Rows
) -> None:
    """GET shows the page of the address, and HEAD and OPTIONS queue nothing either."""
    client = post.visitor()
    before = rows()
    for link in (kinds["expired"], kinds["forged"], kinds["active"]):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
            asked, usual = (client.open(link + one, method=method) for one in (BUTTON, ""))
            assert _whole(asked) == _whole(usual)
    assert rows() == before
    assert post.queued == 0


def test_scanners_change_nothing(post: Post, kinds: dict[str, str], rows: Rows) -> None:
    """Every link is fetched three times, and all that its page leads to."""
    before = rows()
    for _ in range(3):
        for kind, link in kinds.items():
            if kind not in ("a page's", "very long"):
                crawl(post.visitor(), link, **{"Sec-Fetch-Mode": "navigate"})
                post.visitor().head(link)
    after = rows()
    assert post.queued == 0
    assert post.mailed() == []
    assert after["tokens"] == before["tokens"]
    added = after["trail"][len(before["trail"]) :]
    assert {one.event for one in added} == {AuditEvent.OPENED, AuditEvent.REFUSED}


def test_a_text_that_was_being_written_is_not_lost(post: Post, kinds: dict[str, str]) -> None:
    """It stands on the page that refuses it and goes on to the next; not from another site."""
    client, link = post.visitor(), kinds["active"]
    form = hidden(client.get(f"{link}/messages").text, "form")
    post.clock.advance(days=60)
    sent = {"form": form, "text": "A long <thought>\r\nin two lines"}
    refused = client.post(f"{link}/messages", data=sent)
    assert refused.status_code == 403
    (button,) = Page(f"{link}/messages", refused.text).forms
    assert button.action == f"{link}/messages{BUTTON}"
    assert dict(button.fields) == {"text": "A long <thought>\r\nin two lines"}
    answer = client.post(button.action, data=dict(button.fields))
    assert ON_ITS_WAY in words(answer.text)
    assert "A long &lt;thought&gt;\r\nin two lines</textarea>" in answer.text
    other = client.post("/portal/x" + BUTTON, data=dict(button.fields))
    assert _whole(other) == _whole(answer)
    far = {"Sec-Fetch-Site": "cross-site"}
    foreign = client.post(button.action, data=dict(button.fields), headers=far)
    assert _whole(foreign) == _whole(post.press("/portal/x"))


# --- who gets an e-mail ---------------------------------------------------------------------


def test_who_holds_an_expired_link_gets_a_new_one_by_email(
    post: Post, kinds: dict[str, str]
) -> None:
    """To the address on file; the new link opens; pressed again and again it is one e-mail."""
    for _ in range(3):
        assert post.press(kinds["expired"] + "/statement").status_code == 200
    (message,) = post.mailed()
    assert message["To"] == "finance@kopi.example"
    text = message.get_body(("plain",))
    assert text is not None
    (address,) = [one for one in text.get_content().split() if one.startswith(ORIGIN)]
    assert post.visitor().get(path_of(address)).status_code == 200
    assert post.press(kinds["expired"]).status_code == 200
    assert len(post.mailed()) == 1


def test_only_who_may_have_a_link_gets_one(post: Post, kinds: dict[str, str]) -> None:
    """Of all kinds of links two bring an e-mail: expired, and replaced where its time is over."""
    brought = {}
    for kind, link in kinds.items():
        before = len(post.mailed())
        post.press(link)
        brought[kind] = [one["To"] for one in post.mailed()[before:]]
    assert {kind: to for kind, to in brought.items() if to} == {
        "expired": ["finance@kopi.example"],
        "replaced, past its time": ["buchhaltung@mueller.example"],
    }


@pytest.mark.parametrize("revoked", [True, False])
def test_a_revoke_ends_the_renewals_of_older_links(
    post: Post, kinds: dict[str, str], revoked: bool
) -> None:
    """A expired, B issued and revoked, A renewed: nothing. Not revoked, it is B that is mailed."""
    post.portal.tokens.generate(demo.KOPI, by="ana")
    second = post.portal.tokens.link(demo.KOPI, by="ana")
    if revoked:
        post.portal.tokens.revoke(demo.KOPI, by="ana")
    tokens = post.portal.tokens.history(demo.KOPI)
    assert ON_ITS_WAY in words(post.press(kinds["expired"]).text)
    mailed = post.mailed()
    assert len(mailed) == (not revoked)
    assert all(second in one.as_string().replace("=\n", "") for one in mailed)
    assert post.portal.tokens.history(demo.KOPI) == tokens


# --- where answers to messages go -----------------------------------------------------------


def _after_sending(client: Visitor, link: str) -> str:
    page = client.get(f"{link}/messages").text
    data = {"form": hidden(page, "form"), "once": hidden(page, "once"), "text": "Paid today."}
    answer = client.post(f"{link}/messages", data=data)
    assert answer.status_code == 303
    return words(client.get(answer.headers["Location"].partition("#")[0]).text)


def test_a_sent_message_says_where_the_answer_goes(post: Post) -> None:
    """To the address on file, of which no more is shown than its owner needs."""
    said = _after_sending(post.visitor(), post.link())
    assert (
        "Message sent. The answer will appear here, and we will e-mail f...@kopi.example." in said
    )
    assert "finance@" not in said


@pytest.fixture
def unmailed(post: Post) -> Iterator[tuple[Visitor, str]]:
    """Pages that can promise no e-mail: no mailer, no address, and one that is none."""
    save: Any = post.portal.customers
    kopi = save.get(demo.KOPI)

    def pages() -> Iterator[tuple[Visitor, str]]:
        yield Visitor(customer_app(post.portal)), post.link()
        yield post.visitor(), post.link(demo.LUMIERE)
        save.save(attrs.evolve(kopi, email="finance@kopi.example, other@kopi.example"))
        yield post.visitor(), post.link()

    return pages()


def test_nothing_is_promised_where_nothing_can_be_sent(
    unmailed: Iterator[tuple[Visitor, str]],
) -> None:
    """The answer appears here, and that is all that is said."""
    for client, link in unmailed:
        said = _after_sending(client, link)
        assert "Message sent. The answer will appear here." in said
        assert "e-mail f..." not in said


@attrs.define
class SendsLinks:
    """A host's own mailer, which tells nobody of replies."""

    portal: Portal

    def send_link(
        self, customer_id: str, *, by: str | None = None, mail_id: str | None = None
    ) -> Mail:
        """Send nothing, for here nobody asks it to."""
        raise NotImplementedError


def test_nothing_is_promised_where_replies_are_not_announced(
    storage: InMemoryStorage, clock: FrozenClock
) -> None:
    """Pages with a mailer that sends links and no notices; once there are some, they say it."""
    portal = demo.make_seller(storage, clock, base_url=BASE_URL, invoices=12)
    client = Visitor(customer_app(portal, mailer=SendsLinks(portal)))
    link = path_of(portal.tokens.link(demo.KOPI))
    assert "e-mail f..." not in _after_sending(client, link)
    portal.mailing.notify(MailKind.REPLY)
    assert "e-mail f..." in _after_sending(client, link)


def test_a_document_of_a_refused_link_has_the_button_too(post: Post, kinds: dict[str, str]) -> None:
    """As it does for one that was never there."""
    address = document_path(kinds["expired"], "INV-1042")
    assert _whole(post.visitor().get(address)) == _whole(post.visitor().get("/portal/x"))
    assert _whole(post.press(address)) == _whole(post.press("/portal/x"))
    assert post.queued == 1
