"""What the documentation and the examples import of ours is public, as they will be copied."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.packaging.public_api import MODULES, REACHED, names_of

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
PROGRAMS = sorted([*ROOT.glob("examples/**/*.py"), *ROOT.glob("tests/typing/*.py")])
OURS = "basis_portal"
PUBLIC = {
    module: {
        *(name for name, _ in names_of(importlib.import_module(module))),
        *(name for found, name in REACHED if found == module),
    }
    for module in MODULES
}
"""What others may import, by module."""


def code_of(path: Path) -> str:
    """A program, or all the Python blocks of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def imported(code: str) -> Iterator[tuple[str, str]]:
    """Each module of ours that code imports, with a name that it takes from there, or none."""
    nodes = list(ast.walk(ast.parse(code)))
    called = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and is_ours(node.module or ""):
            yield from ((str(node.module), one.name) for one in node.names)
        for one in node.names if isinstance(node, ast.Import) else ():
            if is_ours(one.name):
                yield one.name, ""
                called[one.asname or OURS] = one.name if one.asname else OURS
    for node in nodes:
        if isinstance(node, ast.Attribute):
            first, *rest = ast.unparse(node.value).split(".")
            module = ".".join([called.get(first, ""), *rest])
            if module in MODULES and f"{module}.{node.attr}" not in MODULES:
                yield module, node.attr


def is_ours(module: str) -> bool:
    """True for the package and all below it."""
    return module.partition(".")[0] == OURS


def not_public(code: str) -> list[str]:
    """What code imports that is not public."""
    return sorted(
        f"{module} {name}".rstrip()
        for module, name in imported(code)
        if name not in PUBLIC.get(module, ()) and not (module in PUBLIC and not name)
    )


@pytest.mark.parametrize("path", [*PAGES, *PROGRAMS], ids=lambda path: str(path.relative_to(ROOT)))
def test_only_what_is_public_is_imported(path: Path) -> None:
    """A page or a program takes public names from public modules."""
    assert not_public(code_of(path)) == []


def test_pages_and_programs_are_found() -> None:
    """There are imports of ours in pages, in each example host, and in plain examples."""
    users = {
        str(one.relative_to(ROOT)) for one in [*PAGES, *PROGRAMS] if any(imported(code_of(one)))
    }
    assert {"README.md", "docs/tutorial.md", "examples/custom_storage.py"} <= users
    hosts = {one.parent.name for one in ROOT.glob("examples/hosts/*/README.md")}
    assert hosts == {one.split("/")[2] for one in users if one.startswith("examples/hosts/")}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from basis_portal import Portal", []),
        ("from basis_portal.repositories import DocumentKey, Storage", []),
        ("from basis_portal.testing import builders", []),
        ("import basis_portal.web\nbasis_portal.web.create_app", []),
        ("import basis_portal as bp\nbp.Portal", []),
        (
            "from basis_portal.mail.smtp import SMTPTransport",
            ["basis_portal.mail.smtp SMTPTransport"],
        ),
        ("from basis_portal.repositories import T", ["basis_portal.repositories T"]),
        ("def f():\n    import basis_portal.domain.mail", ["basis_portal.domain.mail"]),
        ("import basis_portal as bp\nbp.domain", ["basis_portal domain"]),
        ("import basis_portal.web as web\nweb.site", ["basis_portal.web site"]),
        ("import basis_portal.web\nbasis_portal.web.site", ["basis_portal.web site"]),
    ],
)
def test_what_is_not_public_is_seen(code: str, found: list[str]) -> None:
    """A private module, and a private name of a public one, are found; public ones are not."""
    assert not_public(code) == found


def test_the_public_modules_are_told() -> None:
    """The page that says what is public names the modules whose names are recorded."""
    page = (ROOT / "docs" / "reference" / "compatibility.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| the names that"))
    assert re.findall(r"`(basis_portal[\w.]*)`", row) == list(MODULES)
