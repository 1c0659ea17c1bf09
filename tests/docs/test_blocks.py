"""Every block of the documentation runs, and prints what its page says it prints.

The rules, also told in CONTRIBUTING.md:

* The ``python`` blocks of a page run in order, in one namespace and one empty folder.
* One that begins with ``# name.py`` is written to that file instead, for later blocks to
  import; pytest runs it where the name begins with ``test_``.
* A ``text`` block is what the ``python`` block right before it prints; ``...`` stands for
  whatever is different each time. What is printed must be shown.
* A page that reads ``os.environ["PORTAL_DSN"]`` gets a PostgreSQL database of its own.
* ``console`` blocks are for a shell and are not run here.
* ``{toctree}`` blocks, which order the site's pages, stand on ``docs/index.md`` alone.
* There are no other blocks.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from doctest import ELLIPSIS, OutputChecker
from itertools import zip_longest
from pathlib import Path
from typing import Any

import attrs
import pytest
from psycopg.conninfo import make_conninfo
from tests.postgres_server import schema_name

from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LONG = ("own-storage.md",)  # it runs the whole kit over a storage, twice
TO_RUN = [
    pytest.param(page, marks=[pytest.mark.deep] if page.name in LONG else []) for page in PAGES
]
LANGUAGES = {"python", "text", "console"}
FILE = re.compile(r"# (\w+\.py)")
RunPage = Callable[[str], None]


@attrs.define(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the page it begins on."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file it is written to, None where it is run at once."""
        found = FILE.fullmatch(self.text.partition("\n")[0])
        return found[1] if found else None


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page in order. Code that would not be found is refused."""
    found: list[Block] = []
    opened: tuple[str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.splitlines(keepends=True), 1):
        if opened and line.rstrip() == "```":
            found.append(Block(opened[0], "".join(lines), opened[1]))
            opened = None
        elif opened:
            lines.append(line)
        elif line.startswith("```"):
            opened, lines = (line[3:].strip(), number + 1), []
        else:
            assert not line.startswith(("    ", "\t", "~~~")), f"line {number}: not a fenced block"
            assert "```" not in line, f"line {number}: a block must begin at the margin"
    assert opened is None, f"the block at line {opened} is not closed"
    return found


def run_page(page: str, name: str = "page") -> None:
    """Run the blocks of a page in the present folder; what they print must be what is shown."""
    namespace: dict[str, Any] = {"__name__": "page"}
    try:
        run_blocks(page, name, namespace)
    finally:  # the code that a host begins with does not end, and leaves its storage open
        for value in namespace.values():
            if isinstance(value, SQLiteStorage | PostgresStorage):
                value.close()


def run_blocks(page: str, name: str, namespace: dict[str, Any]) -> None:
    """Run the blocks of a page in one namespace."""
    shown_by: Block | None = None
    known = LANGUAGES | {"{toctree}"} if name == "docs/index.md" else LANGUAGES
    blocks = blocks_of(page)
    for block, after in zip_longest(blocks, blocks[1:]):
        where = f"{name}, line {block.line}"
        assert block.language in known, f"{where}: {block.language!r}"
        if block.language == "python":
            shown_by = after if after and after.language == "text" else None
            check(where, run_block(block, namespace, name), shown_by.text if shown_by else "")
        elif block.language == "text":
            assert block is shown_by, f"{where}: no python block right before it prints this"


def run_block(block: Block, namespace: dict[str, Any], name: str) -> str:
    """Run one block, or write its file, and return what it prints."""
    if block.file:
        Path(block.file).write_text(block.text, encoding="utf-8")
        if block.file.startswith("test_"):
            run_pytest(block.file)
        return ""
    printed = io.StringIO()
    code = compile("\n" * (block.line - 1) + block.text, name, "exec")
    with redirect_stdout(printed):
        exec(code, namespace)
    return printed.getvalue()


def run_pytest(file: str) -> None:
    """Run the tests a page shows, as its reader would."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def check(where: str, printed: str, shown: str) -> None:
    """Compare what was printed with what the page shows, which is more than dots."""
    assert not shown or shown.strip(". \n"), f"{where}: nothing is shown of what it prints"
    found, wanted = (
        "".join(f"{line.rstrip()}\n" for line in text.splitlines()) for text in (printed, shown)
    )
    same = OutputChecker().check_output(wanted, found, ELLIPSIS)
    assert same, f"{where} prints\n{found}\nand the page shows\n{wanted}"


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The present folder, empty; what was imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or ROOT).parent == tmp_path:
            del sys.modules[name]


@pytest.fixture
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database of its own for a page that speaks of one.

    Pages use the schema that hosts have, and the server may be one that somebody named.
    """
    admin, name = request.getfixturevalue("postgres_admin"), schema_name()
    dsn = make_conninfo(request.getfixturevalue("postgres_server").dsn, dbname=name)
    admin.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    monkeypatch.setenv("PORTAL_DSN", dsn)
    yield
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("page", TO_RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_runs_and_prints_what_is_shown(
    page: Path, request: pytest.FixtureRequest
) -> None:
    """A reader who types what a page says gets what the page says."""
    text = page.read_text(encoding="utf-8")
    if 'os.environ["PORTAL_DSN"]' in text:
        request.getfixturevalue("database")
    run_page(text, str(page.relative_to(ROOT)))


# --- the rules above are held: each refusal beside a page that is right --------------------


def page_of(*blocks: str) -> str:
    """A page with some blocks, each given as its language, a line break and its text."""
    return "\n".join(f"Words.\n\n```{block}\n```\n" for block in blocks)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(
    "page",
    [
        page_of("python\nx = 2", "python\nprint(x + 1)", "text\n3"),
        page_of("python\nprint('id', object())", "text\nid <object object at ...>"),
        page_of("python\n# words.py\nWORD = 'yes'", "python\nimport words\nassert words.WORD"),
        page_of(
            "python\n# words.py\nWORD = 'no'", "python\nimport words\nassert words.WORD == 'no'"
        ),
        page_of("python\n# test_sums.py\ndef test_sum():\n    assert 1 + 1 == 2"),
        page_of("console\n$ exit 1"),
    ],
)
def test_a_true_page_is_accepted(page: str) -> None:
    """Blocks share what they define, files can be imported, a shell's block is left alone."""
    run_page(page)


def test_contents_stand_on_one_page_alone() -> None:
    """What orders the pages of the site is accepted on its first page and refused elsewhere."""
    page = page_of("{toctree}\ntutorial")
    run_page(page, "docs/index.md")
    for other in ("docs/tutorial.md", "docs/reference/index.md"):
        with pytest.raises(AssertionError, match="toctree"):
            run_page(page, other)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(
    ("page", "error"),
    [
        (page_of("python\nprint(1 + 1)", "text\n3"), AssertionError),
        (page_of("python\nprint(3)\nprint(4)", "text\n3"), AssertionError),
        (page_of("python\nprint(3)"), AssertionError),
        (page_of("python\nprint(3)", "console\n$ ls", "text\n3"), AssertionError),
        (page_of("python\nprint(3)", "text\n..."), AssertionError),
        (page_of("text\n3"), AssertionError),
        (page_of("python\nx = 2", "python\nx / 0"), ZeroDivisionError),
        (page_of("python\n# test_sums.py\ndef test_sum():\n    assert 1 + 1 == 3"), AssertionError),
        (page_of("py\nx = 2"), AssertionError),
        (page_of("python skip\nx = 2"), AssertionError),
        (page_of("\nx = 2"), AssertionError),
        ("```python\nx = 2\n", AssertionError),
        ("- a list\n\n  ```python\n  x = 2\n  ```\n", AssertionError),
        ("Words.\n\n    x = 2\n", AssertionError),
    ],
)
def test_an_untrue_page_is_refused(page: str, error: type[Exception]) -> None:
    """Wrong, missing and unexplained output, failing code and code that would not run are seen."""
    with pytest.raises(error):
        run_page(page)
