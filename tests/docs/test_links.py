"""Links between the pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its code."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The names that links can give to the headings of a page."""
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(page)))
    return {word.strip().replace(" ", "-") for word in words}


def broken_links(page: Path, text: str, root: Path = ROOT) -> list[str]:
    """The links of a text on ``page`` that lead nowhere, or out of the project by path."""
    broken = []
    for target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        if re.match(r"https://\w", target):
            continue
        found = (page.parent / path).resolve() if path else page
        known = found.exists() and found.is_relative_to(root)
        if not known or (anchor and anchor not in anchors(found)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every link of a page leads to a file of the project, and to a heading where it names one."""
    assert broken_links(page, prose(page)) == []


def test_every_page_can_be_reached() -> None:
    """From the README, by links alone, a reader gets to every page."""
    seen, due = set(), [ROOT / "README.md"]
    while due:
        page = due.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = (target.partition("#")[0] for target in LINK.findall(prose(page)))
        due += [(page.parent / t).resolve() for t in targets if t and "://" not in t]
    assert set(PAGES) - seen == set()


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    """A link to no file, no heading, out of the project or without TLS is found; good ones not."""
    page = tmp_path / "page.md"
    page.write_text("# A `heading`, here\n", encoding="utf-8")
    good = "[a](page.md) [b](#a-heading-here) [c](page.md#a-heading-here) [d](https://example.com)"
    bad = ["none.md", "#nowhere", "page.md#nowhere", "../..", "http://example.com"]
    assert broken_links(page, good, tmp_path) == []
    assert broken_links(page, " ".join(f"[x]({target})" for target in bad), tmp_path) == bad
