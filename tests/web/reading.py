"""Pages as their readers see them: the words, the rows, the links."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser


class _Reader(HTMLParser):
    """Collects the words that are shown, cell by cell, and the links."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.links: dict[str, str] = {}
        self._cell: list[str] | None = None
        self._link: str | None = None
        self._hidden = 0
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _VOID:
            return
        hides = tag in ("head", "title", "style", "script") or given.get("aria-hidden") == "true"
        self._open.append((tag, hides))
        self._hidden += hides
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._cell = []
        elif tag == "a":
            self._link = given.get("href")

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            name, hides = self._open.pop()
            self._hidden -= hides
            if name == tag:
                break
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1].append(_plain(" ".join(self._cell)))
            self._cell = None
        elif tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        text = _plain(data)
        if not text or self._hidden:
            return
        self.words.append(text)
        if self._cell is not None:
            self._cell.append(text)
        if self._link is not None:
            self.links.setdefault(text, self._link)


_VOID = {"meta", "link", "input", "br", "img", "hr", "rect"}


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u00a0", " ")).strip()


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def words(html: str) -> str:
    """What a page says, in one line, with plain spaces."""
    return _plain(" ".join(_read(html).words))


def rows(html: str) -> list[list[str]]:
    """The rows of all tables of a page, as the words of their cells."""
    return [row for row in _read(html).rows if row]


def links(html: str) -> dict[str, str]:
    """The address of each link by its words."""
    return _read(html).links


def title(html: str) -> str:
    """The title of a page."""
    found = re.search("<title>(.*?)</title>", html, re.DOTALL)
    assert found
    return _plain(unescape(found[1]))


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(f'type="hidden" name="{name}" value="([^"]*)"', html)
    assert found, f"no hidden field {name}"
    return unescape(found[1])
