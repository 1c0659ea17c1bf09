"""The rules that the rows of a storage keep, looked at from outside.

The tables hold most of them by themselves; what is wrong here was altered by hand, or by a
disk. All tenants are looked at. No statement takes longer than its tables are long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

import attrs

from ..domain.money import from_units
from ..errors import PortalError, StorageError
from . import _sql
from ._place import Finding, Place, Verdict
from ._sql import Row

_NAMED = 3  # how many of what is wrong a finding names


@attrs.define(frozen=True)
class _Rule:
    """What no row may be: the statement finds tenant and id of each that is."""

    about: str
    sql: str
    good: str
    bad: str
    verdict: Verdict = Verdict.WRONG
    shortened: bool = False
    step: str | None = None  # which made its table, where that was not the first


_RULES = (
    _Rule(
        "current tokens",
        """
        SELECT tenant, customer_id FROM tokens WHERE ended_at IS NULL
        GROUP BY tenant, customer_id HAVING count(*) > 1
        """,
        "no customer has two",
        "customers with two or more: {found}; revoke their access, issue a new link, and restore "
        "the index tokens_current",
    ),
    _Rule(
        "latest tokens",
        """
        SELECT tenant, customer_id FROM tokens GROUP BY tenant, customer_id
        HAVING sum(CASE WHEN is_latest = 1 THEN 1 ELSE 0 END) <> 1
            OR max(CASE WHEN is_latest = 1 THEN added END) <> max(added)
        """,
        "each customer's is the one added last",
        "customers whose latest token is not exactly the one added last: {found}; restore a "
        "backup, or set is_latest in their rows",
    ),
    _Rule(
        "allocations",
        """
        SELECT allocations.tenant, allocations.id FROM allocations
        LEFT JOIN entries AS debit
            ON debit.tenant = allocations.tenant AND debit.id = allocations.debit_id
        LEFT JOIN entries AS credit
            ON credit.tenant = allocations.tenant AND credit.id = allocations.credit_id
        WHERE debit.id IS NULL OR credit.id IS NULL
            OR debit.side <> 0 OR credit.side <> 1
            OR debit.customer_id <> allocations.customer_id
            OR credit.customer_id <> allocations.customer_id
            OR debit.currency <> credit.currency
        """,
        "each is from a credit to a debit of one customer and currency",
        "allocations without their entries, or across customers, currencies or sides: {found}; "
        "remove them and save them anew",
    ),
    _Rule(
        "issued entries",
        """
        SELECT tokens.tenant, tokens.id FROM tokens
        LEFT JOIN (SELECT DISTINCT tenant, token_id FROM audit WHERE event = 'issued') AS issued
            ON issued.tenant = tokens.tenant AND issued.token_id = tokens.id
        WHERE issued.token_id IS NULL
        """,
        "the audit trail says of each token who issued it",
        "tokens that the audit trail does not know: {found}; right where old entries were "
        "removed, else look who added them",
        Verdict.WARNING,
        shortened=True,
    ),
    _Rule(
        "runs of e-mails",
        """
        SELECT tenant, customer_id FROM mails WHERE run <> '' AND customer_id IS NOT NULL
        GROUP BY tenant, run, customer_id HAVING count(*) > 1
        """,
        "none mails a customer twice",
        "customers with two or more e-mails of one run: {found}; remove those that are queued, and "
        "restore the index mails_once_a_run",
        step="e-mails",
    ),
)

# What is allocated is summed in two halves, since one sum could overflow.
_OPEN = f"""
    WITH allocated (of_tenant, entry_id, high, low) AS (
        SELECT tenant, entry_id, {_sql.HALVES.format("units")} FROM (
            SELECT tenant, debit_id AS entry_id, units FROM allocations
            UNION ALL
            SELECT tenant, credit_id AS entry_id, units FROM allocations
        ) AS parts
        GROUP BY tenant, entry_id
    )
    SELECT tenant, id, units - open_units, coalesce(high, 0), coalesce(low, 0) FROM entries
    LEFT JOIN allocated ON of_tenant = tenant AND entry_id = id
"""


def findings(place: Place) -> Iterator[Finding]:
    """What was found in a database, one after the other; nothing is changed.

    Raises `StorageError` where it cannot be read at all.
    """
    with place.reading():
        version = place.version()
        yield _step(version, len(place.steps))
        yield from _as_far_as_readable("integrity", place.health())
        if version:
            yield from _as_far_as_readable("rows", _of_rows(place, place.steps[:version]))


def _of_rows(place: Place, steps: Collection[str]) -> Iterator[Finding]:
    for rule in _RULES:
        if rule.step is None or rule.step in steps:
            yield _look(place, rule)
    yield _open_amounts(place)
    yield _settings(place)


def _as_far_as_readable(about: str, found: Iterator[Finding]) -> Iterator[Finding]:
    """What was found until the database said that it cannot be read, and that."""
    try:
        yield from found
    except StorageError as error:
        yield Finding(about, Verdict.WRONG, str(error))


def _step(version: int, newest: int) -> Finding:
    if version == newest:
        return Finding("tables", Verdict.OK, f"at the newest step, {newest}")
    text = f"at step {version} of {newest}; run 'basis-portal migrate'"
    return Finding("tables", Verdict.WRONG, text)


def _look(place: Place, rule: _Rule) -> Finding:
    found = _named(place.stream(rule.sql), shortened=rule.shortened)
    if not found:
        return Finding(rule.about, Verdict.OK, rule.good)
    return Finding(rule.about, rule.verdict, rule.bad.format(found=found))


def _open_amounts(place: Place) -> Finding:
    wrong = (
        (tenant, entry_id)
        for tenant, entry_id, settled, high, low in place.stream(_OPEN)
        if from_units(settled) != _sql.from_halves(high, low)
    )
    if found := _named(wrong):
        text = f"entries whose open amount is not what their allocations leave: {found}; save them"
        return Finding("open amounts", Verdict.WRONG, f"{text} anew")
    return Finding("open amounts", Verdict.OK, "each is what the entry's allocations leave of it")


def _settings(place: Place) -> Finding:
    wrong = (
        (tenant, f"version {row[1]}")
        for tenant, *row in place.stream(f"SELECT tenant, {_sql.SETTINGS} FROM settings")
        if not _is_readable(row)
    )
    if found := _named(wrong):
        text = f"settings that cannot be read: {found}; save them anew"
        return Finding("settings", Verdict.WRONG, text)
    return Finding("settings", Verdict.OK, "all can be read")


def _is_readable(row: list[object]) -> bool:
    try:
        _sql.to_settings(*row)
    except (PortalError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        return False
    return True


def _named(rows: Iterable[Row], *, shortened: bool = False) -> str:
    """The first few of tenants and ids, and how many more there are."""
    left = iter(rows)
    first = [
        f"{row_id[:8] + '...' if shortened else row_id} of {tenant}"
        for tenant, row_id in islice(left, _NAMED)
    ]
    more = sum(1 for _ in left)
    return ", ".join(first) + (f" and {more} more" if more else "")
