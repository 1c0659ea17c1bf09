"""A PDF as its readers see it: by a reader of PDF that is not what wrote it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import attrs
from pypdf import PdfReader


@attrs.define(frozen=True)
class Piece:
    """A text on a page: where it begins, in points from the left and from the bottom."""

    text: str
    x: float
    y: float


def reader_of(content: bytes) -> PdfReader:
    """The file, opened strictly."""
    return PdfReader(io.BytesIO(content), strict=True)


def pieces_of(content: bytes) -> list[list[Piece]]:
    """The texts of each page, in the order in which they were written."""
    return [list(_pieces(page)) for page in reader_of(content).pages]


def texts_of(content: bytes) -> list[str]:
    """All texts but heads and feet of the pages, a line of a cell each."""
    return [one.text for page in pieces_of(content) for one in page if 60 < one.y < 795]


def words_of(content: bytes) -> str:
    """All the words, one blank between them."""
    return " ".join(" ".join(one.text for one in page) for page in pieces_of(content))


def fonts_of(content: bytes) -> dict[str, bool]:
    """The fonts by their names, and whether the file holds their letters."""
    found: dict[str, bool] = {}
    for page in reader_of(content).pages:
        resources: Any = page["/Resources"]
        for font in resources["/Font"].values():
            whole = font.get_object()
            described = whole.get("/FontDescriptor", {})
            name = str(whole["/BaseFont"]).rpartition("+")[2].lstrip("/")
            found[name] = "/FontFile2" in described
    return found


def _pieces(page: Any) -> Iterator[Piece]:
    found: list[Piece] = []

    def note(text: str, outer: list[float], inner: list[float], *_: Any) -> None:
        if text.strip():
            x, y = inner[4:]
            a, b, c, d, e, f = outer
            place = (a * x + c * y + e, b * x + d * y + f)
            found.append(Piece(" ".join(text.split()), *place))

    page.extract_text(visitor_text=note)
    yield from found
