"""The lowest versions that are tested are those that the package asks for."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from tests.packaging.built import project_of, pythons_of

ROOT = Path(__file__).parents[2]
AS_USED = ("web", "i18n", "mail", "pdf", "postgres", "testing")


def pinned() -> dict[str, str]:
    """The lowest versions of the noxfile, by name."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LOWEST"
    )
    return dict(re.sub(r"\[.*?\]", "", pin).split("==") for pin in ast.literal_eval(found))


def asked_for() -> dict[str, str]:
    """The lowest versions that the package and its extras ask for, by name."""
    project: dict[str, Any] = project_of(ROOT)
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(one for extra in AS_USED for one in extras[extra])]
    return dict(one.split(">=") for one in needed)


def test_what_is_asked_for_is_tested() -> None:
    """Each dependency is tested at its floor, or at the first of its releases that can be used."""
    pins = pinned()
    assert {
        name: floor
        for name, floor in asked_for().items()
        if not f"{pins.get(name, 'untested')}.".startswith(f"{floor}.")
    } == {}


def test_the_page_names_what_is_asked_for() -> None:
    """The page on compatibility has each dependency with its floor, and the supported Pythons."""
    page = (ROOT / "docs" / "reference" / "compatibility.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+`) \| ([\d.]+) \|", page, re.MULTILINE)
    shown = {name: floor for names, floor in rows for name in re.findall(r"`(.+?)`", names)}
    assert shown == asked_for()
    *most, last = pythons_of(ROOT)
    assert f"on Python {', '.join(most)} and {last}." in page
