"""All rows from one storage's database to another's, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import StorageError
from ._place import TABLES, Place, Table
from ._sql import Row

Census = Mapping[str, Mapping[str, int]]
"""How many rows each table has of each tenant."""


def transfer(source: Place, target: Place, tenant: str | None = None) -> dict[str, int]:
    """Copy the rows of all tenants, or of one, and return how many of each table.

    The source is read as of one instant; in an SQLite file nobody writes meanwhile. The target
    takes all in one transaction, and at its end has the same number of rows of each table and
    tenant. A link goes on working under the same keys.

    The tables of the target are made, or made the newest, before.

    Raises:
        StorageError: the tables of the source are not the newest, it has no row of the tenant,
            the target has some already, or the numbers differ. Nothing was copied then.
    """
    source.check_newest()
    require_tenant(source, tenant)
    target.migrate()
    with source.reading(alone=True), target.writing():
        there = _census(source, tenant)
        _check_free(target, there)
        for table in TABLES:
            target.insert(table, source.stream(*_select(table, tenant)))
        _check_same(there, _census(target, tenant))
    return {table: sum(of_tenants.values()) for table, of_tenants in there.items()}


def _select(table: Table, tenant: str | None) -> tuple[str, Row]:
    """The statement that reads a table in the order in which its rows were added."""
    of_tenant = " WHERE tenant = ?" if tenant is not None else ""
    in_order = f" ORDER BY {table.numbered}" if table.numbered else ""
    values = (tenant,) if tenant is not None else ()
    return f"SELECT {table.columns} FROM {table.name}{of_tenant}{in_order}", values


def _census(place: Place, tenant: str | None) -> Census:
    of_tenant = " WHERE tenant = ?" if tenant is not None else ""
    values = (tenant,) if tenant is not None else ()
    return {
        table.name: dict(
            place.stream(
                f"SELECT tenant, count(*) FROM {table.name}{of_tenant} GROUP BY tenant", values
            )
        )
        for table in TABLES
    }


def _tenants(census: Census) -> set[str]:
    return {tenant for of_tenants in census.values() for tenant in of_tenants}


def require_tenant(place: Place, tenant: str | None) -> None:
    """Raise `StorageError` where there is no row of a tenant, whose name may be misspelt."""
    if tenant is None:
        return
    with place.reading():
        if not _has_rows(place, "tenant = ?", tenant):
            raise StorageError(
                f"{place.name} has no row of tenant {tenant!r}, so nothing was done; see how the "
                "application spells it"
            )


def is_unknown(place: Place, tenant: str) -> bool:
    """Whether other tenants have customers, tokens and the like, and this one has none.

    Its name may be misspelt, though its settings were saved once and that was audited.
    """
    tables = [one for one in TABLES if one.name not in ("settings", "audit")]
    with place.reading():
        return not _has_rows(place, "tenant = ?", tenant, tables) and _has_rows(
            place, "tenant <> ?", tenant, tables
        )


def _has_rows(place: Place, condition: str, tenant: str, tables: Sequence[Table] = TABLES) -> bool:
    sql = "SELECT 1 FROM {} WHERE {} LIMIT 1"
    return any(list(place.stream(sql.format(one.name, condition), (tenant,))) for one in tables)


def _check_free(target: Place, there: Census) -> None:
    taken = sorted(_tenants(there) & _tenants(_census(target, None)))
    if taken:
        raise StorageError(
            f"{target.name} has rows of tenant {taken[0]!r} already"
            + (f", and of {len(taken) - 1} more" if len(taken) > 1 else "")
            + ", and was left as it is; copy into one that has none of them"
        )


def _check_same(there: Census, here: Census) -> None:
    for table, of_tenants in there.items():
        for tenant, count in of_tenants.items():
            copied = here[table].get(tenant, 0)
            if copied != count:
                raise StorageError(
                    f"of {count} rows of tenant {tenant!r} in {table} {copied} arrived, so all "
                    "was undone; run 'basis-portal check' on the source"
                )
