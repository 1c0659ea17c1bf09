"""What is left out at the usual depth: variations alone, and never a whole test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.depth import VARIATIONS, thinned

NAMES = st.sampled_from([*sorted(VARIATIONS), "days", "wrong"])
PARAMETERS = st.dictionaries(
    NAMES, st.lists(st.integers(0, 5), min_size=1, unique=True), max_size=3
)


def an_item(function: str, params: dict[str, int], marks: dict[str, tuple[int, ...]]) -> Any:
    """As pytest collects a test; its marks are given with their arguments."""
    shown = "-".join(map(str, params.values()))
    return SimpleNamespace(
        nodeid=f"tests/test_it.py::{function}" + (f"[{shown}]" if params else ""),
        callspec=SimpleNamespace(params=params),
        get_closest_marker=lambda name: (
            SimpleNamespace(args=marks[name]) if name in marks else None
        ),
    )


def items_of(
    function: str, parameters: dict[str, list[int]], **marks: tuple[int, ...]
) -> list[Any]:
    """A test with all that it is parametrized by."""
    found: list[dict[str, int]] = [{}]
    for name, values in parameters.items():
        found = [{**one, name: value} for one in found for value in values]
    return [an_item(function, params, marks) for params in found]


@given(parameters=PARAMETERS)
def test_of_each_test_one_variation_is_run(parameters: dict[str, list[int]]) -> None:
    """All that matters about a test is tried, each once, whatever varies beside it."""
    items = items_of("test_it", parameters)
    kept = [
        tuple((name, it) for name, it in item.callspec.params.items() if name not in VARIATIONS)
        for item in thinned(items)
    ]
    assert len(set(kept)) == len(kept)
    count = 1
    for name, values in parameters.items():
        count *= 1 if name in VARIATIONS else len(values)
    assert len(kept) == count


@given(parameters=PARAMETERS)
def test_marks_say_otherwise(parameters: dict[str, list[int]]) -> None:
    """Every variation, a fifth of all and at least one, or none."""
    items = items_of("test_it", parameters, every_variation=())
    assert thinned(items) == items
    sampled = thinned(items_of("test_it", parameters, sampled=()))
    assert len(items) // 5 <= len(sampled) <= len(items) // 5 + 1
    assert sampled
    tenth = thinned(items_of("test_it", parameters, sampled=(10,)))
    assert len(items) // 10 <= len(tenth) <= len(items) // 10 + 1
    assert tenth
    assert thinned(items_of("test_it", parameters, deep=())) == []


def test_what_is_run_is_the_same_each_time_and_varies_from_test_to_test() -> None:
    """Each storage has its turn, and a failure is met again."""
    items = [one for i in range(60) for one in items_of(f"test_{i}", {"storage": [0, 1, 2]})]
    kept = thinned(items)
    assert kept == thinned(items)
    assert [item.callspec.params["storage"] for item in kept].count(0) in range(8, 33)
    assert {item.callspec.params["storage"] for item in kept} == {0, 1, 2}
