"""What is wrong with a wheel and a source distribution: what lies in them, and what they say."""

from __future__ import annotations

import email
import hashlib
import re
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

PACKAGE = "src/basis_portal/"
NEEDED = (
    "basis_portal/py.typed",
    "basis_portal/export/fonts/DejaVuSans.ttf",
    "basis_portal/export/fonts/LICENSE",
    "basis_portal/i18n/locales/de/LC_MESSAGES/basis_portal.mo",
    "basis_portal/mail/templates/link.txt",
    "basis_portal/web/static/portal.css",
    "basis_portal/web/templates/theme.html",
    "dist-info/entry_points.txt",
    "dist-info/licenses/LICENSE",
    "dist-info/licenses/src/basis_portal/export/fonts/LICENSE",
)
"""One file of each kind that a part of the library cannot do without."""


def faults_of(wheel: Path, sdist: Path, root: Path) -> list[str]:
    """All that is wrong, one sentence each. ``root`` is the folder that they were built from."""
    sources = files_of(root)
    told = metadata_of(wheel)
    return [
        *_faults_of_wheel(set(contents(wheel)), sources),
        *_faults_of_sdist({name.partition("/")[2] for name in _members(sdist)}, sources),
        *_faults_of_metadata(told, project_of(root)),
    ]


def files_of(root: Path) -> set[str]:
    """The files that belong to the project: those that git keeps, or without git all of them."""
    if (root / ".git").exists():
        line = ["git", "-C", str(root), "ls-files", "-z"]
        kept = subprocess.run(line, capture_output=True, text=True, check=True).stdout
        return {name for name in kept.split("\0") if (root / name).is_file()}
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return {name for name in found if "__pycache__" not in name}


def contents(wheel: Path) -> dict[str, str]:
    """What lies in a wheel, by name without the version: a digest of each file."""
    with ZipFile(wheel) as archive:
        return {
            re.sub(r"^[^/]*(?=dist-info/)", "", name): hashlib.sha256(
                archive.read(name)
            ).hexdigest()
            for name in archive.namelist()
        }


def differences(wheel: Path, other: Path) -> list[str]:
    """The files that two wheels do not have in common, byte by byte."""
    pairs = contents(wheel).items() ^ contents(other).items()
    return sorted({f"{name} is not the same in the wheel of the sources" for name, _ in pairs})


def metadata_of(wheel: Path) -> Message:
    """What a wheel says of itself."""
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def project_of(root: Path) -> dict[str, object]:
    """The table ``project`` of ``pyproject.toml``."""
    found: dict[str, object] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    return found


def pythons_of(root: Path) -> list[str]:
    """The supported versions of Python, such as ``3.11``: those that the project classifies."""
    classified = re.findall(r"Python :: (3\.\d+)", str(project_of(root)["classifiers"]))
    return sorted(classified, key=lambda version: int(version.partition(".")[2]))


def _members(sdist: Path) -> list[str]:
    with tarfile.open(sdist) as archive:
        return [member.name for member in archive.getmembers() if member.isfile()]


def _faults_of_wheel(names: set[str], sources: set[str]) -> Iterator[str]:
    ours = {name.removeprefix("src/") for name in sources if name.startswith(PACKAGE)}
    kept = {name for name in names if not name.startswith("dist-info/")}
    yield from (f"the wheel misses {name}" for name in sorted({*ours, *NEEDED} - names))
    yield from (
        f"the wheel has {name}, which git does not keep: add it there, or ignore it"
        for name in sorted(kept - ours)
    )


def _faults_of_sdist(names: set[str], sources: set[str]) -> Iterator[str]:
    needed = {name for name in sources if not name.startswith(".")}
    known = {*sources, "PKG-INFO"}
    yield from (f"the sdist misses {name}" for name in sorted(needed - names))
    yield from (
        f"the sdist has {name}, which git does not keep: add it there, or ignore it"
        for name in sorted(names - known)
    )


def _faults_of_metadata(told: Message, project: dict[str, object]) -> Iterator[str]:
    for need in told.get_all("Requires-Dist", []):
        wanted = need.partition(";")[0]
        if re.search(r"[<=~!]=|<", wanted.replace(">=", "")):
            yield f"{wanted} is capped, which keeps hosts from what they need"
        if ">=" not in wanted:
            yield f"{wanted} has no lowest version"
    if told["Version"] != project["version"] or told["Name"] != project["name"]:
        yield f"the wheel is {told['Name']} {told['Version']}"
    for field in ("Summary", "License-Expression", "Requires-Python", "Description-Content-Type"):
        if not told[field]:
            yield f"the metadata have no {field}"
