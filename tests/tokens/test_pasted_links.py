"""Staff paste a link where an id belongs: it is in no error, and `check` says whose it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.depth import label

from basis_portal import (
    Cause,
    DocumentKind,
    InvalidValue,
    LinkCheck,
    Portal,
    PortalConfig,
    PortalError,
)
from basis_portal.links import LinkSigner
from basis_portal.pasted_links import find_link
from basis_portal.testing.builders import a_customer

State = Callable[[], dict[str, Any]]
TextOf = Callable[..., str]

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
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


@pytest.mark.sampled
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


FLAWS = {
    "elsewhere": [
        "https://evil.example/portal/{}",
        "https://erp.example.com/portel/{}",
        "https://erp.example.com:8443/portal/{}",
        "http://erp.example.com/portal/{}",
        "https://erp.example.com@evil.example/portal/{}",
        "https://evil.example/?url=https%3A%2F%2Fother.example%2Fportal%2F{}",
        "evil.example/{}",
        "https://evil.example/portal/\n{}",
        URL + " https://evil.example/portal/{}.",
    ],
    "added": [
        "https://erp.example.com/portal/{}/invoices.",
        *(URL + "{}" + end for end in (".", ",", ";", "%20", "\u201d", ")", "=", "A", "\u200b")),
        *(URL + start + "{}" for start in ("x", "/", "?", "en/")),
        *("{}.", "{}=", "={}", "{},", "{}A", "-{}", ".{}", "{}\u200b"),
        "(see " + URL + "{}).",
    ],
    "broken": [
        "https://erp.example.com/por\ntal/{}",
        "https://\r\nerp.example.com/portal/{}",
        "https://erp.example.com\n> /portal/{}",
        URL + "\r\n{}",
        "> see " + URL + "\n> > {}",
        "https://mail.example/?url=https%3A%2F%2Ferp.exam\nple.com%2Fportal%2F{}&data=1",
    ],
    "detour": [
        "https://eur01.safelinks.example/?url=https%3A%2F%2Ferp.example.com%2Fportal%2F{}&data=5%7C2&b=0",
        "https://urldefense.com/v3/__https://erp.example.com/portal/{}__;!!Abc$",
        "https://a.example/?u=https%253A%252F%252Ferp.example.com%252Fportal%252F{}%253Fa",
        "https://evil.example/" + URL + "{}",
        "https%3A%2F%2Ferp.example.com%2Fportal%2F{}",
    ],
}
BREAKS = [
    "\n",
    "\r\n",
    " ",
    "=\r\n",
    "\n> ",
    "\r\n > > ",
    "\n| ",
    "\u200b",
    "\xad",
    "\u2028",
    "\t\n",
]


@pytest.mark.sampled
@pytest.mark.parametrize(("flaw", "dress"), [(k, one) for k, all_ in FLAWS.items() for one in all_])
def test_a_link_that_does_not_open_as_it_stands(
    flaw: str, dress: str, portal: Portal, text: str
) -> None:
    """Its token is judged all the same, and what is wrong with the text is told."""
    check = portal.tokens.check(dress.format(text))
    assert check == LinkCheck(None, portal.tokens.get("C-1001"), a_customer("C-1001"), flaw)  # type: ignore[arg-type]
    assert not check.works
    portal.tokens.revoke("C-1001")
    check = portal.tokens.check(dress.format(text))
    assert (check.cause, check.flaw) == (Cause.REVOKED, flaw)


@pytest.mark.parametrize("stop", BREAKS)
def test_a_link_that_a_mail_program_broke(stop: str, portal: Portal, text: str) -> None:
    """A token is put together again, wherever it was broken, and be it more than once."""
    for at in range(1, 66):
        check = portal.tokens.check(URL + text[:at] + stop + text[at:])
        assert (check.cause, check.flaw) == (None, "broken"), at
    for dress in (URL + "{}", "{}", "Your link: {}\nYours", "<" + URL + "{}>."):
        check = portal.tokens.check(dress.format(stop.join([text[:9], text[9:40], text[40:]])))
        assert (check.cause, check.flaw) == (None, "broken"), dress
    check = portal.tokens.check(f"https://evil.example/portal/{text[:9]}{stop}{text[9:]}")
    assert (check.cause, check.flaw) == (None, "elsewhere")


@pytest.mark.parametrize(
    "dress",
    [
        "HTTPS://ERP.Example.com/portal/{}",
        "https://erp.example.com:443/portal/{}/invoices",
        "https://erp.example.com/portal/{}/?a=b.",
        "<a href=https://erp.example.com/portal/{}>Open</a>",
        "Link:" + URL + "{}#x",
        "(" + URL + "{})",
        "\u201e" + URL + "{}\u201c",
        "[portal](" + URL + "{})",
        "https://evil.example/{0} and " + URL + "{0}",
        URL + "{0}.\n" + URL + "{0}",
        "/portal/{}?a=b.",
    ],
)
def test_what_opens_has_no_flaw(dress: str, portal: Portal, text: str) -> None:
    """Our address as browsers read it, alone or within a text, whatever page is asked for."""
    check = portal.tokens.check(dress.format(text))
    assert (check.works, check.flaw) == (True, None)


def test_a_token_with_percent_signs(portal: Portal, text: str) -> None:
    """Encoded signs of the token itself open; where a break was encoded it is one."""
    assert portal.tokens.check(URL + text.replace(".", "%2E")).works
    check = portal.tokens.check(f"{URL}{text[:30]}%0D%0A{text[30:]}")
    assert (check.cause, check.flaw) == (None, "broken")


AFTER_A_LINK = st.sampled_from(list(".,;:!)]}>\"'\u201d\u201c\xbb*|&=%<\u200b\xa0 \n")) | st.just(
    "%20"
)
WORDS = st.text(st.characters(exclude_characters="./?#", exclude_categories=["Cs"]), max_size=60)


@given(data=st.data())
def test_what_mail_programs_add_hides_no_link(
    data: st.DataObject, signer: LinkSigner, their: str
) -> None:
    """Whatever words stand before and after, wherever it is broken, however it is wrapped."""
    cuts = sorted(data.draw(st.sets(st.integers(1, 65), max_size=3)))
    stop = data.draw(st.sampled_from(BREAKS))
    spelled = stop.join(their[i:j] for i, j in pairwise([0, *cuts, 66]))
    before = data.draw(WORDS.map(lambda words: f"{words} ") | st.sampled_from(["", "<", "> ", "("]))
    address = data.draw(st.sampled_from([URL, "", "https://x.example/?url=" + quote(URL, safe="")]))
    after = data.draw(AFTER_A_LINK) + data.draw(WORDS)
    token_id, flaw = find_link(f"{before}{address}{spelled}{after}", signer.read, URL[:-1])
    assert token_id == their[:22]
    assert flaw == "broken" if cuts else flaw in (None, "added", "detour", "broken")


@given(data=st.data())
def test_an_altered_token_is_never_recognised(
    data: st.DataObject, signer: LinkSigner, their: str
) -> None:
    """A sign changed, left out, put in or moved is no token of ours, in any dress."""
    at = data.draw(st.integers(0, 65))
    sign = data.draw(st.sampled_from(ALPHABET).filter(lambda one: one != their[at]))
    altered = data.draw(
        st.sampled_from(
            [
                their[:at] + sign + their[at + 1 :],
                their[:at] + their[at + 1 :],
                their[: max(at, 1)] + sign + their[max(at, 1) :],
                their.swapcase(),
                their[::-1],
            ]
        ).filter(lambda one: their not in one)
    )
    dresses = ["{}", URL + "{}", URL + "{}.", "a\n{}\nb", "https://x.example/?u=" + URL + "{}&a=b"]
    for dress in dresses:
        assert find_link(dress.format(altered), signer.read, URL[:-1])[0] is None
    assert find_link(their, signer.read, URL[:-1]) == (their[:22], None)


@pytest.fixture(scope="module")
def signer() -> LinkSigner:
    """Signs and reads links."""
    return LinkSigner(["k" * 32], "default")


@pytest.fixture(scope="module")
def their(signer: LinkSigner) -> str:
    """The text of a link of a customer; both kinds of signs that are no letter are in it."""
    return signer.sign("Uu63cs-eLH2_cuy86-etbQ")


@pytest.mark.parametrize(
    "junk",
    [
        "A" * 20_000,
        "." * 20_000,
        "A" * 22 + ("." + "A" * 43) * 450,
        ("A" * 22 + "." + "B" * 43 + "\n") * 300,
        "A " * 10_000,
        " " * 20_000,
        "%" * 20_000,
        "%25" * 6_000,
        "http://" * 2_800,
        "> " * 10_000,
        "=\n" * 10_000,
    ],
    ids=label,
)
def test_junk_costs_little(junk: str, signer: LinkSigner, their: str) -> None:
    """The longest text that is looked at takes a fraction of a second, with a link in it or not."""
    began = time.thread_time()
    find_link(junk, signer.read, URL[:-1])
    find_link(f"{junk[:-70]} {their}", signer.read, URL[:-1])
    find_link(f"{junk[:9900]}{their[:30]}{junk[9900:19900]}{their[30:]}", signer.read, URL[:-1])
    assert time.thread_time() - began < 0.5


def test_many_times_the_same_link_costs_little(signer: LinkSigner, their: str) -> None:
    """Each place is looked at, and none of them is right."""
    began = time.thread_time()
    assert find_link(f"x/{their}." * 280, signer.read, URL[:-1]) == (their[:22], "elsewhere")
    assert time.thread_time() - began < 0.5


def test_a_text_too_long(portal: Portal, text: str) -> None:
    """A text is looked at up to a length, and not at all beyond it."""
    assert portal.tokens.check("x" * (19_999 - 66) + " " + text).works
    beyond = portal.tokens.check("x" * (20_000 - 66) + " " + text)
    assert beyond == LinkCheck(Cause.UNREADABLE, None, None, "long")


def test_two_links_in_one_text(portal: Portal, text: str, text_of: TextOf) -> None:
    """Of two different links neither is taken, whichever comes first and whether it works."""
    portal.tokens.generate("C-1002")
    other = text_of(portal, "C-1002")
    forged = text[:23] + "A" * 43
    pairs = [f"{text} {other}", f"{other}\n{text}", f"{text} {forged}", f"{forged}/{text}"]
    pairs += [
        f"{URL}{text[:30]}\n{text[30:]}\n{URL}{other}",
        f"{text}{other}",
        f"{text}, {forged}.",
    ]
    for pair in pairs:
        check = portal.tokens.check(pair)
        assert check == LinkCheck(Cause.UNREADABLE, None, None, "several")
    assert portal.tokens.check(f"{other} {other}").works


def test_what_only_resembles_a_token_is_no_second_link(portal: Portal, text: str) -> None:
    """A mail's number or the session of a filter has dots as well, and is no link."""
    session = f"{'a' * 36}.{'b' * 60}.{'c' * 43}"
    for beside in (f"?jwt={session}", f"\n<{'a' * 22}.{'b' * 43}@mail.example>", f" {session}"):
        assert portal.tokens.check(f"{URL}{text}{beside}").works


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
