"""Who may import whom, and how light the package is to import."""

import ast
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

import basis_portal

ROOT = Path(basis_portal.__file__).parent
USE_CASES = {
    "context",
    "events",
    "admission",
    "visible",
    "account",
    "access",
    "mailing",
    "notices",
    "outgoing",
    "tokens",
    "settings",
    "inbox",
    "privacy",
    "audit_trail",
    "monitoring",
}
BASE = {"errors", "clock", "links", "pasted_links", "domain", "repositories"}
MAY_IMPORT = {
    "errors": set(),
    "clock": set(),
    "domain": {"errors"},
    "links": {"errors"},
    "pasted_links": set(),
    "repositories": {"domain", "errors"},
    **dict.fromkeys(USE_CASES, BASE | USE_CASES),
    "portal": BASE | USE_CASES,
    "storage": {"repositories", "domain", "errors"},
    "i18n": {"domain", "errors"},
    "export": {"domain", "errors", "i18n"},
    "mail": {"portal", "export", "i18n", "domain", "errors"},
    "web": {"portal", "export", "i18n", "domain", "errors"},
    "testing": BASE | USE_CASES | {"portal"},
}
APPLICATIONS = {"cli", "configuration", "operate", "demo", "__init__"}
HEAVY = ["flask", "sqlite3", "psycopg", "babel", "jinja2", "smtplib", "email", "importlib.metadata"]


def part_of(path: Path) -> str:
    """The part of the package that a file belongs to: ``domain``, ``tokens``, ``storage``."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_parts(source: str, package: tuple[str, ...]) -> set[str]:
    """The parts of our package that a module imports, wherever in its text; "" is the root."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            names = [above + module]
            if above + module == ("basis_portal",):
                names = [("basis_portal", alias.name) for alias in node.names]
        else:
            continue
        found |= {
            name[1] if len(name) > 1 else "" for name in names if name[:1] == ("basis_portal",)
        }
    return found


def wrong_imports(path: Path, source: str) -> set[str]:
    """What a file imports of ours that it may not."""
    part = part_of(path)
    if part in APPLICATIONS:
        return set()
    package = ("basis_portal", *path.relative_to(ROOT).parts[:-1])
    return imported_parts(source, package) - MAY_IMPORT[part] - {part}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_table(path: Path) -> None:
    """No module imports a part that the table does not allow it, nor the package root."""
    assert wrong_imports(path, path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("file", "source", "wrong"),
    [
        ("domain/money.py", "from ..links import LinkSigner", {"links"}),
        (
            "domain/money.py",
            "def f():\n    from ..storage.memory import InMemoryStorage",
            {"storage"},
        ),
        ("domain/money.py", "import basis_portal", {""}),
        ("domain/money.py", "from basis_portal import Portal", {"Portal"}),
        ("tokens.py", "from .portal import Portal", {"portal"}),
        ("tokens.py", "from . import storage", {"storage"}),
        ("storage/memory.py", "from ..tokens import TokenService", {"tokens"}),
        ("i18n/words.py", "from ..portal import Portal", {"portal"}),
        ("web/site.py", "from ..tokens import TokenService", {"tokens"}),
        ("web/staff/tokens.py", "from ...storage.memory import InMemoryStorage", {"storage"}),
        ("testing/clocks.py", "from ..storage.memory import InMemoryStorage", {"storage"}),
        ("tokens.py", "from .links import LinkSigner", set()),
        ("domain/money.py", "from .checks import checked", set()),
    ],
)
def test_the_table_sees_a_wrong_import(file: str, source: str, wrong: set[str]) -> None:
    """A forbidden import is found in every form it can take, an allowed one is not."""
    assert wrong_imports(ROOT / file, source) == wrong


def modules_after(statement: str) -> set[str]:
    """The modules that are loaded in a new interpreter after a statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_import_is_light() -> None:
    """Importing the package loads none of the heavy modules."""
    assert not set(HEAVY) & modules_after("import basis_portal")


@pytest.mark.parametrize("name", ["sqlite3", "email", "importlib.metadata"])
def test_the_light_import_test_can_see(name: str) -> None:
    """A heavy module that is imported is seen."""
    assert name in modules_after(f"import {name}")


def test_the_public_face_is_its_imports_and_all() -> None:
    """`__init__` re-exports and holds `__all__`, nothing else, and both are equal."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    kinds = {type(node) for node in tree.body[1:]}
    assert kinds == {ast.ImportFrom, ast.Assign}
    names = [
        a.asname or a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names
    ]
    assert sorted(names) == sorted(basis_portal.__all__)


def test_one_place_reads_the_time() -> None:
    """Only `clock` asks the machine for the time."""
    calls = ("datetime.now(", "utcnow(", "date.today(", "time.time(", ".now(UTC)", "time_ns(")
    readers = {
        path.name
        for path in ROOT.rglob("*.py")
        if any(call in path.read_text(encoding="utf-8") for call in calls)
    }
    assert readers == {"clock.py"}


def test_only_links_knows_itsdangerous() -> None:
    """One module imports itsdangerous."""
    users = {
        path.name
        for path in ROOT.rglob("*.py")
        if "itsdangerous import" in path.read_text(encoding="utf-8")
    }
    assert users == {"links.py"}


def test_every_public_name_has_a_docstring() -> None:
    """What the package exports explains itself, its public methods too."""
    silent = []
    for name in basis_portal.__all__:
        value = getattr(basis_portal, name)
        members = [value, *vars(value).values()] if isinstance(value, type) else [value]
        silent += [
            f"{name}.{getattr(member, '__name__', '')}"
            for member in members
            if isinstance(member, type | FunctionType)
            and not getattr(member, "__name__", "_").startswith("_")
            and not getattr(member, "__doc__", None)
        ]
    assert silent == []
