"""What is looked at in the built files, ``nox -s package``, is seen where it is wrong."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.packaging.built import NEEDED, differences, faults_of, pythons_of

PROJECT = """\
[project]
name = "basis-portal"
version = "0.1.0"
classifiers = [
    "Programming Language :: Python :: 3 :: Only",
    "Programming Language :: Python :: 3.11",
    "Programming Language :: Python :: 3.9",
]
"""
METADATA = """\
Metadata-Version: 2.4
Name: basis-portal
Version: 0.1.0
Summary: Links
License-Expression: MIT
Requires-Python: >=3.11
Description-Content-Type: text/markdown
Requires-Dist: attrs>=23.2
Requires-Dist: psycopg[binary]>=3.1; extra == 'test'
"""
PACKAGE = [name for name in NEEDED if name.startswith("basis_portal/")]


def sources_in(folder: Path) -> Path:
    """A small project."""
    for name in ["pyproject.toml", "tests/test_it.py", *(f"src/{name}" for name in PACKAGE)]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PROJECT if name == "pyproject.toml" else name, encoding="utf-8")
    return folder


def wheel_in(folder: Path, names: list[str], metadata: str = METADATA) -> Path:
    """A wheel of these files."""
    folder.mkdir(exist_ok=True)
    with ZipFile(folder / "basis_portal-0.1.0-py3-none-any.whl", "w") as archive:
        for name in names:
            archive.writestr(name.replace("dist-info", "basis_portal-0.1.0.dist-info"), name)
        archive.writestr("basis_portal-0.1.0.dist-info/METADATA", metadata)
    return folder / "basis_portal-0.1.0-py3-none-any.whl"


def sdist_in(folder: Path, names: list[str]) -> Path:
    """A source distribution of these files."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "basis_portal-0.1.0.tar.gz", "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"basis_portal-0.1.0/{name}"), io.BytesIO())
    return folder / "basis_portal-0.1.0.tar.gz"


IN_SDIST = ["PKG-INFO", "pyproject.toml", "tests/test_it.py", *(f"src/{name}" for name in PACKAGE)]


def found(folder: Path, wheel: list[str], sdist: list[str], metadata: str = METADATA) -> list[str]:
    """What is wrong with built files of the small project."""
    root = sources_in(folder / "project")
    built = folder / "dist"
    return faults_of(wheel_in(built, wheel, metadata), sdist_in(built, sdist), root)


def test_what_is_as_it_must_be_has_no_faults(tmp_path: Path) -> None:
    """Nothing is found where both have all files, and no others."""
    assert found(tmp_path, list(NEEDED), IN_SDIST) == []


@pytest.mark.parametrize("name", NEEDED)
def test_what_the_wheel_misses_is_seen(tmp_path: Path, name: str) -> None:
    """Each file that a part cannot do without is missed."""
    names = [one for one in NEEDED if one != name]
    assert found(tmp_path, names, IN_SDIST) == [f"the wheel misses {name}"]


@pytest.mark.parametrize("name", ["tests/test_it.py", "basis_portal/portal.db", "noxfile.py"])
def test_what_does_not_belong_is_seen(tmp_path: Path, name: str) -> None:
    """What is not of the project is found in either file, and a test in the wheel."""
    said = f"the wheel has {name}, which git does not keep: add it there, or ignore it"
    assert said in found(tmp_path, [*NEEDED, name], IN_SDIST)
    said = "the sdist has notes.txt, which git does not keep: add it there, or ignore it"
    assert found(tmp_path, list(NEEDED), [*IN_SDIST, "notes.txt"]) == [said]
    said = "the sdist misses tests/test_it.py"
    assert found(tmp_path, list(NEEDED), [n for n in IN_SDIST if n[:5] != "tests"]) == [said]


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("attrs>=23.2", "attrs>=23.2,<25", "capped"),
        ("attrs>=23.2", "attrs==23.2", "capped"),
        ("attrs>=23.2", "attrs~=23.2", "capped"),
        ("attrs>=23.2", "attrs", "no lowest version"),
        ("Version: 0.1.0", "Version: 0.1.1", "the wheel is basis-portal 0.1.1"),
        ("Summary: Links\n", "", "no Summary"),
        ("Requires-Python: >=3.11\n", "", "no Requires-Python"),
    ],
)
def test_what_the_metadata_say_wrongly_is_seen(
    tmp_path: Path, was: str, now: str, said: str
) -> None:
    """A cap, a dependency without a floor, another version, a missing field."""
    wrong = found(tmp_path, list(NEEDED), IN_SDIST, METADATA.replace(was, now))
    assert said in " ".join(wrong)


def test_another_wheel_is_seen(tmp_path: Path) -> None:
    """Two wheels with other files, or with other bytes, are not the same."""
    one = wheel_in(tmp_path / "a", list(NEEDED))
    assert differences(one, wheel_in(tmp_path / "b", list(NEEDED))) == []
    other = wheel_in(tmp_path / "c", list(NEEDED[1:]), METADATA + "Author: C\n")
    names = [said.partition(" is not")[0] for said in differences(one, other)]
    assert names == [NEEDED[0], "dist-info/METADATA"]


def test_the_pythons_are_those_of_the_classifiers(tmp_path: Path) -> None:
    """The supported versions are read from the metadata, in the order of their numbers."""
    assert pythons_of(sources_in(tmp_path)) == ["3.9", "3.11"]
