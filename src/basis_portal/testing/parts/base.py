"""What all parts of the kits share."""

from __future__ import annotations

import inspect
import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")
K = TypeVar("K")

# The storage of a test lives as long as the test, so its examples share it: each writes
# under ids of its own. One test runs under several classes, one for each storage. A profile that
# asks for fewer examples gets fewer.
EXAMPLES = settings(
    max_examples=min(75, settings().max_examples),
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)

LIMITS = (1, 2, 3, 7, 1000)
"""Page lengths to try: one by one, uneven ones, and all at once."""

RISING_IDS = ("", "A", "Z", "a", "a/", "aa", "z", "~", "é", "北", "\uff5e", "😀")
"""Ids in the order of their code points: no locale and no UTF-16 orders them so."""

SIMILAR_IDS = ("C-1", "c-1", "C-1 ", " C-1", "C-1/", "C_1", "C-%", "C-1é", "C-1e\u0301")
"""Ids of different customers that a pattern, a collation or a trim would take for one."""

ABSENT_IDS = ("absent", "", " ", "%", "NUL\0", "C-1\0", "\ud800", "x" * 10_000)
"""Texts that are no id of anything stored, some of which could never be."""

SECONDS_TO_WAIT = 30.0

_numbers = itertools.count(1)
_PACKAGE = __name__.split(".parts")[0] + "."


class Kit:
    """The base of each kit: none of its tests can be removed or replaced by a subclass.

    Raises:
        TypeError: a subclass defines a test that the kit has already.
    """

    kit_tests: ClassVar[dict[str, object]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith(_PACKAGE):
            cls.kit_tests = _tests_in(cls)
        if changed := _changed_tests(cls):
            raise TypeError(f"{cls.__name__} must not replace tests of the kit: {changed}")

    def test_the_kit_is_whole(self) -> None:
        """Every test of the kit is there as it was shipped."""
        assert not _changed_tests(type(self))


Kit.kit_tests = {"test_the_kit_is_whole": Kit.test_the_kit_is_whole}


def _tests_in(cls: type) -> dict[str, object]:
    return {name: found for name, found in vars(cls).items() if name.startswith("test_")}


def _changed_tests(cls: type) -> list[str]:
    """The kit's tests that ``cls`` has not, or has from more than one place."""
    shipped = [(name, test) for base in cls.__mro__ for name, test in _recorded(base).items()]
    return sorted(
        {
            name
            for name, test in shipped
            if inspect.getattr_static(cls, name, None) is not test
            or sum(name in vars(base) for base in cls.__mro__) != 1
        }
    )


def _recorded(cls: type) -> dict[str, object]:
    found: dict[str, object] = vars(cls).get("kit_tests", {})
    return found


def a_new_id(text: str = "id") -> str:
    """An id that no earlier call has given, ending in ``text`` as far as there is room."""
    return f"{next(_numbers)}:{text}"[:255]


def a_new_token_id() -> str:
    """A token id that no earlier call has given."""
    return f"kit{next(_numbers):019d}"


def walk(
    fetch: Callable[[K | None, int], Sequence[T]], key: Callable[[T], K], limit: int
) -> list[T]:
    """All items of a paged list, page by page, checked to be pages of at most ``limit``.

    A page that is shorter than it may be is the last one.
    """
    items: list[T] = []
    seen: set[K] = set()
    after: K | None = None
    while True:
        page = list(fetch(after, limit))
        keys = [key(item) for item in page]
        assert len(page) <= limit
        assert not seen.intersection(keys), "an item came twice"
        assert len(set(keys)) == len(keys), "an item came twice in a page"
        items += page
        if len(page) < limit:
            return items
        seen.update(keys)
        after = keys[-1]


def in_thread(work: Callable[[], T]) -> T:
    """What ``work`` returns on a thread of its own; its error is raised here."""
    return in_threads([work])[0]


def in_threads(works: Sequence[Callable[[], T]]) -> list[T]:
    """What each of ``works`` returns, all started at once on threads of their own."""
    started = [Running(work) for work in works]
    return [running.result() for running in started]


class Running:
    """Work on a thread of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # handed to the thread that asks for the result
            self._error = error

    def ends_within(self, seconds: float) -> bool:
        """Wait up to so many seconds, and say whether the work has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> Any:
        """What the work returned; its error is raised here."""
        assert self.ends_within(SECONDS_TO_WAIT), "a thread waits for ever"
        if self._error is not None:
            raise self._error
        return self._result


@contextmanager
def hurried_threads() -> Iterator[None]:
    """Threads take turns so often that a missing lock shows within a few rounds."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
