"""The command `basis-portal`: its options, its exit status, and any terminal it may meet."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from basis_portal.cli import main

COMMAND = "import sys; from basis_portal.cli import main; sys.exit(main())"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command makes its temporary folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", COMMAND, *arguments]
    given = {"capture_output": True, "encoding": "utf-8", "timeout": 100}
    return subprocess.run(command, check=False, **{**given, **more})


def test_the_demo_prints_and_ends(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--no-serve`` the demo prints, ends with 0, and leaves no file."""
    assert main(["demo", "--no-serve"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith("Basis Portal demo: Nordlicht Kaffee GmbH, 8 invented customers.")
    assert "\nCustomer portal for Kopi Nusantara\n" in printed.out
    assert "\n  Access denied\n" in printed.out
    assert printed.out.splitlines()[-1].startswith("Ended. Temporary data removed.")
    assert list(temporary.iterdir()) == []


def test_the_demo_without_a_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no temporary folder can be made one line says so, and the status is 1."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    assert main(["demo"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("basis-portal: ")
    assert str(tmp_path / "absent") in printed.err
    assert printed.err.count("\n") == 1


def test_the_demo_with_a_file_that_cannot_be_used(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the storage says of its file is one line, the status is 1, and no file is left."""
    blocked = temporary / "blocked"
    (blocked / "portal.db").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *_: str(blocked))
    assert main(["demo"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("basis-portal: ")
    assert printed.err.count("\n") == 1
    assert list(temporary.iterdir()) == []


def test_an_interrupted_demo_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl+C ends the demo with status 130, without a traceback and without a file."""

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("basis_portal.storage.sqlite.SQLiteStorage", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr() == ("", "Ended.\n")
    assert list(temporary.iterdir()) == []


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints the installed version."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"basis-portal {version('basis-portal')}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"]])
def test_help_tells_of_the_demo(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """``--help`` names the command and what it does."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert "demo" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["demos"], ["demo", "--serve"], ["demo", "more"]])
def test_wrong_usage_has_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """No command, an unknown one, an unknown option: usage on standard error, status 2."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("usage: basis-portal")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_the_demo_prints_to_any_terminal(encoding: str) -> None:
    """A terminal without UTF-8 gets question marks; without a terminal there is no colour."""
    ended = _run(
        "demo", "--no-serve", env={"PYTHONIOENCODING": encoding, "LANG": "C"}, encoding=encoding
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    mueller = "M?ller & S?hne" if encoding == "ascii" else "Müller & Söhne"
    athens = "Καφές Αθηνών" if encoding == "utf-8" else "????? ??????"
    assert mueller in ended.stdout
    assert athens in ended.stdout
    assert "\x1b" not in ended.stdout


def test_the_demo_in_the_plain_c_locale() -> None:
    """Where Python takes the C locale for ASCII the demo prints all the same."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = _run("demo", "--no-serve", env=plain)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "M?ller & S?hne" in ended.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    """Where nobody reads the output any more the command ends in silence."""
    command = [sys.executable, "-c", COMMAND, "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(100) == 0


def test_the_command_looks_nothing_up_before_it_must() -> None:
    """The version, the storage and the demo are imported only where they are asked for."""
    heavy = [
        "importlib.metadata",
        "sqlite3",
        "flask",
        "basis_portal.demo.tour",
        "basis_portal.testing",
    ]
    code = f"import sys, basis_portal.cli; print([n for n in {heavy} if n in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ended.stdout.strip() == b"[]"
