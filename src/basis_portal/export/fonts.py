"""The fonts of a PDF: ours, or a host's where its customers write what ours has not.

Ours are DejaVu Sans, regular and bold, cut down to Latin, Greek, Cyrillic, punctuation and
currency signs; `fonts/LICENSE` is theirs. They are embedded, so a name reads the same
everywhere.
"""

from __future__ import annotations

import hashlib
import io
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs

from ..domain.checks import checked
from ..errors import InvalidValue

HERE = Path(__file__).parent / "fonts"
UNKNOWN = "\ufffd"
"""Stands for a character that a font has not: seen, where nothing would not be missed."""
_INSTEAD = (UNKNOWN, "\u25a1", "?")


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


def _check_file(field: str, value: object) -> None:
    if not isinstance(value, Path) or not value.is_file():
        shown = str(value) if isinstance(value, Path) else value
        raise InvalidValue.of(field, shown, "must be the path of a TrueType font")


@attrs.define(frozen=True)
class PdfFont:
    """TrueType files a PDF is written with.

    Attributes:
        regular: path of the font; fonts with PostScript outlines (most ``.otf``) do not work.
        bold: path of its bold style, or None to do without.

    Raises:
        InvalidValue: there is no such file; or, when used first, it cannot be read as a TrueType
            font, or is not whole.
    """

    regular: Path = attrs.field(converter=_path, validator=checked(_check_file))
    bold: Path | None = attrs.field(
        default=None, converter=_path, validator=checked(_check_file, optional=True)
    )


OURS = PdfFont(HERE / "DejaVuSans.ttf", HERE / "DejaVuSans-Bold.ttf")


class Face:
    """One style of a font, known to reportlab by `name`."""

    def __init__(self, path: Path) -> None:
        from reportlab.pdfbase.pdfmetrics import registerFont  # type: ignore[import-untyped]
        from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]

        try:
            content = path.read_bytes()
            self.name: str = f"basis-portal-{hashlib.sha256(content).hexdigest()[:12]}"
            font = TTFont(self.name, io.BytesIO(content))
        except Exception as error:  # a damaged file fails in any way, deep within reportlab
            rule = f"must be the path of a TrueType font ({type(error).__name__})"
            raise InvalidValue.of("PdfFont", str(path), rule) from None
        if any(one["offset"] + one["length"] > len(content) for one in font.face.tables):
            raise InvalidValue.of("PdfFont", str(path), "must be the path of a whole TrueType font")
        registerFont(font)
        self._font = font
        self._has = font.face.charToGlyph
        self._instead = next((one for one in _INSTEAD if ord(one) in self._has), " ")

    def width(self, text: str, size: float) -> float:
        """How wide a line is, in points."""
        width: float = self._font.stringWidth(text, size)
        return width

    def written(self, text: str) -> str:
        """The text in characters the font has; what is invisible is left away."""
        if text.isascii() and text.isprintable():
            return text
        composed = unicodedata.normalize("NFC", text)
        return "".join(map(self._character, composed))

    def _character(self, one: str) -> str:
        kind = unicodedata.category(one)
        if one.isspace() or kind == "Cc":
            return one if one in "\n\u00a0" else " "
        if kind == "Cf":  # marks of direction and the like have no shape
            return ""
        return one if ord(one) in self._has else self._instead


@lru_cache(8)
def faces(font: PdfFont) -> tuple[Face, Face]:
    """The regular and the bold style of a font, read once."""
    regular = _face(font.regular)
    return regular, regular if font.bold is None else _face(font.bold)


@lru_cache(16)
def _face(path: Path) -> Face:
    return Face(path)
