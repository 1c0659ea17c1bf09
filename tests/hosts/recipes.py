"""The hosts that the documentation shows, as they stand there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.hosts.worlds import World

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "mount-the-pages.md"


def recipe(file: str, world: World, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a file of the page defines, where the host's portal is that of a world."""
    found = re.search(rf"^```python\n(# {file}\n.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert found, f"{PAGE.name} shows no {file}"
    host = ModuleType("erp_portal")
    host.__dict__.update(portal=world.portal, pages=world.given)
    patch.setitem(sys.modules, "erp_portal", host)
    namespace: dict[str, Any] = {"__name__": Path(file).stem}
    exec(compile(found[1], file, "exec"), namespace)
    return namespace
