"""What the tests of links share."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def tells() -> Callable[[BaseException], str]:
    """Gives all that an error tells, with every error it was raised from or after."""
    return lambda error: "\n".join(_texts(error))


def _texts(error: BaseException | None) -> Iterator[str]:
    if error is None:
        return
    yield from traceback.format_exception(error)
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
    yield from _texts(error.__cause__)
    yield from _texts(error.__context__)
