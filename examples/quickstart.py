"""The code a host application writes: make a link, open it, end it.

    python examples/quickstart.py [FOLDER]

It works in a temporary folder that is removed at the end, or in FOLDER, where portal.db stays.
"""

import contextlib
import datetime as dt
import sys
import tempfile
from decimal import Decimal

from basis_portal import Customer, DocumentKind, Edition, Portal, PortalConfig, system_clock
from basis_portal.storage.sqlite import SQLiteStorage


def run() -> None:
    """Play a host application from its first line to the end of a link."""
    storage = SQLiteStorage("portal.db")  # makes or migrates its tables
    storage.customers.save(
        Customer(id="C-1001", name="Kopi Nusantara", email="finance@kopi.example")
    )
    # likewise storage.documents and storage.ledger, where the host has no tables of its own
    save_documents(storage)

    portal = Portal(
        storage,
        secret_keys=["a long random secret, at least 32 bytes"],
        base_url="https://erp.example.com/portal",
        edition=Edition.SERVER,  # a value, or a callable read at each use
        clock=system_clock,  # the default; timezone="UTC" gives the seller's date
        # allocation_rule=AllocationRule.FIFO for hosts without allocations
    )
    portal.settings.save(PortalConfig(enabled=True, show_statement=True, allow_messages=True))

    token = portal.tokens.generate("C-1001", by="ana")  # -> PortalToken
    url = portal.tokens.link("C-1001")  # base_url/<token text>; copy it again at any time
    print(f"The link of C-1001 works until {token.expires_at:%Y-%m-%d %H:%M} UTC:\n  {url}")

    access = portal.open(url.rsplit("/", 1)[1])  # PortalNotAvailable | AccessDenied
    print(f"Whoever opens it sees what {access.customer.name} may see.")

    page = access.documents(DocumentKind.SALES_INVOICE, limit=50)  # page.next: hand it to after=
    for invoice in page.items:
        print(f"  {invoice.number}  {invoice.currency} {invoice.total:8.2f}  {invoice.state}")

    statement = access.statement()  # .by_currency["EUR"].closing_balance, .aging, .lines
    for line in statement.by_currency["EUR"].lines:
        print(f"  {line.date}  {line.kind:8} {line.entry.signed_amount:9.2f}  {line.balance:8.2f}")
    print(f"Closing balance: EUR {statement.by_currency['EUR'].closing_balance:.2f}")

    access.send_message("Paid today, see remittance 4711.")
    print(f"The seller reads: {portal.messages.list().items[0].text}")

    portal.tokens.regenerate("C-1001", by="ana")  # the old link is dead
    show_answer(portal, "The old link after regenerate", url)

    new_url = portal.tokens.link("C-1001")
    show_answer(portal, "The new link", new_url)
    portal.tokens.revoke("C-1001", by="ana", reason="left the company")
    show_answer(portal, "The new link after revoke", new_url)
    storage.close()


def show_answer(portal: Portal, what: str, url: str) -> None:
    """Print what a link answers now."""
    from basis_portal import PortalError

    try:
        answer = f"opens the portal of {portal.open(url.rsplit('/', 1)[1]).customer.name}"
    except PortalError as error:
        answer = str(error)
    print(f"{what}: {answer}")


def save_documents(storage: SQLiteStorage) -> None:
    """Two invoices; a payment settles the first and part of the second."""
    from basis_portal import Allocation, Document, DocumentStatus, EntryKind, LedgerEntry

    today = system_clock().date()
    for number, days, amount in [("INV-1001", 45, "1190.00"), ("INV-1002", 12, "595.00")]:
        invoice = Document(
            id=number,
            customer_id="C-1001",
            kind=DocumentKind.SALES_INVOICE,
            status=DocumentStatus.ISSUED,
            number=number,
            date=today - dt.timedelta(days),
            due_date=today - dt.timedelta(days - 30),
            currency="EUR",
            total=Decimal(amount),
        )
        storage.documents.save(invoice)
        storage.ledger.save(LedgerEntry.of(invoice))
    day = today - dt.timedelta(3)
    payment = LedgerEntry("PAY-1", "C-1001", "EUR", day, EntryKind.PAYMENT, Decimal("1400.00"))
    storage.ledger.save(payment)
    storage.ledger.allocate(
        Allocation("A-1", "C-1001", "INV-1001", "PAY-1", Decimal("1190.00"), day),
        Allocation("A-2", "C-1001", "INV-1002", "PAY-1", Decimal("210.00"), day),
    )


def main() -> None:
    """Run in the folder that was named, or in a temporary one."""
    with contextlib.ExitStack() as stack:
        named = sys.argv[1:2]
        folder = named[0] if named else stack.enter_context(tempfile.TemporaryDirectory())
        try:
            stack.enter_context(contextlib.chdir(folder))
        except OSError as error:
            raise SystemExit(f"quickstart.py: {error}") from None
        run()


if __name__ == "__main__":
    main()
