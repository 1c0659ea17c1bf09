"""What is wrong with the built site: ``python -m tests.docs.built_site FOLDER``.

Sphinx has seen to it that each page links to pages and headings that there are. Here the HTML is
looked at as a browser gets it: each address in it leads to a file and an anchor, nothing is loaded
from elsewhere, and every public name stands in the index.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}
"""What a browser fetches without being asked to."""


class Page(HTMLParser):
    """The addresses and the anchors of a page.

    Attributes:
        links: addresses that are followed.
        loads: addresses that are fetched with the page.
        anchors: what links can name in it.
        lost: how many links the site's maker gave up, and shows as their words alone.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors = {"", "top"}
        self.lost = 0
        self._in_link = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take up what a tag says."""
        given = {name: value or "" for name, value in attrs}
        self._in_link |= tag == "a"
        self.lost += not self._in_link and "xref" in given.get("class", "").split()
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name in given.keys() & {"href", "src"}:
            loads = (tag, name) in LOADS and given.get("rel") not in {
                "index",
                "search",
                "next",
                "prev",
            }
            (self.loads if loads else self.links).append(given[name])

    def handle_endtag(self, tag: str) -> None:
        """Notice where a link ends."""
        self._in_link &= tag != "a"


class Index(HTMLParser):
    """The names that the index lists; what they belong to is a list within the list."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self._tables = self._lists = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Go into a table or a list."""
        self._tables += tag == "table"
        self._lists += tag == "ul" and self._tables

    def handle_endtag(self, tag: str) -> None:
        """Come out of it."""
        self._tables -= tag == "table"
        self._lists -= tag == "ul" and self._tables

    def handle_data(self, data: str) -> None:
        """Take up a name."""
        if self._lists == 1:
            self.names.add(data.strip())


def faults_of(site: Path, names: Iterable[str]) -> list[str]:
    """What is wrong with a site, of which the index is to have these names."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [
        f"{path.relative_to(site)}: {fault}"
        for path, page in pages.items()
        for fault in _faults_of_page(path, page, pages)
    ]
    for path in sorted(site.rglob("*.css")):
        for address in re.findall(
            r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", path.read_text("utf-8")
        ):
            if _is_elsewhere(address):
                found.append(f"{path.relative_to(site)}: loads {address}")
    index = site / "genindex.html"
    entries = Index(index.read_text("utf-8")).names if index.exists() else set()
    return [*found, *(f"genindex.html: {name} is missing" for name in names if name not in entries)]


def _faults_of_page(path: Path, page: Page, pages: dict[Path, Page]) -> Iterable[str]:
    if page.lost:
        yield f"{page.lost} links are words alone"
    for address in filter(_is_elsewhere, page.loads):
        yield f"loads {address}"
    for address in filter(_is_elsewhere, page.links):
        if urlsplit(address).scheme not in {"https", "mailto", "tel"}:
            yield f"links to {address}"
    for address in [*page.links, *page.loads]:
        if not _is_elsewhere(address) and not _leads_somewhere(path, address, pages):
            yield f"{address} leads nowhere"


def _leads_somewhere(path: Path, address: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    anchors = pages[target].anchors if target in pages else {""}
    return target.is_file() and unquote(parts.fragment) in anchors


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in {"", "data"}


def main(site: Path) -> int:
    """Print what is wrong; 1 where anything is."""
    from tests.docs.test_reference import PUBLIC

    faults = faults_of(site.resolve(), PUBLIC)
    print(
        "\n".join(faults) or f"{len(list(site.rglob('*.html')))} pages: every link leads somewhere"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
