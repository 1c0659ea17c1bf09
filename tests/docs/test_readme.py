"""What stands at the top of the README is what is run, and what it shows is what is printed."""

from __future__ import annotations

import re
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path

import pytest

from basis_portal.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PREPARE = "python3 -m venv .venv && .venv/bin/pip install"
COMMANDS = [
    f'{PREPARE} -e ".[demo]" && .venv/bin/basis-portal demo\n',
    f"{PREPARE} nox && .venv/bin/nox\n",
]


def test_the_two_commands_stand_at_the_top() -> None:
    """A newcomer finds two commands of one line each before the first heading but the title."""
    top = README.partition("\n## ")[0]
    assert re.findall(r"^```\w*\n(.*?)^```$", top, re.MULTILINE | re.DOTALL) == COMMANDS


def test_continuous_integration_runs_the_two_commands() -> None:
    """What must hold before a change lands is what a newcomer runs, to the letter."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert set(COMMANDS) <= {f"{line.strip()}\n" for line in lines}


def test_the_sessions_are_those_that_are_named() -> None:
    """Each session of nox is explained to contributors, and no other is named."""
    sessions = re.findall(r"@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text("utf-8"))
    named = re.findall(
        r"^\| `nox -s (\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M
    )
    assert sorted(named) == sorted(sessions)
    assert sessions


def test_the_demo_prints_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The part of the demo that the README shows is printed so, whatever the day is."""
    assert main(["demo", "--no-serve"]) == 0
    printed, shown = capsys.readouterr().out, CONSOLE[-1]
    around = f"...\n{shown}...\n"
    assert OutputChecker().check_output(around, printed, ELLIPSIS)
    assert not OutputChecker().check_output(around.replace("INV-1042", "INV-1"), printed, ELLIPSIS)


def test_the_reference_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command and option that the help shows stands in the reference."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    due: list[list[str]] = [[]]
    for command in due:
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        shown = capsys.readouterr().out
        _, _, verbs = shown.partition("\n  COMMAND\n")
        names = re.findall(r"^    ([a-z][a-z-]*)(?:  |$)", verbs, re.MULTILINE)
        due += [[*command, name] for name in names]
        for option in re.findall(r"(?<!\w)--?[a-z][a-z-]*", shown):
            assert re.search(f"`{option}[` ]", page)
        assert re.search(f"`{' '.join(['basis-portal', *command])}[` ]", page)
    assert ["demo"] in due
    assert ["prune"] in due
