"""Staff paste a link where an id belongs: it is in no error, and `check` says whose it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from basis_portal import (
    Cause,
    DocumentKind,
    InvalidValue,
    Portal,
    PortalConfig,
    PortalError,
)
from basis_portal.testing.builders import a_customer

State = Callable[[], dict[str, Any]]
TextOf = Callable[..., str]

URL = "https://erp.example.com/portal/"
ON = PortalConfig(
    enabled=True,
    show_sales_orders=True,
    show_credit_notes=True,
    show_statement=True,
    allow_messages=True,
)

# Each is refused whatever text it is given; what staff paste is ``u``.
REFUSED: dict[str, Callable[[Portal, Any, Any], object]] = {
    "generate": lambda p, a, u: p.tokens.generate(u),
    "generate, by": lambda p, a, u: p.tokens.generate("C-1002", by=f"{u}\n"),
    "generate, days": lambda p, a, u: p.tokens.generate("C-1002", days=u),
    "regenerate": lambda p, a, u: p.tokens.regenerate(u),
    "regenerate, if_current": lambda p, a, u: p.tokens.regenerate("C-1001", if_current=u),
    "ensure": lambda p, a, u: p.tokens.ensure(u),
    "revoke": lambda p, a, u: p.tokens.revoke(f"{u}\0"),
    "revoke, reason": lambda p, a, u: p.tokens.revoke("C-1002", reason=f"{u}\0"),
    "revoke_all": lambda p, a, u: p.tokens.revoke_all(by=f"{u}\0"),
    "link": lambda p, a, u: p.tokens.link(u),
    "get": lambda p, a, u: p.tokens.get(f"{u}\0"),
    "history": lambda p, a, u: p.tokens.history(f"{u}\0"),
    "ensure_many": lambda p, a, u: p.tokens.ensure_many(u),
    "ensure_many, an id": lambda p, a, u: list(p.tokens.ensure_many([f"{u}\0"])),
    "regenerate_many": lambda p, a, u: p.tokens.regenerate_many(u),
    "list, after": lambda p, a, u: p.tokens.list(after=u),
    "list, status": lambda p, a, u: p.tokens.list(status=u),
    "list, limit": lambda p, a, u: p.tokens.list(limit=u),
    "list, expiring_within": lambda p, a, u: p.tokens.list(expiring_within=u),
    "list, key_fingerprint": lambda p, a, u: p.tokens.list(key_fingerprint=u),
    "count": lambda p, a, u: p.tokens.count(u),
    "last_opened": lambda p, a, u: p.tokens.last_opened(u),
    "last_opened, an id": lambda p, a, u: p.tokens.last_opened([u]),
    "preview": lambda p, a, u: p.preview(u),
    "preview, by": lambda p, a, u: p.preview("C-1001", by=f"{u}\n"),
    "open": lambda p, a, u: p.open(f"{u}/"),
    "reply": lambda p, a, u: p.messages.reply(u, "x"),
    "reply, document_id": lambda p, a, u: p.messages.reply("C-1001", "x", document_id=u),
    "note": lambda p, a, u: p.messages.note(u, "x"),
    "inbox, after": lambda p, a, u: p.messages.list(after=u),
    "thread, after": lambda p, a, u: p.messages.thread("C-1001", after=u),
    "mark_read": lambda p, a, u: p.messages.mark_read(f"{u}\0"),
    "trail, after": lambda p, a, u: p.audit.list(after=u),
    "trail, customer_id": lambda p, a, u: p.audit.list(customer_id=f"{u}\0"),
    "settings": lambda p, a, u: p.settings.save(u),
    "settings, if_version": lambda p, a, u: p.settings.save(ON, if_version=u),
    "a config": lambda p, a, u: PortalConfig.from_dict(u),
    "a config, a key": lambda p, a, u: PortalConfig.from_dict({u: True}),
    "a config, a value": lambda p, a, u: PortalConfig.from_dict({"enabled": u}),
    "a config, days": lambda p, a, u: PortalConfig(token_expiry_days=u),
    "export": lambda p, a, u: p.privacy.export(f"{u}\0"),
    "erase": lambda p, a, u: p.privacy.erase(f"{u}\0"),
    "a customer": lambda p, a, u: a_customer(f"{u}\0"),
    "documents": lambda p, a, u: a.documents(u),
    "documents, after": lambda p, a, u: a.documents(DocumentKind.SALES_INVOICE, after=u),
    "documents, year": lambda p, a, u: a.documents(DocumentKind.SALES_INVOICE, year=u),
    "document_years": lambda p, a, u: a.document_years(u),
    "document": lambda p, a, u: a.document(u),
    "document_file": lambda p, a, u: a.document_file(u),
    "statement": lambda p, a, u: a.statement(u),
    "statement, view": lambda p, a, u: a.statement(view=u),
    "statement, age_by": lambda p, a, u: a.statement(age_by=u),
    "statement_lines": lambda p, a, u: a.statement_lines(u),
    "statement_page": lambda p, a, u: a.statement_page(u),
    "statement_page, after": lambda p, a, u: a.statement_page("EUR", after=u),
    "messages, after": lambda p, a, u: a.messages(after=u),
    "send_message": lambda p, a, u: a.send_message(f"{u}\0"),
    "send_message, document_id": lambda p, a, u: a.send_message("x", document_id=u),
}
DRESSES = {
    "bare": "{}",
    "an address": URL + "{}",
    "a path": URL + "{}/statement?a=b",
    "a text before": "Please look at " + "x" * 30 + ": {}",
    "many": "{0} {0} {0}",
    "a letter before": "A{}",
    "a letter after": "{}A",
    "quoted": "<'\"{}\"'>",
}


@pytest.fixture
def text(portal: Portal, text_of: TextOf) -> str:
    """The text of a link that opens, with everything switched on."""
    portal.settings.save(ON)
    portal.tokens.generate("C-1001")
    return text_of(portal)


def told(error: BaseException) -> str:
    """All that an error says, and the errors behind it that a traceback shows."""
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{error} {error!r} {told(behind) if behind else ''}"


@pytest.mark.parametrize("name", REFUSED)
def test_no_error_repeats_a_link(name: str, portal: Portal, text: str, state: State) -> None:
    """Whoever reads an error, in a log or on a page, cannot open the link that was pasted."""
    access = portal.open(text)
    before = state()
    for dress in DRESSES.values():
        pasted = dress.format(text)
        with pytest.raises(PortalError) as caught:
            REFUSED[name](portal, access, pasted)
        assert text[23:] not in told(caught.value)
        assert text[:22] not in told(caught.value)
    assert state() == before


def test_the_rest_of_what_was_refused_is_shown(portal: Portal, text: str) -> None:
    """An error shows what it refuses, but for the link."""
    with pytest.raises(InvalidValue, match=r"not '<https://erp\.example\.com/portal/<link>>'"):
        portal.tokens.list(after=f"<{URL}{text}>")
    with pytest.raises(InvalidValue, match=r"not 'C-1001\.22'"):
        portal.tokens.list(after="C-1001.22")


# --- whose it is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dress",
    [
        URL + "{}/statement/EUR?page=2#top",
        "<" + URL + "{}>",
        '"' + URL + '{}"',
        "'{}'",
        "({})",
        "Dear customer,\n  your link: " + URL + "{}\n\nYours",
        "\u00a0{}\u00a0",
        "{0}\n{0}",
        f"<a href='{URL}" + "{0}'>" + URL + "{0}</a>",
        "x" * 3900 + " {}",
    ],
)
def test_a_link_is_found_in_a_text(dress: str, portal: Portal, text: str) -> None:
    """The one link of a text is found, whatever stands around it, and however often it is there."""
    check = portal.tokens.check(dress.format(text))
    assert check.works
    assert check.token == portal.tokens.get("C-1001")


@pytest.mark.parametrize(
    "dress",
    ["{}.", "{}=", "={}", "{},", "{}A", "-{}", ".{}", "{}\u200b", "x" * 3950 + " {}"],
)
def test_what_is_stuck_to_a_link(dress: str, portal: Portal, text: str) -> None:
    """With a character stuck to it a link does not open, and staff are told so."""
    assert portal.tokens.check(dress.format(text)).cause is Cause.UNREADABLE
    assert portal.tokens.check(text).works


def test_two_links_in_one_text(portal: Portal, text: str, text_of: TextOf) -> None:
    """Of two different links neither is taken, whichever comes first and whether it works."""
    portal.tokens.generate("C-1002")
    other = text_of(portal, "C-1002")
    forged = text[:23] + "A" * 43
    for pair in (f"{text} {other}", f"{other}\n{text}", f"{text} {forged}", f"{forged}/{text}"):
        assert portal.tokens.check(pair).cause is Cause.UNREADABLE
    assert portal.tokens.check(f"{other} {other}").works


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: text[:-1],
        lambda text: text.replace(".", "%2E"),
        lambda text: [text],
        lambda text: (text, text),
        lambda text: {text: 1},
        lambda text: text.encode(),
        lambda text: "x" * 75 + " " + text,
    ],
)
def test_no_wrapping_shows_a_link(portal: Portal, text_of: Any, wrap: Any) -> None:
    """A link cut short, encoded or within another value is not repeated by a refusal."""
    portal.tokens.generate("C-1001")
    text = text_of(portal)
    with pytest.raises(PortalError) as refused:
        portal.tokens.list(status=wrap(text))
    assert text[23:50] not in str(refused.value)
    with pytest.raises(PortalError, match="harmless"):
        portal.tokens.list(status="harmless")  # type: ignore[arg-type]
