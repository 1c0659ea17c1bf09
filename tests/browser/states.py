"""Every page in each of its states: how one gets there in a browser, and what it says then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
from tests.browser.shops import WITH_EMAIL, Shop
from tests.instalments import sell_in_instalments

from basis_portal import (
    Customer,
    Edition,
    LedgerError,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
    StorageError,
)
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of

Lead = Callable[[Shop, Any], Any]
"""Brings a shop and a page of a browser into a state."""

ALL_OFF = {
    "show_sales_orders": False,
    "show_credit_notes": False,
    "show_statement": False,
    "allow_messages": False,
}
ODD = f"INV/{dt.date(2026, 4, 14) - dt.timedelta(80):%Y}/0042 #2"
TOO_LONG = "Where is my coffee? " * 101


@attrs.define(frozen=True)
class State:
    """A page in a state.

    Attributes:
        lead: brings the page there.
        says: words that stand on it then, and not in each other state.
        invoices: how many the long account needs.
        files: whether documents have files.
        tour: whether the keyboard goes through it; not where there are a hundred links.
    """

    lead: Lead
    says: str
    invoices: int = 12
    files: bool = False
    tour: bool = True


# --- how one gets there ---------------------------------------------------------------------


def under(below: str = "", customer_id: str = demo.KOPI, **settings: Any) -> Lead:
    """A page below a customer's link."""

    def lead(shop: Shop, page: Any) -> None:
        if settings:
            shop.set(**settings)
        page.goto(shop.link(customer_id, below))

    return lead


def speaking(language: str, lead: Lead) -> Lead:
    """The same in the language of the customer, who is Kopi Nusantara."""

    def then(shop: Shop, page: Any) -> None:
        shop.speak(language)
        lead(shop, page)

    return then


def in_instalments(lead: Lead) -> Lead:
    """The same where Kopi Nusantara has an invoice in two instalments, one of them overdue."""

    def then(shop: Shop, page: Any) -> None:
        instalments = (dt.date(2026, 4, 9), "450.00"), (dt.date(2026, 5, 24), "450.01")
        sell_in_instalments(shop.storage, *instalments)
        lead(shop, page)

    return then


def paper(document_id: str, customer_id: str = demo.KOPI, **settings: Any) -> Lead:
    """The page of a document."""
    return under(f"/document/{key_of(document_id)}", customer_id, **settings)


def at_desk(below: str = "", *, who: str = "ana", before: Lead | None = None) -> Lead:
    """A page of staff; ``before`` happens first."""

    def lead(shop: Shop, page: Any) -> None:
        if before:
            before(shop, page)
        if who != "ana":
            page.set_extra_http_headers({"X-Staff": who})
        page.goto(shop.staff(below))

    return lead


def token_of(customer_id: str, below: str = "", **more: Any) -> Lead:
    """A page of staff about a customer's token."""
    return at_desk(f"/tokens/{key_of(customer_id)}{below}", **more)


def pressing(button: str, lead: Lead, **typed: str) -> Lead:
    """Fill in the form of a page by the names of its fields, and press a button."""

    def then(shop: Shop, page: Any) -> None:
        lead(shop, page)
        for name, text in typed.items():
            page.locator(f"[name={name}]").first.fill(text)
        page.get_by_role("button", name=button).first.click()

    return then


def forged(button: str, lead: Lead, **typed: str) -> Lead:
    """The same with a form whose hidden value does not verify."""

    def spoilt(shop: Shop, page: Any) -> None:
        lead(shop, page)
        for form in page.locator("input[name=form]").all():
            form.evaluate("(field) => { field.value = 'stale' }")

    return pressing(button, spoilt, **typed)


def broken(
    error: Callable[[], Exception], address: Callable[[Shop], str], *, only: str = ""
) -> Lead:
    """A page that is asked for when the storage, or a part of it, fails."""

    def lead(shop: Shop, page: Any) -> None:
        found = address(shop)
        shop.storage.error, shop.storage.only = error, only
        page.goto(found)

    return lead


def breaking(lead: Lead) -> Lead:
    """A page that was shown before the storage fails."""

    def arrive(shop: Shop, page: Any) -> None:
        lead(shop, page)
        shop.storage.error = _no_storage

    return arrive


def _no_storage() -> Exception:
    return StorageError("the storage does not answer")


def _no_ledger() -> Exception:
    return LedgerError("the ledger contradicts itself")


# --- customers ------------------------------------------------------------------------------


def _last_day(shop: Shop, page: Any) -> None:
    link = shop.link()
    shop.clock.advance(days=24, hours=20)
    page.goto(link)


def _sixty_messages(shop: Shop) -> None:
    for number in range(60):
        shop.portal.messages.reply(demo.KOPI, f"Delivery {number + 1} has left.", by="ana")
        shop.clock.advance(minutes=1)


def _older_messages(shop: Shop, page: Any) -> None:
    _sixty_messages(shop)
    page.goto(shop.link(below="/messages"))
    page.get_by_role("link", name="Older messages").click()


def _twenty_messages(shop: Shop, page: Any) -> None:
    for number in range(20):
        shop.write(f"Question {number + 1}")
    pressing("Send message", under("/messages"), text="The twenty-first question")(shop, page)


def _last_lines(shop: Shop, page: Any) -> None:
    LONG(shop, page)
    page.get_by_role("link", name="Next page").click()


def _older_invoices(shop: Shop, page: Any) -> None:
    page.goto(shop.link(demo.HAFENKONTOR, "/invoices"))
    page.get_by_role("link", name="Older").click()


def _writing_while(change: Callable[[Shop], object]) -> Lead:
    """A message is sent after something has changed since its page was opened."""

    def lead(shop: Shop, page: Any) -> None:
        page.goto(shop.link(below="/messages"))
        page.locator("[name=text]").fill("May we pay in two parts?\nWith kind regards")
        change(shop)
        page.get_by_role("button", name="Send message").click()

    return lead


def _dead(shop: Shop, page: Any) -> None:
    page.goto(shop.link()[:-1])


def renewing(lead: Lead) -> Lead:
    """The same where a mailer is at work and refused links can be renewed."""

    def then(shop: Shop, page: Any) -> None:
        shop.send_mail(renewals=True)
        lead(shop, page)

    return then


def _off(shop: Shop, page: Any) -> None:
    shop.set(enabled=False)
    page.goto(shop.link())


LONG = under("/statement?from=2000-01-01", demo.HAFENKONTOR)

CUSTOMER = {
    "overview": State(under(), "EUR 1,200.00 overdue"),
    "overview without switches": State(under(**ALL_OFF), "EUR 1,200.00 overdue"),
    "overview without welcome": State(under(welcome_message=""), "To pay, oldest first"),
    "overview, settled": State(under(customer_id=demo.MUELLER), "476.00"),
    "overview, in favour": State(under(customer_id=demo.ATHENS), "in your favour"),
    "overview, nothing yet": State(under(customer_id=demo.BEAN_THERE), "No invoices yet"),
    "overview, long account": State(under(customer_id=demo.HAFENKONTOR), "HK-"),
    "overview, three days left": State(under(customer_id=demo.LUMIERE), "3 more days"),
    "overview, last hours": State(_last_day, "This link works until"),
    "overview, days without statement": State(under(show_statement=False), "overdue"),
    "invoices": State(under("/invoices"), "Invoices, newest first"),
    "invoices in one currency": State(under("/invoices", demo.HAFENKONTOR), "Amounts in EUR"),
    "invoices, open": State(under("/invoices?open=1"), "INV-1057"),
    "invoices, in instalments": State(
        in_instalments(under("/invoices?q=INV-R")), "EUR 450.00 overdue"
    ),
    "invoices, none open": State(under("/invoices?open=1", demo.MUELLER), "No open invoices."),
    "invoices, found": State(under("/invoices?q=po-7"), "INV-1042"),
    "invoices, not found": State(under("/invoices?q=zzz"), 'starts with "zzz"'),
    "invoices, a year": State(under("/invoices?year=2025"), "INV-1001"),
    "invoices, an empty year": State(under("/invoices?year=1999"), "Nothing in 1999."),
    "invoices, older": State(_older_invoices, "Newest", invoices=60),
    "invoices, none": State(under("/invoices", demo.BEAN_THERE), "No invoices yet."),
    "sales orders": State(under("/sales-orders"), "SO-312"),
    "sales orders, none": State(under("/sales-orders", demo.BEAN_THERE), "No sales orders."),
    "sales orders, not found": State(under("/sales-orders?q=zzz"), "No sales order whose"),
    "credit notes": State(under("/credit-notes"), "CN-21"),
    "credit notes, open": State(under("/credit-notes?open=1"), "left to use"),
    "credit notes, none": State(under("/credit-notes", demo.BEAN_THERE), "No credit notes."),
    "credit notes, not found": State(under("/credit-notes?q=zzz"), "No credit note whose"),
    "invoice": State(paper("INV-1042"), "Sumatra Mandheling, bag of 15 kg"),
    "invoice with a file": State(paper("INV-1042"), "Download PDF", files=True),
    "invoice, paid": State(paper("INV-1001"), "BANK-287"),
    "invoice, due": State(paper("INV-1057"), "Due in 21 days"),
    "invoice in instalments": State(in_instalments(paper("INV-R")), "What is open, by due date"),
    "invoice, odd number": State(paper(ODD, demo.MUELLER), ODD),
    "invoice without messages": State(paper("INV-1042", allow_messages=False), "Still open"),
    "invoice without links": State(paper("INV-1042", **ALL_OFF), "Still open"),
    "credit note": State(paper("CN-17"), "Used in full"),
    "credit note, unused": State(paper("CN-21"), "Not applied to any invoice yet."),
    "sales order": State(paper("SO-301"), "Ask about this order"),
    "statement": State(under("/statement"), "Open amounts by age (aging)"),
    "statement, open items": State(under("/statement?view=open_items"), "Days overdue"),
    "statement, wrong order": State(
        under("/statement?from=2026-04-10&to=2026-04-01"), "From must not be after To."
    ),
    "statement, no date": State(under("/statement?from=soon"), "Please write dates as"),
    "statement, future": State(under("/statement?to=2030-01-01"), "was in the future"),
    "statement, nothing happened": State(
        under("/statement?from=2026-04-13&to=2026-04-13", demo.MUELLER),
        "Nothing happened in this period.",
    ),
    "statement, nothing open": State(
        under("/statement?view=open_items", demo.MUELLER), "Everything is settled."
    ),
    "statement, never anything": State(
        under("/statement", demo.BEAN_THERE), "Nothing happened in this period."
    ),
    "statement, never anything open": State(
        under("/statement?view=open_items", demo.BEAN_THERE), "Everything is settled."
    ),
    "statement, long": State(LONG, "Next page", invoices=204, tour=False),
    "statement, last lines": State(_last_lines, "Closing balance on", invoices=204),
    **{
        f"{page} in {language}": State(speaking(language, lead), says)
        for language in ("de", "id")
        for page, lead, says in (
            ("overview", under(), "1.200,00"),
            ("invoices", under("/invoices"), "1.200,00"),
            ("invoice", paper("INV-1042"), "2.200,00"),
            ("instalments", in_instalments(paper("INV-R")), "450,01"),
            ("statement", under("/statement"), "4.010,00"),
            ("open items", under("/statement?view=open_items"), "2.200,00"),
            ("messages", under("/messages"), "The 800.00 are here, thank you."),
        )
    },
    "messages": State(under("/messages"), "The 800.00 are here, thank you."),
    "messages, none": State(under("/messages", demo.BEAN_THERE), "No messages yet."),
    "messages, sent": State(
        pressing("Send message", under("/messages"), text="Thank you!"), "Message sent."
    ),
    "messages, too long": State(
        pressing("Send message", under("/messages"), text=TOO_LONG), "The limit is 2,000."
    ),
    "messages, too many": State(_twenty_messages, "You have sent 20 messages"),
    "messages, stale form": State(
        forged("Send message", under("/messages"), text="Hello"), "once more"
    ),
    "messages, older": State(_older_messages, "Newest"),
    "document that is foreign": State(paper("INV-1030"), "There is no such page in your portal."),
    "page that is off": State(under("/statement", show_statement=False), "There is no such page"),
    "denied": State(_dead, "Access denied"),
    "denied, with a button": State(renewing(_dead), "E-mail me a new link"),
    "denied, after the button": State(
        renewing(pressing("E-mail me a new link", _dead)), "a new link is on its way."
    ),
    "denied when sending, with a button": State(
        renewing(_writing_while(lambda shop: shop.portal.tokens.revoke(demo.KOPI, by="ben"))),
        "E-mail me a new link",
    ),
    "messages, sent, answered by e-mail": State(
        renewing(pressing("Send message", under("/messages"), text="Thank you!")),
        "and we will e-mail f...@kopi.example.",
    ),
    "not available": State(_off, "Portal not available"),
    "denied when sending": State(
        _writing_while(lambda shop: shop.portal.tokens.revoke(demo.KOPI, by="ben")),
        "Your text, to keep:",
    ),
    "not available when sending": State(
        _writing_while(lambda shop: shop.set(enabled=False)), "Your text, to keep:"
    ),
    "not found when sending": State(
        _writing_while(lambda shop: shop.set(allow_messages=False)), "Your text, to keep:"
    ),
    "fault of the storage": State(broken(_no_storage, Shop.link), "Reference:"),
    "fault of the ledger": State(broken(_no_ledger, Shop.link, only="ledger."), "Reference:"),
    "fault when sending": State(
        pressing("Send message", breaking(under("/messages")), text="Hello"), "Your text, to keep:"
    ),
    "message far too long": State(
        pressing("Send message", under("/messages"), text="x" * 1_000_001), "is too long."
    ),
}


# --- staff ----------------------------------------------------------------------------------


def _portal_off(shop: Shop, page: Any) -> None:
    shop.set(enabled=False)


def _no_tokens(shop: Shop, page: Any) -> None:
    shop.portal.tokens.revoke_all(by="ben", reason="The list was sent to a stranger.")


def _off_without_tokens(shop: Shop, page: Any) -> None:
    _portal_off(shop, page)
    _no_tokens(shop, page)


def _edition(shop: Shop, page: Any) -> None:
    shop.edition = Edition.DESKTOP


def _feature(shop: Shop, page: Any) -> None:
    shop.feature = False


def _conflict(shop: Shop, page: Any) -> None:
    page.goto(shop.staff("/"))
    shop.set(token_expiry_days=14, show_statement=False, welcome_message="Hello from ben.")
    page.locator("#token_expiry_days").fill("60")
    page.get_by_role("button", name="Save settings").click()


def _switched_off(shop: Shop, page: Any) -> None:
    page.goto(shop.staff("/"))
    page.get_by_label("Enable Customer Portal").uncheck()
    page.locator("#token_expiry_days").fill("60")
    page.get_by_role("button", name="Save settings").click()


def _many_customers(shop: Shop, page: Any) -> None:
    shop.save(*(Customer(f"X-{n:03}", f"Kiosk {n:03}", number=f"9{n:03}") for n in range(60)))


def _next_customers(shop: Shop, page: Any) -> None:
    _many_customers(shop, page)
    page.goto(shop.staff("/tokens"))
    page.get_by_role("link", name="Next").click()


def _more_previews(shop: Shop, page: Any) -> None:
    _many_customers(shop, page)
    page.goto(shop.staff("/preview"))
    page.get_by_role("link", name="More", exact=True).click()


def _no_customers(shop: Shop, page: Any) -> None:
    for one in demo.CUSTOMERS:
        shop.forget(one.id)


def _blocked(shop: Shop, page: Any) -> None:
    shop.block(demo.KOPI)


def _gone(shop: Shop, page: Any) -> None:
    shop.forget(demo.KOPI)


def _busy(shop: Shop, page: Any) -> None:
    """A customer about whom a lot happened."""
    for number in range(30):
        shop.portal.tokens.regenerate(demo.KOPI, by="ben" if number % 2 else "ana")
        shop.clock.advance(minutes=1)


def _earlier_tokens(shop: Shop, page: Any) -> None:
    shop.portal.tokens.regenerate(demo.KOPI, by="ben")
    shop.portal.tokens.revoke(demo.KOPI, by="ben", reason="Sent to the wrong address")
    shop.portal.tokens.generate(demo.KOPI, by="ana")
    page.goto(shop.token())
    page.get_by_text("Earlier tokens").click()


def _generated_twice(shop: Shop, page: Any) -> None:
    page.goto(shop.token(demo.BEAN_THERE))
    shop.portal.tokens.generate(demo.BEAN_THERE, by="ben")
    page.get_by_role("button", name="Generate").click()


def _revoked_twice(shop: Shop, page: Any) -> None:
    page.goto(shop.token(below="/revoke"))
    shop.portal.tokens.revoke(demo.KOPI, by="ben")
    page.locator("#reason").fill("Their bookkeeper has left, and took the link along.")
    page.get_by_role("button", name="Revoke link").click()


def _replaced_twice(shop: Shop, page: Any) -> None:
    page.goto(shop.token(below="/regenerate"))
    shop.portal.tokens.regenerate(demo.KOPI, by="ben")
    page.get_by_role("button", name="Regenerate").click()


def _all_revoked(shop: Shop, page: Any) -> None:
    page.goto(shop.staff("/revoke-all"))
    page.locator("#reason").fill("The list was sent to a stranger.")
    page.locator("#confirm").fill("REVOKE")
    page.get_by_role("button", name="Revoke all tokens").click()


def _all_issued_again(shop: Shop, page: Any) -> None:
    _all_revoked(shop, page)
    page.get_by_role("button", name="Issue new tokens to these customers").click()


def _nothing_left(shop: Shop, page: Any) -> None:
    _all_revoked(shop, page)
    page.get_by_role("button", name="Issue new tokens to these customers").wait_for()
    revoked = page.url
    page.get_by_role("button", name="Issue new tokens to these customers").click()
    page.get_by_text("tokens generated").wait_for()
    page.goto(revoked)


def checking(text: Callable[[Shop], str]) -> Lead:
    """The answer about a pasted link."""

    def lead(shop: Shop, page: Any) -> None:
        found = text(shop)
        page.goto(shop.staff("/check-link"))
        page.locator("#pasted").fill(found)
        page.get_by_role("button", name="Check").click()

    return lead


def _revoked_link(shop: Shop) -> str:
    link = shop.link()
    shop.portal.tokens.revoke(demo.KOPI, by="ben", reason="Sent to the wrong address")
    return link


def _replaced_link(shop: Shop) -> str:
    link = shop.link()
    shop.portal.tokens.regenerate(demo.KOPI, by="ben")
    return link


def _links_of_blocked(shop: Shop) -> str:
    link = shop.link()
    shop.block()
    return link


def _with_notes(shop: Shop, page: Any) -> None:
    shop.portal.messages.note(demo.KOPI, "Pays late in spring,\nbut always pays.", by="ben")


def _opened_note(shop: Shop, page: Any) -> None:
    _with_notes(shop, page)
    page.goto(shop.staff(f"/messages/{key_of(demo.KOPI)}"))
    page.locator("summary").click()


def _thread_refused(shop: Shop, page: Any) -> None:
    page.goto(shop.staff(f"/messages/{key_of(demo.KOPI)}"))
    shop.write("Wait, one thing more.")
    page.locator("#reply-text").fill("The price list is on its way.")
    page.get_by_role("button", name="Send reply").click()


def _older_in_thread(shop: Shop, page: Any) -> None:
    _sixty_messages(shop)
    page.goto(shop.staff(f"/messages/{key_of(demo.KOPI)}"))
    page.get_by_role("link", name="Older messages").click()


def _full_inbox(shop: Shop, page: Any) -> None:
    for number in range(60):
        shop.write(f"Question {number + 1}\nand more below", document_id="INV-1042")
        shop.clock.advance(minutes=4)


def _older_inbox(shop: Shop, page: Any) -> None:
    _full_inbox(shop, page)
    page.goto(shop.staff("/messages"))
    page.get_by_role("link", name="Older").click()


def _all_read(shop: Shop, page: Any) -> None:
    shop.portal.messages.mark_read(demo.MUELLER)


def _settings_wrong(shop: Shop, page: Any) -> None:
    typed = {"token_expiry_days": "400", "welcome_message": "Hello! " * 80}
    pressing("Save settings", at_desk("/"), **typed)(shop, page)


def _staff_method(shop: Shop, page: Any) -> None:
    page.goto(shop.staff("/check-link"))
    page.locator("form.sure").evaluate("(form) => { form.action = '/settings/portal/messages' }")
    page.locator("#pasted").fill("x")
    page.get_by_role("button", name="Check").click()


# --- staff's e-mails ------------------------------------------------------------------------

REFUSED = MailRefused("The mail server refused the address (550): no such mailbox here", code=550)
DOWN = MailServerUnavailable("The mail server mail.nordlicht.example cannot be reached")
UNKNOWN = MailOutcomeUnknown("The connection to the mail server ended in the middle")


def mailing(lead: Lead, error: Exception | None = None) -> Lead:
    """The same where the pages have a mailer, which fails where an error is given."""

    def then(shop: Shop, page: Any) -> None:
        shop.send_mail(error)
        lead(shop, page)

    return then


def ticking(button: str, lead: Lead) -> Lead:
    """Tick the box of a form that has one e-mail go out, and press a button."""

    def then(shop: Shop, page: Any) -> None:
        lead(shop, page)
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name=button).click()

    return then


def sent_before(lead: Lead, times: int = 1) -> Lead:
    """The same after the link of Kopi Nusantara was e-mailed, or failed to be."""

    def then(shop: Shop, page: Any) -> None:
        assert shop.mailer
        for _ in range(times):
            with suppress(MailError):
                shop.mailer.send_link(demo.KOPI, by="ben")
            shop.clock.advance(minutes=1)
        lead(shop, page)

    return then


def _no_mailer(shop: Shop, page: Any) -> None:
    shop.dress(host=WITH_EMAIL)


def _waiting_mail(shop: Shop, page: Any) -> None:
    list(shop.portal.mailing.queue_links([demo.KOPI], run="invoices 2026-04", by="ben"))


def _earlier_mail(shop: Shop, page: Any) -> None:
    shop.portal.tokens.regenerate(demo.KOPI, by="ben")


def _no_single_address(shop: Shop, page: Any) -> None:
    found = shop.portal.customers.get(demo.KOPI)
    assert found
    shop.save(attrs.evolve(found, email="finance@kopi.example, boss@kopi.example"))


BY_MAIL, IN_LIST = "Send by e-mail", "Send link of Kopi Nusantara"

THREAD, MUELLERS = f"/messages/{key_of(demo.KOPI)}", f"/messages/{key_of(demo.MUELLER)}"

STAFF = {
    "settings": State(at_desk("/"), "The portal is on."),
    "settings, off": State(at_desk("/", before=_portal_off), "their links show"),
    "settings, off, no token": State(at_desk("/", before=_off_without_tokens), "0 active tokens."),
    "settings, nothing changed": State(
        pressing("Save settings", at_desk("/")), "Nothing was changed."
    ),
    "settings, saved": State(
        pressing("Save settings", at_desk("/"), welcome_message="Hello"), "Settings saved."
    ),
    "settings, switched off": State(_switched_off, "They work again when you switch it on."),
    "settings, to correct": State(_settings_wrong, "2 things to correct"),
    "settings, conflict": State(_conflict, "while you were editing"),
    "settings, stale form": State(forged("Save settings", at_desk("/")), "once more"),
    "settings, to look at": State(at_desk("/", who="reader"), "You may look at these settings"),
    "no edition": State(at_desk("/", before=_edition), "Server and Cloud editions only"),
    "no feature": State(at_desk("/", before=_feature), "switched off in Feature Settings"),
    "not signed in": State(at_desk("/", who="nobody"), "Not signed in"),
    "no such page": State(at_desk("/nowhere"), "There is no such page, or no such customer."),
    "tokens": State(at_desk("/tokens"), "In the order of Demo ERP"),
    "tokens, off": State(at_desk("/tokens", before=_portal_off), "links can be prepared"),
    "tokens, found": State(at_desk("/tokens?q=kopi"), "finance@"),
    "tokens, not found": State(at_desk("/tokens?q=zzz"), "No customer matches."),
    "tokens, active": State(at_desk("/tokens?status=active"), "By expiry, the earliest first"),
    "tokens, soon": State(at_desk("/tokens?status=soon"), "Expires in 3 days"),
    "tokens, expired": State(at_desk("/tokens?status=expired"), "Torrefazione Aurora"),
    "tokens, revoked": State(at_desk("/tokens?status=revoked"), "Kedai Pelabuhan Tua"),
    "tokens, both asked": State(
        at_desk("/tokens?q=kopi&status=active"), "Search and status do not combine."
    ),
    "tokens, blocked": State(at_desk("/tokens", before=_blocked), "Blocked in Demo ERP"),
    "tokens, gone": State(at_desk("/tokens?status=active", before=_gone), "no such customer in"),
    "tokens, next": State(_next_customers, "First"),
    "tokens, no customers": State(at_desk("/tokens", before=_no_customers), "No customers yet."),
    "tokens, to look at": State(at_desk("/tokens", who="reader"), "In the order of Demo ERP"),
    "tokens, closed": State(at_desk("/tokens", before=_edition), "so that they stay dead"),
    "tokens, closed, not found": State(
        at_desk("/tokens?q=zzz", before=_feature), "No customer matches."
    ),
    "tokens, closed, revoked": State(
        pressing("Revoke link", token_of(demo.KOPI, "/revoke", before=_feature)), "Link revoked."
    ),
    "token": State(token_of(demo.KOPI), "Active until"),
    "token, generated": State(pressing("Generate", token_of(demo.BEAN_THERE)), "Token generated."),
    "token, none": State(token_of(demo.BEAN_THERE), "This customer has no link yet."),
    "token, expired": State(token_of(demo.AURORA), "Revoke also stops renewals."),
    "token, revoked": State(token_of(demo.HARBOUR), "Their bookkeeper has left"),
    "token, no e-mail": State(token_of(demo.LUMIERE), "No e-mail address"),
    "token, blocked": State(token_of(demo.KOPI, before=_blocked), "the link shows"),
    "token, gone": State(token_of(demo.KOPI, before=_gone), "no such customer in Demo ERP"),
    "token, a lot happened": State(token_of(demo.KOPI, before=_busy), "Older"),
    "token, earlier ones": State(_earlier_tokens, "Sent to the wrong address"),
    "token, generated twice": State(_generated_twice, "already has an active token"),
    "token, revoked twice": State(_revoked_twice, "Your reason, which was not kept:"),
    "token, replaced twice": State(_replaced_twice, "ben replaced this token a moment ago."),
    "token, to look at": State(token_of(demo.KOPI, who="reader"), "but not see or copy a link"),
    "revoke": State(token_of(demo.KOPI, "/revoke"), "Revoke the link of Kopi Nusantara?"),
    "revoke, too long": State(
        pressing("Revoke link", token_of(demo.KOPI, "/revoke"), reason="Because. " * 60),
        "The limit is 500.",
    ),
    "revoke, stale form": State(
        forged("Revoke link", token_of(demo.KOPI, "/revoke"), reason="Moved"), "once more"
    ),
    "revoked": State(pressing("Revoke link", token_of(demo.KOPI, "/revoke")), "Link revoked."),
    "regenerate": State(token_of(demo.KOPI, "/regenerate"), "Replace the link of Kopi Nusantara?"),
    "regenerated": State(
        pressing("Regenerate", token_of(demo.KOPI, "/regenerate")), "Token regenerated."
    ),
    "generate missing": State(at_desk("/generate-missing"), "Nothing is e-mailed."),
    "generated missing": State(
        pressing("Generate missing tokens", at_desk("/generate-missing")), "2 tokens generated"
    ),
    "revoke all": State(at_desk("/revoke-all"), "Type REVOKE to confirm"),
    "revoke all, to correct": State(
        pressing(
            "Revoke all tokens",
            at_desk("/revoke-all"),
            reason="A leak. " * 80,
            confirm="revoke",
        ),
        "2 things to correct",
    ),
    "revoke all, nothing there": State(
        at_desk("/revoke-all", before=_no_tokens), "There is no token to revoke."
    ),
    "revoke all, closed": State(at_desk("/revoke-all", before=_edition), "This cannot be undone."),
    "revoked all": State(_all_revoked, "Once the leak is closed"),
    "revoked all, issued again": State(_all_issued_again, "tokens generated"),
    "revoked all, nothing left": State(_nothing_left, "No link is left that this revoked"),
    "check a link": State(at_desk("/check-link"), "Paste the link a customer complains about."),
    "check a link, works": State(checking(Shop.link), "Kopi Nusantara. Works until"),
    "check a link, revoked": State(checking(_revoked_link), "Kopi Nusantara. Revoked by ben on"),
    "check a link, replaced": State(checking(_replaced_link), "There is a newer link"),
    "check a link, blocked": State(checking(_links_of_blocked), "Blocked in Demo ERP"),
    "check a link, none of ours": State(
        checking(lambda _: "https://example.com/portal/x.y"), "Not one of ours, or not complete."
    ),
    "preview, choose": State(at_desk("/preview"), "It does not count as opened."),
    "preview, not found": State(at_desk("/preview?q=zzz"), "No customer matches."),
    "preview, more": State(_more_previews, "First page"),
    "preview, blocked one": State(at_desk("/preview", before=_blocked), "Blocked in Demo ERP"),
    "preview, overview": State(at_desk(f"/preview/{key_of(demo.KOPI)}"), "Leave the preview"),
    "preview, invoice": State(
        at_desk(f"/preview/{key_of(demo.KOPI)}/document/{key_of('INV-1042')}"), "Leave the preview"
    ),
    "preview, messages": State(
        at_desk(f"/preview/{key_of(demo.KOPI)}/messages"), "Leave the preview"
    ),
    "preview, blocked": State(
        at_desk(f"/preview/{key_of(demo.KOPI)}", before=_blocked), "Kopi Nusantara is blocked"
    ),
    "inbox": State(at_desk("/messages"), "Unread messages of customers, newest first"),
    "inbox, all": State(at_desk("/messages?show=all"), "All messages of customers, newest first"),
    "inbox, all read": State(at_desk("/messages", before=_all_read), "No unread messages."),
    "inbox, full": State(at_desk("/messages", before=_full_inbox), "Older"),
    "inbox, older": State(_older_inbox, "Newest"),
    "inbox, hidden": State(
        at_desk("/messages", before=lambda shop, page: shop.set(allow_messages=False)),
        "while Allow Customer Messages is off",
    ),
    "thread": State(at_desk(THREAD), "Messages with Kopi Nusantara"),
    "thread, unread": State(at_desk(MUELLERS), "Mark as read"),
    "thread, read": State(pressing("Mark as read", at_desk(MUELLERS)), "Marked as read."),
    "thread, none": State(
        at_desk(f"/messages/{key_of(demo.BEAN_THERE)}"), "Messages with Bean There Ltd"
    ),
    "thread, note": State(_opened_note, "Internal note by ben"),
    "thread, replied": State(
        pressing("Send reply", at_desk(THREAD), text="Thank you."), "Reply sent."
    ),
    "thread, too long": State(
        pressing("Send reply", at_desk(THREAD), text=TOO_LONG), "The limit is 2,000."
    ),
    "thread, wrote meanwhile": State(_thread_refused, "wrote here meanwhile"),
    "thread, older": State(_older_in_thread, "Newest"),
    "thread, blocked": State(at_desk(THREAD, before=_blocked), "cannot see or answer this"),
    "thread, gone": State(at_desk(THREAD, before=_gone), "nobody can read an answer"),
    "thread, to look at": State(at_desk(THREAD, who="reader"), "Messages with Kopi Nusantara"),
    "refused to readers": State(at_desk("/check-link", who="reader"), "You may look at these"),
    "staff's fault": State(broken(_no_storage, lambda shop: shop.staff("/")), "Reference"),
    "staff's fault when writing": State(
        pressing("Send reply", breaking(at_desk(THREAD)), text="Thank you."), "Your text, to keep:"
    ),
    "mail, tokens": State(mailing(at_desk("/tokens")), "Not sent yet"),
    "mail, tokens, sent": State(
        mailing(pressing(IN_LIST, at_desk("/tokens"))),
        "Kopi Nusantara: E-mailed to finance@kopi.example at",
    ),
    "mail, tokens, not sent": State(
        mailing(pressing(IN_LIST, at_desk("/tokens")), DOWN), "Kopi Nusantara: The mail server"
    ),
    "mail, tokens, no single address": State(
        mailing(at_desk("/tokens", before=_no_single_address)), "this is not exactly one address"
    ),
    "mail, tokens, not set up": State(
        at_desk("/tokens", before=_no_mailer), "E-mail is not set up"
    ),
    "mail, tokens, to look at": State(mailing(at_desk("/tokens", who="reader")), "Not sent yet"),
    "mail, token": State(mailing(token_of(demo.KOPI)), BY_MAIL),
    "mail, token, sent": State(
        mailing(pressing(BY_MAIL, token_of(demo.KOPI))), "E-mailed to finance@kopi.example at"
    ),
    "mail, token, refused": State(
        mailing(pressing(BY_MAIL, token_of(demo.KOPI)), REFUSED), "you can still copy the link"
    ),
    "mail, token, perhaps sent": State(
        mailing(pressing(BY_MAIL, token_of(demo.KOPI)), UNKNOWN), "It may have arrived"
    ),
    "mail, token, refused before": State(
        mailing(sent_before(token_of(demo.KOPI)), REFUSED), "was not sent. The mail server refused"
    ),
    "mail, token, too many": State(
        mailing(pressing(BY_MAIL, sent_before(token_of(demo.KOPI), 5))),
        "5 e-mails in the last 30 minutes.",
    ),
    "mail, token, waiting": State(
        mailing(token_of(demo.KOPI, before=_waiting_mail)), "has been waiting to be sent since"
    ),
    "mail, token, an earlier link": State(
        mailing(sent_before(token_of(demo.KOPI, before=_earlier_mail))), "an earlier link was sent"
    ),
    "mail, token, stale form": State(
        mailing(forged(BY_MAIL, token_of(demo.KOPI))), "Please press Send once more."
    ),
    "mail, regenerate": State(
        mailing(token_of(demo.KOPI, "/regenerate")), "E-mail the new link to"
    ),
    "mail, regenerated": State(
        mailing(ticking("Regenerate", token_of(demo.KOPI, "/regenerate"))), "E-mailed to finance@"
    ),
    "mail, regenerated, not sent": State(
        mailing(ticking("Regenerate", token_of(demo.KOPI, "/regenerate")), REFUSED),
        "The e-mail was not sent: The mail server refused",
    ),
    "mail, revoke": State(mailing(sent_before(token_of(demo.KOPI, "/revoke"))), "(last sent 14"),
    "mail, generate missing": State(
        mailing(at_desk("/generate-missing")), "E-mail each customer their link"
    ),
    "mail, generated missing": State(
        mailing(ticking("Generate missing tokens", at_desk("/generate-missing"))),
        "2 e-mails queued; they go out",
    ),
    "mail, revoked all": State(mailing(_all_revoked), "E-mail each customer their link"),
    "mail, replied": State(
        mailing(pressing("Send reply", at_desk(THREAD), text="Thank you.")), "gets an e-mail at"
    ),
    "staff's wrong method": State(_staff_method, "The portal does not understand this request."),
}

STATES = {**CUSTOMER, **STAFF}
