"""What is public is recorded, so that a break is seen before others meet it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import unified_diff
from typing import Any, Protocol

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.docs.test_reference import PUBLIC
from tests.packaging.public_api import (
    MODULES,
    REACHED,
    RECORD,
    RELEASED,
    ROOT,
    breaks,
    latest_release,
    lines_of,
    name_of,
    public_api,
    untold,
)

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
HOW = """\
What is public is not what tests/packaging/public_api.txt says:

{differences}

{breaks}

Where this is meant: python -m tests.packaging.public_api records it, and what users notice goes
into CHANGELOG.md. docs/reference/compatibility.md says what may change when."""

API = public_api()


def difference(recorded: list[str]) -> str:
    """What is public now but not as recorded, and what of that breaks others' code."""
    found = "\n".join(unified_diff(recorded, API, "recorded", "now", lineterm="", n=0))
    broken = breaks(recorded, API)
    said = "Nothing of this breaks code that others wrote."
    if broken:
        said = "This breaks code that others wrote:\n  " + "\n  ".join(broken)
    return HOW.format(differences=found, breaks=said) if found else ""


def test_what_is_public_is_recorded() -> None:
    """All that others may rely on is as it was recorded."""
    if found := difference(RECORD.read_text(encoding="utf-8").splitlines()):
        pytest.fail(found, pytrace=False)


def test_the_difference_is_told() -> None:
    """Who changes what is public is told what breaks and how to record it; else nothing is said."""
    gone = [*API, "basis_portal.Portal.close() -> None"]
    assert "breaks code that others wrote:\n  - basis_portal.Portal.close()" in difference(gone)
    added = [line for line in API if "basis_portal.Portal.open(keyword record" not in line]
    assert "+basis_portal.Portal.open(keyword record: bool = True)" in difference(added)
    assert "Nothing of this breaks code" in difference(added)
    assert "python -m tests.packaging.public_api" in difference(added)
    assert difference(API) == ""


def test_a_break_since_the_last_release_is_in_the_changelog() -> None:
    """Each break is named under Unreleased; and the record is that of the last release."""
    version = latest_release(CHANGELOG)
    released = RELEASED.read_text(encoding="utf-8").splitlines() if version else ["# none"]
    assert RELEASED.exists() == (version is not None)
    assert released[0] == (f"# What was public in {version}" if version else "# none")
    assert untold(breaks(released[1:], API), CHANGELOG) == []


def test_all_that_the_reference_names_is_recorded() -> None:
    """The record and the reference speak of the same names."""
    names = {name_of(line).removeprefix(module) for line in API for module in MODULES}
    recorded = {name.strip(".").partition(".")[0] for name in names}
    assert set(PUBLIC) - recorded == set()
    known = {*PUBLIC, "ddl", "DocumentKey", *(name for _, name in REACHED)}
    helpers = ("basis_portal.testing.builders.", "basis_portal.testing.strategies.")
    unknown = {
        name_of(line)
        for line in API
        if line[0] != "$" and not line.startswith(helpers)
        if not {*name_of(line).split(".")} & known
    }
    assert unknown == set()


class Before:
    """How it was."""

    LIMIT: int = 3

    def find(self, text: str, limit: int = 50, *, by: str | None = None) -> list[str]:
        """Some method."""
        return []

    @property
    def size(self) -> int:
        """Some property."""
        return 0


class Removed:
    """Without a method."""

    LIMIT: int = 3

    @property
    def size(self) -> int:
        """Some property."""
        return 0


@attrs.define
class Values:
    """How fields were."""

    id: str
    name: str = ""


@attrs.define
class SwappedValues:
    """In another order."""

    name: str
    id: str = ""


@attrs.define
class LongerValues:
    """One more that is needed."""

    id: str
    name: str = ""
    number: int = attrs.field(kw_only=True)


@attrs.define
class OptionalValues:
    """One more that is not."""

    id: str
    name: str = ""
    number: int | None = None


class Owed(Protocol):
    """What others implement."""

    def get(self, id: str) -> str | None:
        """Some method."""


class OwedMore(Protocol):
    """What others would have to implement."""

    def get(self, id: str) -> str | None:
        """Some method."""

    def put(self, id: str) -> None:
        """Another one."""


def changed(before: Any, now: Any) -> list[str]:
    """The breaks between two of the same name."""
    return breaks(lines_of("x", before), lines_of("x", now))


def before(text: str, limit: int = 50, *, by: str | None = None) -> list[str]:
    """How a function was."""
    return []


@pytest.mark.parametrize(
    ("now", "broken"),
    [
        (lambda words, limit=50, *, by=None: [], "- x(1 text: str, required)"),
        (lambda text, limit=20, *, by=None: [], "- x(2 limit: int = 50)"),
        (lambda text, limit, *, by=None: [], "- x(2 limit: int = 50)"),
        (lambda text, *, limit=50, by=None: [], "- x(2 limit: int = 50)"),
        (lambda text, /, limit=50, *, by=None: [], "- x(1 text: str, required)"),
        (lambda text, limit=50, *, by: [], "- x(keyword by: str | None = None)"),
        (lambda text, limit=50: [], "- x(keyword by: str | None = None)"),
        (lambda text, limit=50, *, by=None, year: [], "+ x(keyword year: ..., required)"),
        (lambda limit=50, text="", *, by=None: [], "- x(1 text: str, required)"),
    ],
    ids=(
        "renamed",
        "default",
        "required",
        "keyword",
        "position",
        "needed",
        "gone",
        "added",
        "moved",
    ),
)
def test_a_changed_call_is_a_break(now: Callable[..., Any], broken: str) -> None:
    """A renamed, removed, moved, keyword-only or newly required argument, or another default."""
    annotated = {**now.__annotations__, **before.__annotations__}
    now.__annotations__ = {n: a for n, a in annotated.items() if n in {*parameters(now), "return"}}
    assert broken in changed(before, now)


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names of the arguments of a function."""
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("was", "now", "broken"),
    [
        (Before, Removed, "- x.find() -> list[str]"),
        (Values, SwappedValues, "- x(1 id: str, required)"),
        (Values, LongerValues, "+ x(keyword number: int, required)"),
        (Owed, OwedMore, "+ x.put() -> None, to be given"),
        (KeyError, ValueError, "- x: is a LookupError"),
        (Before, before, "- x: class"),
    ],
    ids=("method", "order", "field", "protocol", "base", "kind"),
)
def test_a_changed_class_is_a_break(was: Any, now: Any, broken: str) -> None:
    """A method that goes, fields that move, one more that is needed, or that others must write."""
    assert broken in changed(was, now)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (Values, OptionalValues),
        (Removed, Before),
        (OwedMore, OwedMore),
        (before, before),
    ],
    ids=("field", "method", "protocol", "function"),
)
def test_an_addition_is_no_break(was: Any, now: Any) -> None:
    """What is there in addition breaks nothing; nor does what stays as it is."""
    assert changed(was, now) == []


def test_commands_break_too() -> None:
    """An option that goes and an argument that is needed are breaks, a new option is none."""
    old = ["$ basis-portal copy", "$ basis-portal copy [--from FILE]"]
    assert breaks(old, old[:1]) == ["- $ basis-portal copy [--from FILE]"]
    needed = "$ basis-portal copy FILE, required"
    assert breaks(old, [*old, needed]) == [f"+ {needed}"]
    assert breaks(old, [*old, "$ basis-portal copy [--tenant NAME]"]) == []
    assert breaks(old, [*old, "$ basis-portal move", "$ basis-portal move FILE, required"]) == []


KINDS = st.sampled_from(list(inspect._ParameterKind))
PARAMETERS = st.builds(
    inspect.Parameter,
    st.sampled_from("abc"),
    KINDS.filter(lambda kind: not kind.name.startswith("VAR")),
    default=st.sampled_from([inspect.Parameter.empty, 1, 2]),
)


@st.composite
def functions(draw: st.DrawFn) -> Any:
    """A function with up to three arguments of any kind."""
    found = draw(st.lists(PARAMETERS, max_size=3, unique_by=lambda one: one.name))
    found.sort(key=lambda one: (one.kind, one.default is not one.empty))
    positional = [one for one in found if one.kind != one.KEYWORD_ONLY]
    defaults = [one.default is not one.empty for one in positional]
    if defaults != sorted(defaults):
        found = [one.replace(default=1) for one in found]

    def function() -> None:
        """Some function."""

    function.__signature__ = inspect.Signature(found)  # type: ignore[attr-defined]
    return function


CALLS = [
    (range(many), {name: name for name in names})
    for many in range(4)
    for names in ("", "a", "b", "c", "ab", "ac", "bc", "abc")
]


@given(was=functions(), now=functions())
def test_where_no_break_is_seen_every_call_goes_on_as_it_did(was: Any, now: Any) -> None:
    """Without a break all calls that were possible still are, and give each argument the same."""
    if changed(was, now):
        return
    old, new = inspect.signature(was), inspect.signature(now)
    for args, kwargs in CALLS:
        try:
            bound = old.bind(*args, **kwargs)
        except TypeError:
            continue
        still = new.bind(*args, **kwargs)
        bound.apply_defaults()
        still.apply_defaults()
        assert bound.arguments.items() <= still.arguments.items()


def test_a_break_is_told_by_its_name() -> None:
    """A break whose name stands as code under Unreleased is told; elsewhere it is not."""
    broken = ["- basis_portal.Portal.close() -> None", "- $ basis-portal copy [--from FILE]"]
    told = "## [Unreleased]\n- `Portal.close` is gone.\n- `basis-portal copy` reads\n## [0.1.0]\n"
    assert untold(broken, told) == []
    assert untold(broken, told.replace("`", "")) == broken
    assert untold(broken, "## [Unreleased]\n## [0.1.0]\n" + told[16:]) == broken


def test_the_latest_release_is_found() -> None:
    """The first version with a number is the latest release; Unreleased is none."""
    assert latest_release("# Changelog\n\n## [Unreleased]\n") is None
    text = "## [Unreleased]\n\n## [0.2.0] - 2027-01-02\n\n## [0.1.0]\n"
    assert latest_release(text) == "0.2.0"
