"""E-mails: a customer's link sent by the portal, and the link in an invoice mail of the host's.

    python examples/send_mail.py [FOLDER]

The e-mails are written to FOLDER/outbox, or shown and forgotten. Where MAIL_HOST is set they are
sent by that mail server instead, to the address in MAIL_TO; see `transport`.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

from basis_portal import AccessRevoked, Customer, Portal, PortalConfig, Seller
from basis_portal.mail import (
    Mailer,
    OutboxTransport,
    SMTPTransport,
    Transport,
    invoice_link,
    invoice_sentence,
)
from basis_portal.storage.memory import InMemoryStorage

SENDER = "portal@nordlicht.example"


def transport(outbox: Path, environ: Mapping[str, str]) -> Transport:
    """What carries e-mails away: a mail server where the environment names one, else a folder.

    MAIL_HOST and MAIL_PORT are the server's, MAIL_SECURITY is starttls, tls or none, and
    MAIL_USERNAME and MAIL_PASSWORD are the login: from the environment, not from the code.
    """
    if "MAIL_HOST" not in environ:
        return OutboxTransport(outbox)
    return SMTPTransport(
        environ["MAIL_HOST"],
        int(environ.get("MAIL_PORT", "587")),
        security=environ.get("MAIL_SECURITY", "starttls"),
        username=environ.get("MAIL_USERNAME"),
        password=environ.get("MAIL_PASSWORD"),
    )


def invoice_mail(portal: Portal, customer: Customer, number: str) -> EmailMessage:
    """The host's own e-mail with an invoice, as its template makes it.

    The link is asked for before anything is rendered: a preview of a template must issue nothing.
    """
    text = f"Hello {customer.name},\n\nyour invoice {number} is attached.\n"
    try:
        link = invoice_link(portal, customer.id, by="invoicing")  # document= opens the invoice
        text += f"\n{invoice_sentence(link, customer.language)}\n"
    except AccessRevoked:
        pass  # staff took this customer's access away: the invoice goes without a link
    message = EmailMessage()
    message["From"], message["To"] = SENDER, customer.email
    message["Subject"] = f"Invoice {number}"
    message.set_content(text)
    return message


def run(outbox: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Send both, and what a scheduler would send."""
    storage = InMemoryStorage()
    customer = Customer("C-1001", "Kopi Nusantara", environ.get("MAIL_TO", "finance@kopi.example"))
    storage.customers.save(customer)
    portal = Portal(
        storage,
        secret_keys=["a long random secret, at least 32 bytes"],
        base_url="https://erp.example.com/portal",
    )
    portal.settings.save(PortalConfig(enabled=True, allow_messages=True))

    way = transport(outbox, environ)
    mailer = Mailer(
        portal,
        transport=way,
        sender=environ.get("MAIL_FROM", SENDER),
        seller=Seller("Nordlicht Kaffee GmbH", email="accounts@nordlicht.example"),
        staff="accounts@nordlicht.example",
        staff_url="https://erp.example.com/settings/portal",
    )

    portal.tokens.generate("C-1001", by="ana")
    sent = mailer.send_link("C-1001", by="ana")  # MailError says why it was not sent
    print(f"Sent to {sent.address}: {sent.status}")

    with way.connect() as connection:  # a host has its own way to send; this is one
        connection.send(invoice_mail(portal, customer, "INV-1001"))

    portal.messages.reply("C-1001", "Thank you, it has arrived.", by="ana")
    for mail in mailer.run():  # every minute, by the host's scheduler or `basis-portal mail run`
        print(f"{mail.kind} to {mail.address}: {mail.status}")

    portal.tokens.revoke("C-1001", by="ana", reason="left the company")
    has_link = "https://" in invoice_mail(portal, customer, "INV-1002").get_content()
    print(f"A link in the invoice mail after revoke: {'yes' if has_link else 'no'}")

    for message in OutboxTransport(outbox).messages():
        print(f"\n{message['Subject']}\n  to {message['To']}, written to {outbox.name}/")


def main() -> None:
    """Write to the folder that was named, or to a temporary one."""
    if "MAIL_HOST" in os.environ and "MAIL_TO" not in os.environ:
        raise SystemExit("send_mail.py: set MAIL_TO as well, the address the e-mails go to")
    if named := sys.argv[1:2]:
        run(Path(named[0], "outbox"))
        return
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder, "outbox"))


if __name__ == "__main__":
    main()
