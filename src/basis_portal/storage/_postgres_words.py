"""The statements of the repositories in PostgreSQL's words.

They are written once, in SQLite's words, of which a few differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..domain.checks import check_text
from ..errors import InvalidValue

TABLES = (
    "settings",
    "tokens",
    "messages",
    "notes",
    "mails",
    "audit",
    "customers",
    "documents",
    "entries",
    "allocations",
    "migrations",
)

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,62}")

_WORDS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\bjson_each\((.+?)\) AS wanted", r"json_array_elements_text((\1)::json) AS wanted (value)"),
    # Where the order matters it must be kept: statistics say nothing of a tenant that is new, or
    # of rows that came a moment ago, and without them all its rows would be gone through.
    (
        r"\bCROSS JOIN (\w+)\s+ON (.+?)(?=\s+(?:WHERE|GROUP|ORDER|UNION)\b|\s*$)",
        r"CROSS JOIN LATERAL (SELECT * FROM \1 WHERE \2 OFFSET 0) AS \1",
    ),
    (r" INDEXED BY \w+", ""),
    (r"/\* (FOR UPDATE OF \w+(?: SKIP LOCKED)?) \*/", r"\1"),
    (r"\binstr\(", "strpos("),
    (r"\bis_latest = 1\b", "is_latest"),
    (r"\bAND is_latest = 0\b", "AND NOT is_latest"),
    (r"\bis_latest = 0\b", "is_latest = false"),
    # Two halves are for a database whose sums end at 64 bits; the first is nothing here.
    (r"\bsum\((.+?) / 1000000000\), sum\(\1 % 1000000000\)", r"0 * sum(\1), sum(\1)"),
    # Whole ten-thousandths there, amounts here.
    (r"\b(open_)?units\b", lambda found: f"{found[1] or ''}amount"),
    (r"(?<!:):(\w+)", r"%(\1)s"),
    (r"\?", "%s"),
)
_NAMED = re.compile(rf"\b(FROM|INTO|UPDATE|JOIN)\s+({'|'.join(TABLES)})\b")


def check_schema(name: object) -> str:
    """Return ``name`` if it can be a schema of ours. Raises `InvalidValue`."""
    check_text("schema", name, limit=63)
    if not _NAME.fullmatch(str(name)):
        raise InvalidValue.of("schema", name, "must have letters A to Z, digits and _ alone")
    if str(name).lower().startswith(("pg_", "information_schema")):
        raise InvalidValue.of("schema", name, "must not be one of PostgreSQL's own")
    return str(name)


def quoted(schema: str) -> str:
    """The name of a schema as it stands in a statement."""
    return f'"{schema}"'


def translator(schema: str) -> Callable[[str], str]:
    """What puts a statement into PostgreSQL's words, on the tables of a schema.

    There are some hundred statements, so what was translated once is kept.
    """
    known: dict[str, str] = {}
    place = rf"\1 {quoted(schema)}.\2"

    def translate(sql: str) -> str:
        found = known.get(sql)
        if found is None:
            found = sql
            for word, ours in _WORDS:
                found = re.sub(word, ours, found, flags=re.DOTALL)
            found = known[sql] = _NAMED.sub(place, found)
        return found

    return translate
