"""How deep the tests go: at a desk quickly, in all their variations by `nox -s deep`.

At the usual depth a test that is made for several storages, or for several kinds of visitor, runs
for one of them; which one differs from test to test, and is always the same for a test. Hypothesis
tries a part of its examples. `nox -s deep` runs every variation and all examples.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any, TypeVar
from zlib import crc32

T = TypeVar("T")

VARIABLE = "BASIS_PORTAL_TEST_DEEP"
DEEP = os.environ.get(VARIABLE, "") not in ("", "0")
MUTATED = "MUTANT_UNDER_TEST" in os.environ
"""True where mutmut runs the tests, some thousand times: then the storage in memory will do."""
TOOK_TOO_LONG = 36
"""What mutmut takes a process to end with that had to be stopped."""
VARIATIONS = frozenset({"storage", "place", "how", "width", "javascript", "make_host"})
"""The parameters of tests of which one value will do: the others have their turn in other tests."""

_PART = 5
_FEWEST = 5
_OF_A_MUTANT = 20


def examples(deep: int) -> int:
    """How many examples, where a deep run tries so many."""
    usual = deep if DEEP else max(_FEWEST, deep // _PART)
    return min(usual, _OF_A_MUTANT) if MUTATED else usual


def storages() -> list[str]:
    """The storages for which a test of the use cases is made."""
    return ["memory"] if MUTATED else ["memory", "sqlite", "postgres"]


def label(value: object) -> str:
    r"""What a parameter is called, beginning as it does, without ``\``.

    Where tests are collected twice in one process, as mutmut does, pytest escapes it once more.
    """
    return ascii(value)[:40].replace("\\", "/")


def some(values: Sequence[T]) -> Sequence[T]:
    """All of them where a test goes deep, else every fifth."""
    return values if DEEP else values[::_PART]


def thinned(items: Sequence[Any]) -> list[Any]:
    """What is run at the usual depth, in the order of all; what that is follows from the names.

    Of the variations of a test one, of a test that is marked as sampled every fifth (or as many
    as the mark says), and nothing of what is marked as deep.
    """
    families: dict[Hashable, list[Any]] = defaultdict(list)
    for item in (one for one in items if not one.get_closest_marker("deep")):
        families[_family(item)].append(item)
    kept = {id(item) for members in families.values() for item in _some(members)}
    return [item for item in items if id(item) in kept]


def _some(members: list[Any]) -> list[Any]:
    sampled = members[0].get_closest_marker("sampled")
    step = (sampled.args or (_PART,))[0] if sampled else len(members)
    return members[crc32(members[0].nodeid.encode()) % min(step, len(members)) :: step]


def _family(item: Any) -> Hashable:
    """A test without its variations: what it is, and the parameters that matter."""
    function = item.nodeid.partition("[")[0]
    if item.get_closest_marker("sampled"):
        return str(function)
    callspec = getattr(item, "callspec", None)
    if callspec is None or item.get_closest_marker("every_variation"):
        return str(item.nodeid)
    rest = [(name, id(it)) for name, it in callspec.params.items() if name not in VARIATIONS]
    return (function, *sorted(rest))
