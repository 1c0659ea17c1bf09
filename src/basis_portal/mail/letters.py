"""The wording of our e-mails: the portal link, answers, and notices to staff."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path

import attrs

from ..domain.checks import check_instant, check_member, check_whole_number
from ..domain.customers import Customer
from ..domain.messages import Author, Message
from ..domain.phrases import Phrase
from ..domain.portal_token import PortalToken
from ..domain.seller import Seller
from ..domain.visibility import Section
from ..errors import InvalidValue
from ..i18n import Language
from ..i18n.language import zone_name
from .message import Letter, compose
from .templating import Templates

NAMED = 20
"""So many links that expire soon are named in a notice."""
_NAME_LIMIT = 100  # characters of a name that a letter shows
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
_LISTED = {
    Section.INVOICES: Phrase("invoices"),
    Section.SALES_ORDERS: Phrase("sales orders"),
    Section.CREDIT_NOTES: Phrase("credit notes"),
    Section.STATEMENT: Phrase("statement of account"),
}


class Letters:
    """Writes letters in the reader's language. It reads no storage and no clock.

    Args:
        seller: who writes.
        timezone: the seller's time zone, in which instants are told.
        templates: folder with templates of the host, or None. They are all tried here, so that
            a mistake in one is found when the application starts.

    Raises:
        InvalidValue: ``templates`` is no folder, or one of the templates cannot be used.
    """

    def __init__(
        self, seller: Seller, timezone: dt.tzinfo, templates: Path | str | None = None
    ) -> None:
        self._seller = check_member("seller", seller, Seller)
        self._timezone = timezone
        self._templates = Templates(_checked_folder(templates))
        if templates is not None:
            _try_out(self, seller.language, *self._templates.languages())

    # --- to customers

    def link(
        self,
        customer: Customer,
        link: str,
        expires_at: dt.datetime,
        sections: Collection[Section],
        *,
        replaces: bool = False,
    ) -> Letter:
        """The portal link.

        Args:
            customer: who gets it.
            link: the link.
            expires_at: first instant (UTC) at which it no longer works.
            sections: what its page shows; documents and the statement are listed.
            replaces: True where it ended a link that was sent before.
        """
        language = self._language_of("link", customer)
        return self._to_customer(
            "link",
            customer,
            link,
            expires_at,
            documents=_in_words(language, sections),
            with_statement=Section.STATEMENT in sections,
            replaces=replaces,
        )

    def answered(
        self,
        customer: Customer,
        link: str,
        expires_at: dt.datetime,
        replies: Sequence[Message],
        about: Mapping[str, str | None],
        *,
        more: int = 0,
    ) -> Letter:
        """What staff have answered, and the link. Who of the staff it was is not told.

        Args:
            customer: who gets it.
            link: the portal link.
            expires_at: first instant (UTC) at which it no longer works.
            replies: messages of the seller, oldest first.
            about: by id of a message the number of the document it is about.
            more: how many earlier ones are left out.

        Raises:
            InvalidValue: one of ``replies`` is no message of the seller.
        """
        said = self._said(replies, about, Author.SELLER, self._language_of("answered", customer))
        return self._to_customer(
            "answered", customer, link, expires_at, messages=said, more=_counted(more)
        )

    def _to_customer(
        self, name: str, customer: Customer, link: str, expires_at: dt.datetime, **values: object
    ) -> Letter:
        language = self._language_of(name, customer)
        return self._letter(
            name,
            language,
            customer=_plain(customer),
            link=_checked_link("link", link),
            until=_until(language, expires_at, self._timezone),
            until_short=language.short_instant(expires_at, self._timezone),
            **values,
        )

    # --- to staff

    def customer_wrote(
        self,
        customer: Customer,
        staff_link: str | None,
        messages: Sequence[Message],
        about: Mapping[str, str | None],
        *,
        more: int = 0,
    ) -> Letter:
        """What a customer has written, for staff, in the seller's language.

        Args:
            customer: who wrote.
            staff_link: address of the staff page with the thread, or None.
            messages: messages of the customer, oldest first.
            about: by id of a message the number of the document it is about.
            more: how many earlier ones are left out.

        Raises:
            InvalidValue: one of ``messages`` is no message of a customer.
        """
        language = self._language_of("customer_wrote")
        said = self._said(messages, about, Author.CUSTOMER, language)
        subjects = {one.about for one in said}
        return self._letter(
            "customer_wrote",
            language,
            customer=_plain(customer),
            link=_checked_link("staff_link", staff_link),
            messages=said,
            more=_counted(more),
            about=subjects.pop() if len(subjects) == 1 and not more else None,
        )

    def expiring(
        self,
        rows: Sequence[tuple[Customer, PortalToken]],
        staff_link: str | None,
        within_days: int,
        *,
        more: bool = False,
    ) -> Letter:
        """The links that expire soon, for staff; the first `NAMED` of them by name.

        Args:
            rows: customers and their tokens, by expiry.
            staff_link: address of the staff page that lists them, or None.
            within_days: all of them expire within so many days.
            more: True where ``rows`` are only the first of them.
        """
        language = self._language_of("expiring")
        named = [
            _Expiring(_plain(customer), _until(language, token.expires_at, self._timezone))
            for customer, token in rows[:NAMED]
        ]
        return self._letter(
            "expiring",
            language,
            link=_checked_link("staff_link", staff_link),
            rows=named,
            total=len(rows),
            others=len(rows) - len(named),
            more=more,
            days=check_whole_number("within_days", within_days, 1, 365),
        )

    # --- on the way

    def message(
        self,
        letter: Letter,
        *,
        sender: str,
        to: str,
        date: dt.datetime,
        message_id: str,
        reply_to: str | None = None,
    ) -> EmailMessage:
        """The e-mail of a letter, from the seller by name; else as `compose`."""
        return compose(
            letter,
            name=self._seller.name,
            sender=sender,
            to=to,
            date=date,
            message_id=message_id,
            reply_to=reply_to,
        )

    def _language_of(self, name: str, customer: Customer | None = None) -> Language:
        tag = customer.language if customer is not None else None
        return self._templates.spoken(name, tag or self._seller.language)

    def _said(
        self,
        messages: Iterable[Message],
        about: Mapping[str, str | None],
        author: Author,
        language: Language,
    ) -> list[_Said]:
        said = []
        for one in messages:
            # What is no message, such as an internal note, has no way into a letter.
            if check_member("messages", one, Message).author is not author:
                raise InvalidValue(
                    f"the message {one.id} must be of the {author}, not of the {one.author}",
                    field="messages",
                )
            when = language.short_instant(one.at, self._timezone)
            said.append(_Said(when, _line(about.get(one.id) or ""), one.text))
        return said

    def _letter(self, name: str, language: Language, **values: object) -> Letter:
        address = [line.strip().strip(",") for line in self._seller.address.split("\n")]
        return self._templates.letter(
            name,
            language,
            seller=self._seller,
            signature=", ".join(filter(None, (self._seller.name, *address))),
            zone=zone_name(self._timezone),
            **values,
        )


@attrs.define(frozen=True)
class _Said:
    """A message as templates have it; ``about`` may be empty."""

    when: str
    about: str
    text: str


@attrs.define(frozen=True)
class _Expiring:
    """A link that expires soon, as templates have it."""

    customer: Customer
    until: str


def _plain(customer: Customer) -> Customer:
    """The customer with name and number on one line; a name that shows nothing is replaced."""
    number = _line(customer.number or "")
    name = _line(customer.name) or number or _line(customer.id) or "?"
    return attrs.evolve(customer, name=name, number=number or None)


def _line(text: str) -> str:
    """A text of the host on one line, at a length to be read.

    Signs that turn the direction of writing are left out: what stands around it would turn too.
    """
    line = " ".join(re.sub(_CONTROL, " ", text).split())
    return line if len(line) <= _NAME_LIMIT else f"{line[: _NAME_LIMIT - 1].rstrip()}…"


def _until(language: Language, instant: dt.datetime, zone: dt.tzinfo) -> str:
    day = language.day_of_week(check_instant("expires_at", instant).astimezone(zone).date())
    return f"{day}, {language.time(instant, zone)}"


def _in_words(language: Language, sections: Collection[Section]) -> str:
    """What a page shows: ``invoices, sales orders and statement of account``."""
    shown = [one for one in _LISTED if one in sections or one is Section.INVOICES]
    *first, last = (language.say(_LISTED[one]) for one in shown)
    match first:
        case []:
            return last
        case [one]:
            return language.gettext("%(one)s and %(other)s", one=one, other=last)
    return language.gettext("%(several)s and %(last)s", several=", ".join(first), last=last)


def _counted(more: int) -> int:
    return check_whole_number("more", more, 0, 10**9)


def _checked_link(field: str, link: str | None) -> str | None:
    """The link if it can stand alone on a line. A refusal does not repeat it."""
    if link is None and field == "staff_link":
        return None
    if not isinstance(link, str) or not re.fullmatch(r"https?://[^\s<>\"]+", link):
        raise InvalidValue(f"{field} must be an http address without spaces", field=field)
    return link


def _checked_folder(folder: Path | str | None) -> Path | None:
    if folder is None:
        return None
    # An empty text, such as an unset variable gives, would be the working folder.
    if not isinstance(folder, str | Path) or folder == "" or not Path(folder).is_dir():
        raise InvalidValue.of("templates", folder, "must be a folder with templates")
    return Path(folder)


def _try_out(letters: Letters, *tags: str) -> None:
    """Write each letter with invented values, to readers of each of the languages."""
    link, at = "https://portal.example/a-link", dt.datetime(2026, 5, 14, 7, 12, tzinfo=dt.UTC)
    asked = Message("1", "1", at, Author.CUSTOMER, "A question")
    answer = attrs.evolve(asked, author=Author.SELLER)
    token = PortalToken("0" * 22, "1", at, "staff", at + dt.timedelta(1))
    for tag in dict.fromkeys(tags):
        customer = Customer("1", "Customer", language=tag)
        for one in (
            letters.link(customer, link, at, list(Section)),
            letters.link(customer, link, at, [], replaces=True),
            letters.answered(customer, link, at, [answer], {"1": "INV-1"}),
            letters.answered(customer, link, at, [answer], {}, more=2),
        ):
            _check_shows(one, link)
        for staff_link in (link, None):
            letters.customer_wrote(customer, staff_link, [asked], {"1": "INV-1"})
            letters.customer_wrote(customer, staff_link, [asked], {}, more=2)
            letters.expiring([(customer, token)], staff_link, 1)
            letters.expiring([(customer, token)] * (NAMED + 1), staff_link, 7, more=True)


def _check_shows(letter: Letter, link: str) -> None:
    if link not in letter.text.splitlines() or f'href="{link}"' not in letter.html:
        raise InvalidValue(
            f"the templates of the e-mail {letter.subject!r} must show {{{{ link }}}}: alone on a "
            'line of the text, and in the HTML as href="{{ link }}"',
            field="templates",
        )
