"""E-mails: the link to the customer, notices of messages; extra ``mail`` (jinja2).

`Mailer` sends them, over a `Transport`: `SMTPTransport`, `OutboxTransport` (a folder), a function
of the host's own (`FunctionTransport`), or what keeps the protocol. `invoice_link` gives the link
for the host's own e-mails.
"""

from ..domain.mail import Mail, MailKind, MailStatus
from ..portal import MailSkip, RunReport
from .addresses import masked, parse_address
from .function import FunctionTransport
from .invoices import invoice_link, invoice_sentence
from .letters import Letters
from .mailer import Mailer
from .message import Letter
from .outbox import OutboxTransport
from .smtp import SMTPTransport
from .transport import Connection, Transport

__all__ = [
    "Connection",
    "FunctionTransport",
    "Letter",
    "Letters",
    "Mail",
    "MailKind",
    "MailSkip",
    "MailStatus",
    "Mailer",
    "OutboxTransport",
    "RunReport",
    "SMTPTransport",
    "Transport",
    "invoice_link",
    "invoice_sentence",
    "masked",
    "parse_address",
]
