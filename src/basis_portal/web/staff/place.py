"""Where staff were in the list of tokens: search, filter and page go along from page to page.

They are named parameters. An address to go back to would be one that others could choose.
In a preview, whose pages have a search and pages of their own, they stand in the path, behind the
customer: ``/preview/<customer>;q=<search>/invoices``. So no link of those pages has to name them.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from flask import request

from ...domain.checks import is_storable
from ...domain.phrases import Phrase
from ...domain.url_keys import id_of, key_of
from ..forms import searched

SOON = "soon"
STATUSES = {
    "": Phrase("All"),
    "active": Phrase("Active"),
    SOON: Phrase("Expires within 7 days"),
    "expired": Phrase("Expired"),
    "revoked": Phrase("Revoked"),
}
_CURSOR_LIMIT = 20_000


@attrs.define(frozen=True)
class Place:
    """A page of the list of tokens.

    Attributes:
        q: what is searched for, or None.
        status: a status to filter by, or None; never beside a search.
        after: where the page begins, or None for the first one.
        both: True where a search and a status were asked for; the search is what counts.
    """

    q: str | None = None
    status: str | None = None
    after: str | None = None
    both: bool = False

    @classmethod
    def asked(cls) -> Place:
        """The place that this request names, in its address or in its form."""
        return cls._of(request.values)

    @classmethod
    def in_part(cls, part: str) -> tuple[str, Place]:
        """The key in a part of a preview's address, and the place behind it."""
        key, *behind = part.split(";")
        named = (one.partition("=") for one in behind)
        return key, cls._of({name: id_of(value) or "" for name, _, value in named})

    @classmethod
    def _of(cls, given: Mapping[str, str]) -> Place:
        """The place that these parameters name; what names none is left out."""
        q, status = searched(given.get("q")), given.get("status") or None
        status = status if status in STATUSES else None
        after = given.get("after") or None
        if after is not None and (len(after) > _CURSOR_LIMIT or not is_storable(after)):
            after = None
        return cls(q, None if q else status, after, bool(q and status))

    @property
    def fields(self) -> dict[str, str]:
        """The parameters of an address, or the hidden fields of a form, that name this place."""
        named = {"q": self.q, "status": self.status, "after": self.after}
        return {name: value for name, value in named.items() if value}

    def part(self, key: str) -> str:
        """The part of a preview's address that names a customer by its key, and this place."""
        return ";".join([key, *(f"{name}={key_of(value)}" for name, value in self.fields.items())])

    @property
    def first(self) -> dict[str, str]:
        """The same for the first page."""
        return {name: value for name, value in self.fields.items() if name != "after"}
