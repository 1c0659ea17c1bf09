"""What is looked at in the built site, ``nox -s docs``, is seen where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.built_site import faults_of

GOOD = {
    "index.html": '<link rel="stylesheet" href="a/b.css?v=1"><a href="a/c.html#here">c</a>'
    '<a href="https://example.com">e</a><a href="#">top</a>'
    '<a href="a/d%20e.txt"><i class="xref">d</i></a>',
    "a/c.html": '<h1 id="here">C</h1><a href="../index.html">up</a><img src="data:image/png;x">',
    "a/b.css": "@import 'x.css'; p { background: url(data:image/png;x) }",
    "a/d e.txt": "",
    "genindex.html": "<ul><li>Other</li></ul><table><tr><td><ul>"
    '<li>open <ul><li><a href="a/c.html">Mine</a></li></ul></li>'
    '<li><a href="a/c.html#here"><strong>Portal</strong></a></li></ul></table>',
}
NAMES = ["Portal", "open"]


def site_of(folder: Path, **changes: str) -> Path:
    """A site of some files."""
    for name, text in {**GOOD, **changes}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_good_site_has_no_faults(tmp_path: Path) -> None:
    """Links to files, anchors and other sites, and what the site itself holds, are right."""
    assert faults_of(site_of(tmp_path), NAMES) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<a href="none.html">x</a>', "none.html leads nowhere"),
        ('<a href="a/">x</a>', "a/ leads nowhere"),
        ('<a href="#none">x</a>', "#none leads nowhere"),
        ('<a href="c.html#none">x</a>', "c.html#none leads nowhere"),
        ('<img src="none.png">', "none.png leads nowhere"),
        ('<span class="xref myst">x</span>', "1 links are words alone"),
        ('<a href="http://example.com">x</a>', "links to http://example.com"),
        ('<a href="javascript:x()">x</a>', "links to javascript:x()"),
        ('<script src="https://example.com/x.js"></script>', "loads https://example.com/x.js"),
        ('<link rel="stylesheet" href="//example.com/x.css">', "loads //example.com/x.css"),
        ('<link rel="icon" href="https://example.com/i.png">', "loads https://example.com/i.png"),
        ('<img src="https://example.com/x.png">', "loads https://example.com/x.png"),
    ],
)
def test_a_wrong_address_is_seen(tmp_path: Path, text: str, fault: str) -> None:
    """Links to nothing, and whatever a browser would fetch from another site, are found."""
    site = site_of(tmp_path, **{"a/x.html": text})
    assert faults_of(site, NAMES) == [f"a/x.html: {fault}"]


@pytest.mark.parametrize(
    "css", ["@import 'https://example.com/x.css';", "p{src:url(//f.example/f)}"]
)
def test_a_stylesheet_that_asks_elsewhere_is_seen(tmp_path: Path, css: str) -> None:
    """Fonts and stylesheets of other sites tell them who reads what."""
    (found,) = faults_of(site_of(tmp_path, **{"a/b.css": css}), NAMES)
    assert found.startswith("a/b.css: loads ")


def test_a_name_that_the_index_lacks_is_seen(tmp_path: Path) -> None:
    """Each name is looked for, as it is written; without an index all are missing."""
    site = site_of(tmp_path)
    missing = ["portal", "Mine", "Other"]
    told = [f"genindex.html: {name} is missing" for name in missing]
    assert faults_of(site, [*NAMES, *missing]) == told
    (site / "genindex.html").unlink()
    assert faults_of(site, NAMES) == [f"genindex.html: {name} is missing" for name in NAMES]
