"""What one access may show now: sections, documents, and entries without hidden documents.

Our rules and the host's policy both apply: the host can hide, never show. What a host's
repository returns is checked again before it leaves; a wrong one is dropped and logged.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeGuard, cast

import attrs

from .admission import Admitted
from .context import Context, log
from .domain.allocation import AppliedPart, OpenItem
from .domain.checks import check_id
from .domain.documents import Document, DocumentKind, DocumentStatus
from .domain.ledger import LedgerEntry
from .domain.paging import PAGE_LIMIT, Page, write_cursor
from .domain.statement import CurrencyStatement, StatementLine
from .domain.visibility import BASE_RULES, SECTION_OF, DocumentVisibility, Section
from .errors import DocumentNotFound, InvalidValue, SectionHidden
from .repositories import DocumentKey, SupportsIssuedKinds, SupportsYears

_LOOKED_UP = 1000
_PAGES_TRIED = 10  # where a host's policy hides most documents, a page may come up short


@attrs.define(frozen=True, slots=False, eq=False, repr=False)
class Wanted:
    """What is asked of the document repository."""

    kind: DocumentKind
    search: str | None = None
    year: int | None = None
    after: DocumentKey | None = None
    ids: frozenset[str] | None = None


class Visible:
    """What the customer of an admission may see. Made for one use."""

    def __init__(self, context: Context, admitted: Admitted) -> None:
        self._documents = context.documents
        self._years_known = SupportsYears in context.document_abilities
        self._kinds_known = SupportsIssuedKinds in context.document_abilities
        self._policy = context.visibility
        self._plain = type(context.visibility) is DocumentVisibility
        self._customer_id = admitted.customer.id
        self._config = admitted.config
        self._openable: dict[str, bool] = {}
        self._shown: dict[Section, bool] = {}

    # --- rules

    def shows(self, section: Section) -> bool:
        """True where the customer may open the section."""
        if section not in self._shown:
            self._shown[section] = self._may_show(section)
        return self._shown[section]

    def _may_show(self, section: Section) -> bool:
        if not BASE_RULES.shows_section(section, self._config):
            return False
        return self._host_agrees(lambda rules: rules.shows_section(section, self._config))

    def require(self, section: Section) -> None:
        """Refuse a hidden section with `SectionHidden`."""
        if not self.shows(section):
            raise SectionHidden(
                f"the section {section.value} is switched off for customers", section=section.value
            )

    def _shows_document(self, document: Document) -> bool:
        customer_id, config = self._customer_id, self._config
        return (
            BASE_RULES.shows_document(document, customer_id, config)
            and self.shows(SECTION_OF[document.kind])
            and self._host_agrees(lambda rules: rules.shows_document(document, customer_id, config))
        )

    def _host_agrees(self, question: Callable[[DocumentVisibility], bool]) -> bool:
        if self._plain:
            return True
        try:
            return question(self._policy) is True
        except Exception:
            log().exception("the visibility policy failed; what it was asked for is hidden")
            return False

    # --- documents

    def document(self, document_id: object) -> Document:
        """The document of this id; `DocumentNotFound` unless the customer may see it."""
        try:
            named = check_id("id", document_id)
        except InvalidValue:
            raise DocumentNotFound from None
        document = self._documents.get(self._customer_id, named)
        if document is None:
            raise DocumentNotFound
        if not self._is_own(document) or document.id != document_id:
            log().error("the document repository returned a document not asked for; dropped")
            raise DocumentNotFound
        if not self._shows_document(document):
            raise DocumentNotFound
        return document

    def page(self, wanted: Wanted, limit: int) -> Page[Document]:
        """A page of what may be shown, made of as many pages of the repository as that takes."""
        visible: list[Document] = []
        last: Document | None = None
        for found, more in islice(self._walk(wanted, limit + 1), _PAGES_TRIED):
            visible += filter(self._shows_document, found)
            if len(visible) > limit:
                items = tuple(visible[:limit])
                return Page(items, _cursor(items[-1]))
            if not more:
                return Page(tuple(visible))
            last = found[-1] if found else last
        return Page(tuple(visible), _cursor(last) if last else None)

    def _walk(self, wanted: Wanted, limit: int) -> Iterator[tuple[list[Document], bool]]:
        """The documents asked for, page by page, and whether there are more.

        The first page asked for is ``limit`` long; wrong documents are passed over.
        """
        more = wanted.ids is None or bool(wanted.ids)
        while more:
            found = list(
                self._documents.page(
                    self._customer_id,
                    wanted.kind,
                    after=wanted.after,
                    limit=limit,
                    search=wanted.search,
                    year=wanted.year,
                    ids=wanted.ids,
                )
            )
            kept = [one for one in found if self._is_asked_for(one, wanted)]
            if len(kept) < len(found):
                log().error("the document repository returned documents not asked for; dropped")
            last = next((_key(one) for one in reversed(found) if isinstance(one, Document)), None)
            more = len(found) >= limit and last is not None and _follows(last, wanted.after)
            yield kept, more
            wanted, limit = attrs.evolve(wanted, after=last), PAGE_LIMIT

    def _is_asked_for(self, document: object, wanted: Wanted) -> TypeGuard[Document]:
        return (
            self._is_own(document)
            and document.kind is wanted.kind
            and document.status is DocumentStatus.ISSUED
            and _follows(_key(document), wanted.after)
        )

    def _is_own(self, document: object) -> TypeGuard[Document]:
        return isinstance(document, Document) and document.customer_id == self._customer_id

    def years(self, kind: DocumentKind) -> tuple[int, ...]:
        """The years in which the customer may see documents of a kind, newest first."""
        if self._plain and self._years_known:
            return tuple(cast(SupportsYears, self._documents).years(self._customer_id, kind))
        years: list[int] = []
        wanted = Wanted(kind)
        while found := self._first(wanted):
            years.append(found.date.year)
            wanted = attrs.evolve(wanted, after=(dt.date(years[-1], 1, 1), ""))
        return tuple(years)

    def _first(self, wanted: Wanted) -> Document | None:
        for found, _ in self._walk(wanted, PAGE_LIMIT):
            for one in filter(self._shows_document, found):
                return one
        return None

    # --- entries: a hidden document counts, with date, number and amount, but without its id

    def learn(self, entries: Iterable[LedgerEntry]) -> bool:
        """Look up the documents of entries at once; True where all of them may be opened."""
        return self.look_up(entry.document_id for entry in entries)

    def look_up(self, document_ids: Iterable[str | None]) -> bool:
        """Look up documents at once; True where all of them may be opened."""
        named = {one for one in document_ids if one}
        missing = sorted(named - self._openable.keys())
        for start in range(0, len(missing), _LOOKED_UP):
            ids = missing[start : start + _LOOKED_UP]
            found = self._shown_of(frozenset(ids))
            self._openable.update((one, one in found) for one in ids)
        return all(self._openable[one] for one in named)

    def _shown_of(self, ids: frozenset[str]) -> set[str]:
        if self._plain and self._kinds_known:
            repository = cast(SupportsIssuedKinds, self._documents)
            kinds = repository.issued_kinds(self._customer_id, ids)
            return {one for one, kind in kinds.items() if self.shows(SECTION_OF[kind])}
        shown: set[str] = set()
        for kind in filter(lambda kind: self.shows(SECTION_OF[kind]), DocumentKind):
            # With one more than there can be, one page is known to be the last.
            for found, _ in self._walk(Wanted(kind, ids=ids), len(ids) + 1):
                shown.update(one.id for one in found if self._shows_document(one))
        return shown

    def may_open(self, document_id: str | None) -> bool:
        """True where a document that was looked up may be opened, or there is none."""
        return document_id is None or self._openable[document_id]

    def entry(self, entry: LedgerEntry) -> LedgerEntry:
        """The entry, without the id of a document that may not be opened."""
        self.learn([entry])
        return entry if self.may_open(entry.document_id) else attrs.evolve(entry, document_id=None)

    def item(self, item: OpenItem) -> OpenItem:
        """The open item, its entry as `entry` gives it."""
        return attrs.evolve(item, entry=self.entry(item.entry))

    def parts(self, parts: Sequence[AppliedPart]) -> tuple[AppliedPart, ...]:
        """The applied parts, their entries as `entry` gives them, looked up at once."""
        if self.learn(entry for part in parts for entry in (part.debit, part.credit)):
            return tuple(parts)
        return tuple(
            attrs.evolve(part, debit=self.entry(part.debit), credit=self.entry(part.credit))
            for part in parts
        )

    def lines(self, lines: Sequence[StatementLine]) -> tuple[StatementLine, ...]:
        """The lines, their entries as `entry` gives them."""
        applied = [part for line in lines if line.applied for part in line.applied]
        named = [line.entry for line in lines]
        named += [entry for part in applied for entry in (part.debit, part.credit)]
        if self.learn(named):
            return tuple(lines)
        return tuple(
            attrs.evolve(line, entry=self.entry(line.entry), applied=self.parts(line.applied))
            for line in lines
        )

    def section(self, statement: CurrencyStatement) -> CurrencyStatement:
        """The statement of one currency, its entries as `entry` gives them."""
        lines, items = self.lines(statement.lines), statement.open_items
        if not self.learn(item.entry for item in items):
            items = tuple(map(self.item, items))
        return attrs.evolve(statement, lines=lines, open_items=items)


def _key(document: Document) -> DocumentKey:
    return (document.date, document.id)


def _follows(key: DocumentKey, after: DocumentKey | None) -> bool:
    return after is None or key < after


def _cursor(document: Document) -> str:
    return write_cursor(document.date.isoformat(), document.id)
