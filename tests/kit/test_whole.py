"""A kit cannot be passed by leaving tests out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from basis_portal.testing import (
    FullStorageConformance,
    HostRepositoriesConformance,
    StorageConformance,
)
from basis_portal.testing.parts.settings import SettingsConformance
from basis_portal.testing.parts.tokens import TokensConformance

KITS = (StorageConformance, FullStorageConformance, HostRepositoriesConformance)
RECORD = Path(__file__).with_name("recorded_tests.txt")
A_TEST = "test_unsaved_settings_are_the_defaults"

every_kit = pytest.mark.parametrize("kit", KITS)


def names_in(kit: type) -> list[str]:
    """The names of a kit's tests."""
    return sorted(name for name in dir(kit) if name.startswith("test_"))


@pytest.mark.sampled
@every_kit
@pytest.mark.parametrize("instead", [None, lambda _: None], ids=["removed", "replaced"])
def test_no_test_can_be_replaced(kit: type, instead: Any) -> None:
    """A subclass that removes or replaces any test of a kit cannot be made."""
    for name in names_in(kit):
        with pytest.raises(TypeError, match=name):
            type("TestMine", (kit,), {name: instead})


def test_a_marked_test_is_a_replaced_one() -> None:
    """A test taken over into a subclass, as it is to mark it as skipped, is noticed."""
    taken = TokensConformance.test_a_second_current_token_is_refused
    with pytest.raises(TypeError, match=taken.__name__):
        type("TestMine", (TokensConformance,), {taken.__name__: taken})


def test_a_class_before_the_kit_cannot_replace_tests() -> None:
    """A test of another base that hides one of the kit is noticed as well."""
    other = type("Other", (), {A_TEST: None})
    with pytest.raises(TypeError, match=A_TEST):
        type("TestMine", (other, StorageConformance), {})


@every_kit
def test_a_subclass_may_add_tests(kit: type) -> None:
    """Tests and fixtures of a subclass's own are welcome, and its own subclasses change them."""
    mine = type("TestMine", (kit,), {"test_my_own": lambda _: None, "storage": None})
    changed = type("TestChanged", (mine,), {"test_my_own": None})
    assert set(names_in(changed)) == {*names_in(kit), "test_my_own"}
    changed().test_the_kit_is_whole()


def test_two_kits_are_inherited_together() -> None:
    """A storage that serves as a host's repositories too may inherit both kits at once."""
    both = type("TestBoth", (FullStorageConformance, HostRepositoriesConformance), {})
    both().test_the_kit_is_whole()


def test_a_test_taken_away_later_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that is taken out of the kit or changed behind its back makes the kit fail."""
    mine = type("TestMine", (StorageConformance,), {})
    mine().test_the_kit_is_whole()
    with monkeypatch.context() as patch:
        patch.delattr(SettingsConformance, A_TEST)
        with pytest.raises(AssertionError):
            mine().test_the_kit_is_whole()
    with monkeypatch.context() as patch:
        patch.setattr(mine, A_TEST, None, raising=False)
        with pytest.raises(AssertionError):
            mine().test_the_kit_is_whole()
    mine().test_the_kit_is_whole()


def test_the_kits_hold_what_is_on_record() -> None:
    """The kits have the tests on record: one that goes missing is seen here."""
    present = {f"{kit.__name__} {name}" for kit in KITS for name in names_in(kit)}
    assert sorted(present) == RECORD.read_text().splitlines()


@every_kit
def test_every_test_states_its_fact(kit: type) -> None:
    """Each test of a kit says in one line what must hold, for whoever sees it fail."""
    for name in names_in(kit):
        doc = getattr(kit, name).__doc__
        assert doc
        assert doc.splitlines()[0].endswith(".")
