"""What an earlier version handed out and stored, a later one opens and reads."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from tests.packaging.kept import BASE_URL, HERE, KEYS, portal_over, restore

from basis_portal import AccessDenied, DocumentKind, Portal, PortalConfig
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.clocks import FrozenClock

KEPT = sorted(HERE.glob("kept_*.sql"))


@pytest.mark.every_variation
@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_a_link_of_then_opens_on_the_tables_of_then(file: Path, tmp_path: Path) -> None:
    """The file is migrated, its link opens what it opened, and nothing of it is lost."""
    link = restore(file.read_text(encoding="utf-8"), tmp_path / "portal.db")
    with contextlib.closing(SQLiteStorage(tmp_path / "portal.db")) as storage:
        portal = portal_over(storage)
        access = portal.open(link.rsplit("/", 1)[1])
        assert access.customer.name == "Kopi Nusantara"
        assert [one.id for one in access.documents(DocumentKind.SALES_INVOICE).items] == ["INV-1"]
        assert access.statement().by_currency["EUR"].closing_balance > 0
        assert [one.text[:10] for one in access.messages().items] == ["Paid today"]
        assert portal.settings.get().config == PortalConfig(
            enabled=True, show_statement=True, allow_messages=True
        )
        assert portal.tokens.link("C-1001", by="ana") == link


@pytest.mark.every_variation
@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_a_link_of_then_still_ends(file: Path, tmp_path: Path) -> None:
    """A year later it is refused, and so it is where its key is no longer listed."""
    link = restore(file.read_text(encoding="utf-8"), tmp_path / "portal.db")
    text = link.rsplit("/", 1)[1]
    with contextlib.closing(SQLiteStorage(tmp_path / "portal.db")) as storage:
        clock = FrozenClock()
        clock.advance(days=364)
        assert portal_over(storage, clock).open(text).customer.id == "C-1001"
        clock.advance(days=1)
        with pytest.raises(AccessDenied):
            portal_over(storage, clock).open(text)
        others = Portal(storage, secret_keys=KEYS[:1], base_url=BASE_URL, clock=FrozenClock())
        with pytest.raises(AccessDenied):
            others.open(text)


def test_something_is_kept() -> None:
    """There is a file of a release; else the tests above would say nothing."""
    assert KEPT
