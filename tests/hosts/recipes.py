"""The hosts that the documentation shows, as they stand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.hosts.worlds import World

DOCS = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = ("mount-the-pages.md", "proxy.md")


def recipe(file: str, world: World, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a file of the pages defines, where the host's portal is that of a world."""
    host = ModuleType("erp_portal")
    host.__dict__.update(portal=world.portal, pages=world.given)
    patch.setitem(sys.modules, "erp_portal", host)
    return defined_by(file)


def defined_by(file: str) -> dict[str, Any]:
    """What a file of the pages defines."""
    text = "".join((DOCS / page).read_text("utf-8") for page in PAGES)
    (found,) = re.findall(rf"^```python\n(# {file}\n.*?)^```$", text, re.M | re.S)
    namespace: dict[str, Any] = {"__name__": Path(file).stem}
    exec(compile(found, file, "exec"), namespace)
    return namespace
