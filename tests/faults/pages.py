"""Random requests to the pages: nothing that a stranger sends is a fault of ours.

What is asked, and what must hold of each answer, is in ``tests/web/fuzz.py``; each request is
made from the seed and its number, so that one can be asked again.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from ..web import fuzz
from .figures import Figure, some

SEED, COUNT = 8641, 100_000


def run(scale: int) -> list[Figure]:
    """Ask at random, in as many processes as there are processors."""
    step = fuzz.WORLD_LASTS
    last = max(COUNT // scale // step, 1) * step
    parts = [range(first, first + step) for first in range(0, last, step)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_ask, parts))
    statuses: Counter[int] = sum((one.statuses for one in found), Counter())
    problems = [problem for one in found for problem in one.problems]
    told = ", ".join(f"{status}: {statuses[status]:,}" for status in sorted(statuses))
    slowest = max(one.slowest for one in found)
    holds = not problems and max(statuses) < 500 and statuses[200] > last / 4
    return [
        Figure(
            "random requests to the pages",
            sum(one.asked for one in found),
            f"{told}; slowest {slowest * 1000:.0f} ms; {len(problems)} wrong{some(problems)}",
            holds,
        )
    ]


def _ask(numbers: range) -> fuzz.Found:
    import logging

    logging.disable()  # each refusal would be logged
    return fuzz.run(SEED, numbers)
