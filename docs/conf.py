"""How the pages of this folder become a site: ``nox -s docs``."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

DOCS = Path(__file__).parent

project = "basis_portal"
copyright = "the basis_portal founders, MIT licence"  # noqa: A001
release = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"]
extensions = ["myst_parser"]
myst_heading_anchors = 6  # links name headings as code hosts do

html_theme = "furo"
html_title = "basis_portal"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "../src/basis_portal/web/static/icon.svg"
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5673", "color-brand-content": "#1f5673"},
    "dark_css_variables": {"color-brand-primary": "#8fc7e6", "color-brand-content": "#8fc7e6"},
}

NAME = re.compile(r"-{0,2}\w[\w.-]*")


class Names(SphinxTransform):
    """Puts every name of the reference into the index, and so on top of what a search finds.

    A test holds the reference, which is written by hand, to the code. So the index is made of its
    headings and of the first column of its tables: pages generated from docstrings would say all
    of it a second time.
    """

    default_priority = 800  # before the domains collect what is in the index

    def apply(self, **_: Any) -> None:
        """Add the names of this page."""
        if not self.env.docname.startswith("reference/"):
            return
        for section in list(self.document.findall(nodes.section)):
            for name in _names_in(section[0])[:1]:
                section.insert(1, _index(name, section["ids"][0]))
            named = set[str]()  # what two tables name has the first
            for row in (one for one in section.findall(nodes.row) if _section_of(one) is section):
                for name in _names_in(row[0]):
                    if name not in named:
                        self._add(row, name, section)
                    named.add(name)

    def _add(self, row: nodes.row, name: str, section: nodes.section) -> None:
        """Give a row an anchor, and a name in it an entry."""
        anchor = nodes.make_id(f"{section['ids'][0]} {name}")
        while anchor in self.document.ids:  # of a name in other letters: Opening, opening
            anchor += "-too"
        row["ids"].append(anchor)
        self.document.note_explicit_target(row)
        row[0].insert(0, _index(f"{name}; {section[0].astext()}", anchor))


def _names_in(place: nodes.Node) -> list[str]:
    """The names in a heading or a cell that begins with one."""
    codes = [one.astext() for one in place.findall(nodes.literal)]
    if not codes or not place.astext().startswith(codes[0]):
        return []
    return [found[0] for code in codes if (found := NAME.match(code))]


def _section_of(node: nodes.Node) -> nodes.Node:
    while not isinstance(node, nodes.section):
        node = node.parent
    return node


def _index(words: str, anchor: str) -> nodes.Node:
    return addnodes.index(entries=[("single", words, anchor, "main", None)])


class LinksOutOfTheFolder(SphinxTransform):
    """Links to what is no page of the site: a file is served as it is, a folder is only named."""

    default_priority = 800  # before files that are served are looked for

    def apply(self, **_: Any) -> None:
        """Change the links of this page."""
        for link in list(self.document.findall(addnodes.pending_xref)):
            target = Path(self.env.doc2path(self.env.docname)).parent / link["reftarget"]
            if target.is_dir():
                link.replace_self(nodes.Text(link.astext()))
            elif link["refdomain"] == "doc" and link["reftarget"] not in self.env.found_docs:
                link.replace_self(self._download(link))

    def _download(self, link: nodes.Element) -> nodes.Node:
        path = "/" + os.path.relpath(f"{link['reftarget']}.md", DOCS)
        given = {"refdoc": self.env.docname, "reftarget": path, "refdomain": None}
        return addnodes.download_reference("", "", *link.children, **given)


def setup(app: Sphinx) -> dict[str, bool]:
    """What this file adds to Sphinx."""
    app.add_transform(Names)
    app.add_transform(LinksOutOfTheFolder)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
