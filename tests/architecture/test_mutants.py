"""What `nox -s mutation` counts: only what a test noticed is killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.mutants import LEAST, Module, main, modules


def write(folder: Path, module: str, ends: dict[str, int | None]) -> None:
    """As mutmut leaves what it found of a module."""
    meta = folder / "basis_portal" / f"{module}.py.meta"
    meta.parent.mkdir(parents=True, exist_ok=True)
    meta.write_text(json.dumps({"exit_code_by_key": ends}))


def test_only_what_a_test_noticed_is_killed(tmp_path: Path) -> None:
    """A failing test and one that never ends kill; no test, a crash and no answer do not."""
    killed: dict[str, int | None] = {"failed": 1, "broken": 3, "endless": 36, "stopped": -24}
    lived = {"passed": 0, "none": 33, "no test": 5, "skipped": 34, "crashed": -11, "asked": None}
    write(tmp_path, "domain/aging", killed | lived)
    write(tmp_path, "tokens", killed)
    write(tmp_path, "clock", {})
    assert list(modules(tmp_path, [])) == [
        Module("domain.aging", 10, list(lived)),
        Module("tokens", 4, []),
    ]
    assert [one.name for one in modules(tmp_path, ["domain.*"])] == ["domain.aging"]


@pytest.mark.parametrize(("lived", "status"), [(5, 0), (6, 1)])
def test_a_run_fails_where_too_many_survive(
    lived: int,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Over all modules that were tried, and each survivor is named."""
    monkeypatch.chdir(tmp_path)
    write(Path("mutants", "src"), "tokens", {f"m{i}": int(i >= lived) for i in range(60)})
    write(Path("mutants", "src"), "links", {f"k{i}": 1 for i in range(40)})
    assert LEAST == 95
    assert main([]) == status
    shown = capsys.readouterr().out.split("\n")
    assert shown[3].split() == ["all", "100", str(100 - lived), str(lived), f"{100 - lived:.1f}"]
    assert shown[4:-1] == [f"m{i}" for i in range(lived)]


def test_nothing_tried_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt module is not all killed."""
    monkeypatch.chdir(tmp_path)
    assert main(["tokns"]) == 1
    assert "no mutants" in capsys.readouterr().out
