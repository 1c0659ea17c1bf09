"""The page on backups: what an old backup revives is ended, whatever became of it since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.docs.test_blocks import ROOT, blocks_of

from basis_portal import (
    AccessDenied,
    AccessRevoked,
    Portal,
    PortalConfig,
    PortalNotAvailable,
    Skipped,
)
from basis_portal.storage._backup import back_up
from basis_portal.storage._place_sqlite import SQLitePlace
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing import FrozenClock
from basis_portal.testing.builders import a_customer

FIRST = [
    "good",
    "revoked",
    "pruned",
    "erased",
    "replaced",
    "blocked",
    "deleted",
    "moved",
    "renumbered",
]
FIRST += ["given back"]
"""Who has a token in the backup; the last one's is revoked."""
IDS = [*FIRST, "late", "late and good"]
NEW = {"moved": "merged", "renumbered": "another number"}
CLOCK = FrozenClock()


def portal_over(storage: Any) -> Portal:
    """A portal whose time is ours."""
    given = {"secret_keys": ["a secret for tests alone, at least 32 bytes"], "clock": CLOCK}
    return Portal(storage, base_url="https://erp.example.com/portal", **given)


@pytest.fixture
def page() -> dict[str, Any]:
    """The functions of the page, over portals of ours."""
    blocks = blocks_of((ROOT / "docs/how-to/back-up.md").read_text())
    text = next(block.text for block in blocks if "def end_revived" in block.text)
    namespace: dict[str, Any] = {"portal_over": portal_over}
    exec(text.partition("\nrestored = ")[0], namespace)
    return namespace


@pytest.fixture
def end_revived(page: dict[str, Any]) -> Callable[..., Any]:
    """Ends what the backup revived, an hour after all that happened."""

    def ended(*storages: Any) -> Any:
        CLOCK.advance(hours=1)
        return page["end_revived"](*storages, by="ana")

    return ended


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[SQLiteStorage, SQLiteStorage, dict[str, str]]]:
    """The restored storage, the lost one with all that happened since, and the links."""
    with closing(SQLiteStorage(tmp_path / "restored.db")) as restored:
        restored.customers.save(*map(a_customer, IDS))
        portal_over(restored).settings.save(PortalConfig(enabled=True), by="ana")
        links = {}
        for one in FIRST:
            portal_over(restored).tokens.generate(one, by="ana")
            links[one] = portal_over(restored).tokens.link(one).rsplit("/", 1)[1]
        portal_over(restored).tokens.revoke("given back", by="ana")
        with closing(SQLitePlace(tmp_path / "restored.db")) as source:
            back_up(source, tmp_path / "lost.db")
        with closing(SQLiteStorage(tmp_path / "lost.db")) as lost:
            _since(lost)
            yield restored, lost, links


def _since(lost: SQLiteStorage) -> None:
    """What happens after the backup."""
    portal = portal_over(lost)
    portal.tokens.revoke("revoked", by="ben", reason="fraud")
    portal.tokens.regenerate("pruned", by="ben")
    for one in ("late", "late and good"):
        portal.tokens.generate(one, by="ben")
    portal.tokens.revoke("late", by="ben", reason="fraud")
    portal.privacy.erase("erased", by="ben")
    portal.tokens.revoke("moved", by="ben", reason="fraud")
    for old, new in NEW.items():
        lost.customers.save(a_customer(new))
        portal.privacy.move(old, new, by="ben")
        lost.customers.delete(old)
    day_ago = CLOCK.advance(days=2) - dt.timedelta(days=1)
    assert portal.privacy.prune(tokens_before=day_ago, by="ben").tokens == 1
    for one in ("replaced", "given back"):
        portal.tokens.regenerate(one, by="ben")
    lost.customers.save(a_customer("blocked", blocked=True))
    lost.customers.delete("deleted")
    assert [len(lost.tokens.history(one)) for one in ("pruned", "erased", "replaced")] == [1, 0, 2]


def opens(storage: Any, text: str) -> bool:
    """Whether a link opens."""
    try:
        portal_over(storage).open(text)
    except AccessDenied:
        return False
    return True


def test_without_it_dead_links_open(both: Any) -> None:
    """The control: what was revoked, pruned or erased opens again over the restored storage."""
    restored, lost, links = both
    assert [one for one in FIRST if opens(restored, links[one])] == FIRST[:-1]
    assert [one for one in FIRST if opens(lost, links[one])] == ["good"]


def test_nothing_that_was_dead_opens(both: Any, end_revived: Callable[..., Any]) -> None:
    """Afterwards only what was good opens, and it is said who needs a link; also when run again."""
    restored, lost, links = both
    renewed = ["given back", "late and good", "pruned", "replaced"]
    for expected in (["erased", "moved", "pruned", "renumbered", "replaced", "revoked"], []):
        ended, renew = end_revived(restored, lost)
        assert (sorted(ended), sorted(renew)) == (expected, renewed)
        assert [one for one in FIRST if opens(restored, links[one])] == ["good"]


def test_who_was_moved_is_moved_again(both: Any, end_revived: Callable[..., Any]) -> None:
    """The new id has the history of the old one, and no access where that had none."""
    restored, lost, _ = both
    end_revived(restored, lost)
    for old, new in NEW.items():
        assert (restored.tokens.get(old), restored.tokens.history(old)) == (None, [])
        ids = [token.id for token in lost.tokens.history(new)]
        assert [token.id for token in restored.tokens.history(new)] == ids
        with pytest.raises(AccessRevoked):
            portal_over(restored).tokens.ensure(new)


def test_a_portal_that_was_switched_off_stays_off(
    both: Any, end_revived: Callable[..., Any]
) -> None:
    """The settings are those of the lost storage."""
    restored, lost, links = both
    portal_over(lost).settings.save(PortalConfig(enabled=False), by="ben")
    end_revived(restored, lost)
    with pytest.raises(PortalNotAvailable):
        opens(restored, links["good"])


def test_confused_files_are_seen(both: Any, page: dict[str, Any], tmp_path: Path) -> None:
    """The two in the wrong order, or an empty one, are refused; in the right order they are not."""
    restored, lost, _ = both
    page["check_not_confused"](restored, lost)
    with closing(SQLiteStorage(tmp_path / "empty.db")) as empty:
        for wrong in ((lost, restored), (restored, empty), (empty, lost)):
            with pytest.raises(SystemExit, match="not a backup and what came after it"):
                page["check_not_confused"](*wrong)


def test_whose_access_was_revoked_is_not_given_it_again(
    both: Any, end_revived: Callable[..., Any]
) -> None:
    """A customer whose first token came and was revoked since the backup is left out."""
    restored, lost, _ = both
    end_revived(restored, lost)
    results = list(portal_over(restored).tokens.ensure_many(["late", "late and good"]))
    assert [one.why for one in results] == [Skipped.REVOKED, None]
    assert portal_over(restored).tokens.get("late") == portal_over(lost).tokens.get("late")
