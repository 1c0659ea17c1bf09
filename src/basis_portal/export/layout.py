"""How a PDF is laid out: columns as wide as what stands in them, heads, feet, page numbers."""

from __future__ import annotations

import datetime as dt
import io
import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import attrs

from .fonts import Face

PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89  # A4, in points
MARGIN, FOOT = 51.0, 62.0
FRAME = 6.0  # reportlab's padding within the margins
WIDTH = PAGE_WIDTH - 2 * MARGIN
SIZES = (8.5, 7.5, 6.5, 5.5, 4.5)
"""Of the letters in a table: the largest with which its columns have room."""
TEXT = 9.5
ROOM, GAP = 68.0, 10.0
"""Least room of a column that takes what is left; space between columns."""
HAIR = 0.01
"""What a width may be off by: a sum of widths is not exact."""
MOST_LINES = 8
"""Of a cell: a row must not be higher than a page."""

_one_at_a_time = threading.Lock()
"""reportlab: a font serves one document at a time."""


@attrs.define(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        head: its words.
        figure: True for what stands on the right.
        takes_rest: True for one that takes what room the others leave, and breaks its texts.
    """

    head: str
    figure: bool = False
    takes_rest: bool = False


@attrs.define(frozen=True)
class Line:
    """A row of a table; `strong` for totals and balances."""

    cells: Sequence[str]
    strong: bool = False


@attrs.define(frozen=True)
class Paper:
    """What stands on every page.

    Attributes:
        title: of the document.
        author: of the document.
        language: language tag of its text.
        made_at: the instant its data tell as the time it was made.
        head: on top of each page but the first.
        foot: at the foot of each page.
        number: the words for a page's number, from that and how many there are.
    """

    title: str
    author: str
    language: str
    made_at: dt.datetime
    head: str
    foot: str
    number: Callable[[int, int], str]


class Layout:
    """Puts texts and tables on paper, in a regular and a bold style."""

    def __init__(self, regular: Face, bold: Face) -> None:
        self._regular, self._bold = regular, bold
        self._story: list[Any] = []

    # --- what is put there

    def text(
        self, text: str, *, size: float = TEXT, strong: bool = False, above: float = 0
    ) -> None:
        """A paragraph; line breaks in it are kept."""
        from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
        from reportlab.platypus import Paragraph  # type: ignore[import-untyped]

        face = self._bold if strong else self._regular
        style = ParagraphStyle(
            "text", fontName=face.name, fontSize=size, leading=size * 1.35, spaceBefore=above
        )
        # Escaped: a name must not be read as reportlab's markup, which draws links and pictures.
        marked_up = escape(face.written(text)).replace("\n", "<br/>")
        self._story.append(Paragraph(marked_up, style))

    def keep(self, height: float) -> None:
        """Begin a new page where this one has not so much room left, in points."""
        from reportlab.platypus import CondPageBreak

        self._story.append(CondPageBreak(min(height, PAGE_HEIGHT / 2)))

    def table(self, columns: Sequence[Column], lines: Sequence[Line]) -> None:
        """A table whose head is repeated on each page."""
        from reportlab.platypus import LongTable

        heads = Line([column.head for column in columns], strong=True)
        rows = [self._written(line) for line in (heads, *lines)]
        size, widths = self._widths(columns, rows)
        broken = [self._broken(row, widths, size) for row in rows]
        table = LongTable(
            broken,
            widths,
            repeatRows=1,
            hAlign="LEFT",
            spaceBefore=6,
            style=self._style(columns, rows, size),
        )
        self._story.append(table)

    def pdf(self, paper: Paper) -> bytes:
        """All of it as a file, the same for the same input."""
        from reportlab.platypus import SimpleDocTemplate

        file = io.BytesIO()
        document = SimpleDocTemplate(
            file,
            pagesize=(PAGE_WIDTH, PAGE_HEIGHT),
            leftMargin=MARGIN - FRAME,
            rightMargin=MARGIN - FRAME,
            topMargin=MARGIN,
            bottomMargin=FOOT,
            title=paper.title,
            author=paper.author,
            subject="",
            creator="",
            producer="",
            lang=paper.language,
            invariant=1,
            initialFontName=self._regular.name,  # else a font is named that is not embedded
        )
        with _one_at_a_time:
            document.build(self._story, canvasmaker=self._canvas(paper))
        return file.getvalue()

    # --- tables

    def _face(self, line: Line) -> Face:
        return self._bold if line.strong else self._regular

    def _written(self, line: Line) -> Line:
        face = self._face(line)
        return Line([face.written(cell) for cell in line.cells], line.strong)

    def _widths(self, columns: Sequence[Column], rows: Sequence[Line]) -> tuple[float, list[float]]:
        """The size of the letters, and how wide each column is with them."""
        growing = sum(column.takes_rest for column in columns)
        natural = [self._natural(at, column, rows) for at, column in enumerate(columns)]

        def fixed(size: float) -> list[float]:
            return [
                0.0
                if column.takes_rest
                else (one * size if column.figure else min(one * size, WIDTH / 3)) + GAP
                for column, one in zip(columns, natural, strict=True)
            ]

        fitting = (size for size in SIZES if WIDTH - sum(fixed(size)) >= growing * ROOM)
        size = next(fitting, SIZES[-1])
        widths = fixed(size)
        share = max((WIDTH - sum(widths)) / growing, ROOM) if growing else 0
        return size, [width or share for width in widths]

    def _natural(self, at: int, column: Column, rows: Sequence[Line]) -> float:
        """How wide a column wants to be, per point of its letters: no figure is ever broken."""
        widest = max(self._bold.width(word, 1) for word in column.head.split() or [""])
        for row in rows[1:]:
            if not (text := row.cells[at]) or self._runs_on(row, at):
                continue
            face = self._face(row)
            widest = max(widest, *(face.width(line, 1) for line in text.split("\n")))
        return widest

    @staticmethod
    def _runs_on(row: Line, at: int) -> bool:
        """True for words in front of a row that run on over the empty cells beside them."""
        return row.strong and at == 0 and not row.cells[1]

    def _broken(self, row: Line, widths: Sequence[float], size: float) -> list[str]:
        face = self._face(row)
        return [
            cell if self._runs_on(row, at) else broken(face, cell, size, width - GAP)
            for at, (cell, width) in enumerate(zip(row.cells, widths, strict=True))
        ]

    def _style(
        self, columns: Sequence[Column], rows: Sequence[Line], size: float
    ) -> list[tuple[Any, ...]]:
        whole = (0, 0), (-1, -1)
        style: list[tuple[Any, ...]] = [
            ("FONT", *whole, self._regular.name, size, size * 1.25),
            ("VALIGN", *whole, "TOP"),
            ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
            ("LEFTPADDING", *whole, 0),
            ("RIGHTPADDING", *whole, 0),
            ("TOPPADDING", *whole, 2.5),
            ("BOTTOMPADDING", *whole, 2.5),
            ("LINEBELOW", *whole, 0.25, "#c8c8c8"),
            ("LINEBELOW", (0, 0), (-1, 0), 0.75, "#000000"),
        ]
        style += [
            ("ALIGN", (at, 0), (at, -1), "RIGHT")
            for at, column in enumerate(columns)
            if column.figure
        ]
        style += [
            ("FONTNAME", (0, at), (-1, at), self._bold.name)
            for at, row in enumerate(rows)
            if row.strong
        ]
        return style

    # --- pages

    def _canvas(self, paper: Paper) -> type:
        """A canvas that knows how many pages there are when it writes their numbers."""
        from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

        face = self._regular
        head, foot = (self._line(text, WIDTH) for text in (paper.head, paper.foot))
        made = f"D:{paper.made_at.astimezone(dt.UTC):%Y%m%d%H%M%S}Z"

        class Numbered(Canvas):  # type: ignore[misc]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.setDateFormatter(lambda *_: made)
                self._pages: list[dict[str, Any]] = []

            def showPage(self) -> None:  # noqa: N802
                self._pages.append(dict(self.__dict__))
                self._startPage()

            def save(self) -> None:
                for number, page in enumerate(self._pages, 1):
                    self.__dict__.update(page)
                    self._write_edges(number, len(self._pages))
                    super().showPage()
                super().save()

            def _write_edges(self, number: int, pages: int) -> None:
                self.setFont(face.name, 7.5)
                self.setFillGray(0.3)
                self.drawString(MARGIN, FOOT - 24, foot)
                words = face.written(paper.number(number, pages))
                self.drawRightString(PAGE_WIDTH - MARGIN, FOOT - 24, words)
                if number > 1:
                    self.drawString(MARGIN, PAGE_HEIGHT - MARGIN + 12, head)

        return Numbered

    def _line(self, text: str, width: float) -> str:
        found = broken(self._regular, self._regular.written(text), 7.5, width)
        first, more, _ = found.partition("\n")
        return f"{first} ..." if more else first


def broken(face: Face, text: str, size: float, width: float) -> str:
    """A text in lines no wider than ``width``; what is too long for a cell ends in dots."""
    if "\n" not in text and face.width(text, size) <= width + HAIR:
        return text
    lines = [""]
    for paragraph in text.split("\n"):
        for word in paragraph.split(" "):
            for piece in _pieces(face, word, size, width):
                longer = f"{lines[-1]} {piece}" if lines[-1] else piece
                if face.width(longer, size) <= width + HAIR:
                    lines[-1] = longer
                else:
                    lines.append(piece)
        lines.append("")
    found = [line for line in lines if line]
    return "\n".join(found if len(found) <= MOST_LINES else [*found[:MOST_LINES], "..."])


def _pieces(face: Face, word: str, size: float, width: float) -> list[str]:
    """A word that is wider than a line, cut where the line is full."""
    pieces, rest = [], word
    while face.width(rest, size) > width + HAIR and len(rest) > 1:
        end = next(
            (at for at in range(1, len(rest)) if face.width(rest[: at + 1], size) > width), 1
        )
        pieces.append(rest[:end])
        rest = rest[end:]
    return [*pieces, rest]
