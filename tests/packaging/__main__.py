"""Build wheel and source distribution once, and try the wheel as others install it.

    python -m tests.packaging package [REQUIREMENT ...]    # nox -s package
    python -m tests.packaging pythons [ARGUMENT ...]       # nox -s pythons

The requirements are those of the lowest versions. The arguments are for pytest. Each environment is
new. What is tried runs in a folder that has the tests, but no ``src``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.built import differences, faults_of, pythons_of

ROOT = Path(__file__).parents[2]
EXTRAS = ("", "web", "i18n", "mail", "pdf", "demo", "postgres", "testing")
USED = ("demo", "postgres", "testing")
"""What an application has that uses all of it."""
CHOSEN = (
    "tests/access/test_capabilities.py",
    "tests/domain/test_statement.py",
    "tests/export/test_csv.py",
    "tests/i18n/test_formats.py",
    "tests/links/test_signing.py",
    "tests/packaging/test_public_api.py",
    "tests/storage/test_sqlite.py",
    "tests/web/test_overview.py",
)
"""The tests that a version of Python or of a dependency is most likely to break."""
COPIED = (
    "tests",
    "docs",
    "examples",
    "noxfile.py",
    "pyproject.toml",
    ".ci",
    ".gitignore",
    "LICENSE",
)


class Failure(Exception):
    """What was tried does not hold."""


@dataclass(frozen=True)
class Trial:
    """A new environment, and what is run in it."""

    name: str
    python: str
    requirements: Sequence[str]
    commands: Sequence[Sequence[str]]

    def run(self, folder: Path, tree: Path) -> None:
        """Make the environment in a folder and run the commands in the tree."""
        begun = time.perf_counter()
        place = folder / self.name.replace(" ", "-").replace(",", "-")
        call([self.python, "-m", "venv", "--without-pip", str(place)], tree)
        python = str(place / ("Scripts" if os.name == "nt" else "bin") / "python")
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        call([*pip, "--no-compile", *self.requirements], tree)
        said = "\n".join(call([python, *command], tree) for command in self.commands)
        took = time.perf_counter() - begun
        lines = [line for line in said.splitlines() if line and not line.endswith("%]")]
        print(f"--- {self.name}: {took:.0f} s", *lines, sep="\n", flush=True)


def call(line: Sequence[str], folder: Path) -> str:
    """Run a program in a folder; what it printed, or `Failure`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(line, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(line)}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder: Path) -> Path:
    """Build both into a folder and look at them; the wheel, made of the source distribution."""
    line = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    said = call([*line, str(folder), str(ROOT)], folder)
    call([*line, str(folder / "again"), "--wheel", str(ROOT)], folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    (again,) = folder.glob("again/*.whl")
    warned = [line for line in said.splitlines() if "warn" in line.lower()]
    found = [*warned, *faults_of(wheel, sdist, ROOT), *differences(wheel, again)]
    if found:
        raise Failure("\n".join(found))
    print(
        call([sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)], folder)
    )
    return wheel


def tree_without_sources(folder: Path) -> Path:
    """A copy of what the tests need, without the package."""
    for path in (*(ROOT / name for name in COPIED), *ROOT.glob("*.md")):
        if path.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", ".hypothesis")
            shutil.copytree(path, folder / path.name, ignore=unwanted)
        elif path.exists():
            shutil.copy(path, folder)
    return folder


def interpreters() -> dict[str, str]:
    """The supported Pythons that are here, by version; what is missing is told."""
    found = {version: interpreter(version) for version in pythons_of(ROOT)}
    for version in (version for version, path in found.items() if not path):
        print(f"*** Python {version} is not here, so it is not tried")
    return {version: path for version, path in found.items() if path}


def interpreter(version: str) -> str | None:
    """Where a Python is: this one, one on the path, one beside this one, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    places = [sys.executable, shutil.which(f"python{version}") or ""]
    for folder in (Path(sys.base_prefix).parent, pyenv):
        places += [str(path) for path in sorted(folder.glob(f"{version}.*/bin/python"))]
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    for path in filter(None, places):
        done = subprocess.run([path, "-c", asked], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return path
    return None


def package_trials(wheel: Path, lowest: Sequence[str]) -> list[Trial]:
    """Each extra alone, then the chosen tests on each Python and on the lowest versions."""
    pythons, promises = interpreters(), ["-I", "tests/packaging/promises.py", "examples"]
    used = [f"{wheel}[{','.join(USED)}]", "psycopg[binary]"]
    tests = ["-m", "pytest", "-q", "-k", "not postgres", *CHOSEN]  # a server is not here
    first = next(iter(pythons))
    return [
        *(
            Trial(
                f"extra {extra}" if extra else "bare",
                sys.executable,
                [of(wheel, extra)],
                [[*promises, *filter(None, [extra])]],
            )
            for extra in EXTRAS
        ),
        *(Trial(f"Python {one}", path, used, [tests]) for one, path in pythons.items()),
        Trial("lowest versions", pythons[first], [*used, *lowest], [[*promises, *USED], tests]),
    ]


def of(wheel: Path, extra: str) -> str:
    """The requirement of a wheel with an extra, or without."""
    return f"{wheel}[{extra}]" if extra else str(wheel)


def pythons_trials(wheel: Path, arguments: Sequence[str]) -> list[Trial]:
    """The whole of the tests on each Python."""
    tests = ["-m", "pytest", "-q", "-n", "logical", "--dist", "worksteal", *arguments]
    return [
        Trial(f"Python {version}", path, [of(wheel, "test")], [tests])
        for version, path in interpreters().items()
    ]


MODES: dict[str, tuple[Callable[[Path, Sequence[str]], list[Trial]], int | None]] = {
    "package": (package_trials, os.cpu_count()),
    "pythons": (pythons_trials, 1),
}
"""What is tried, and how many at once: the whole of the tests takes all cores by itself."""


def main(arguments: list[str]) -> None:
    """Build, try, and end with status 1 where something does not hold."""
    trials_of, at_once = MODES[arguments[0]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("dist", "tree", "places"):
            (folder / name).mkdir()
        tree = tree_without_sources(folder / "tree")
        try:
            trials = trials_of(build(folder / "dist"), arguments[1:])
            with ThreadPoolExecutor(at_once) as pool:
                runs = [pool.submit(trial.run, folder / "places", tree) for trial in trials]
            failures = [str(error) for run in runs if (error := run.exception())]
        except Failure as failure:
            failures = [str(failure)]
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main(sys.argv[1:])
