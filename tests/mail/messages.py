"""An e-mail as the library writes them, for the tests of what carries it."""

from __future__ import annotations

import datetime as dt
from email.headerregistry import Address
from email.message import EmailMessage

TOKEN = "4fTq0aB1cD2eF3gH4iJ5kL.Zx9yX8wV7uT6sR5qP4oN3mL2kJ1hG0fE9dC8bA7zQ6yW5vU"
LINK = f"https://erp.example.com/portal/{TOKEN}"


def a_message(
    *,
    to: str = "finance@kopi.example",
    subject: str = "Your invoices and statement from Müller & Söhne",
    text: str = f"Hello Kopi Nusantara,\n\n{LINK}\n\nUntil Thu 14 May 2026, 09:12.\n",
) -> EmailMessage:
    """An e-mail with a link, in text and HTML."""
    message = EmailMessage()
    message["From"] = Address("Müller & Söhne, Berlin", "portal", "seller.example")
    message["To"] = Address("", *to.split("@"))
    message["Subject"] = subject
    message["Date"] = dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC)
    message["Message-ID"] = "<1@seller.example>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    message.add_alternative(f'<p lang="en"><a href="{LINK}">{LINK}</a> ü</p>\n', subtype="html")
    return message
