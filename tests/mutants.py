"""What a run of mutmut found, as a table: `nox -s mutation`. Fails where too many survive.

Killed is what a test noticed, a mutant that never ends included. Whatever else became of one, be it
that no test runs it, counts as survived.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from attrs import frozen

LEAST = 95  # percent
_FOUND = Path("mutants", "src")
_KILLED = {1, 3, 24, -24, 36, 152, 255}  # failed, broken, and the five of what took too long


@frozen
class Module:
    """What became of the mutants of one module."""

    name: str
    mutants: int
    survivors: Sequence[str]

    @property
    def percent(self) -> float:
        """How many of a hundred were killed."""
        return 100 * (1 - len(self.survivors) / self.mutants)

    def __str__(self) -> str:
        lived = len(self.survivors)
        killed = self.mutants - lived
        return f"{self.name:32} {self.mutants:8} {killed:8} {lived:8} {self.percent:8.1f}"


def modules(found: Path, chosen: Sequence[str]) -> Iterator[Module]:
    """Those that have mutants, and are chosen, by name."""
    for meta in sorted(found.rglob("*.meta")):
        name = ".".join(meta.relative_to(found).with_suffix("").with_suffix("").parts[1:])
        ends = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        if ends and (not chosen or any(fnmatch(name, one) for one in chosen)):
            yield Module(name, len(ends), [one for one, end in ends.items() if end not in _KILLED])


def main(chosen: Sequence[str]) -> int:
    """Print the table, and after it the survivors, for `mutmut show`."""
    found = list(modules(_FOUND, chosen))
    if not found:
        print("there are no mutants of", *chosen)
        return 1
    survivors = [one for module in found for one in module.survivors]
    whole = Module("all", sum(module.mutants for module in found), survivors)
    print(f"{'module':32} {'mutants':>8} {'killed':>8} {'survived':>8} {'percent':>8}")
    print(*found, whole, *survivors, sep="\n")
    return int(whole.percent < LEAST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
