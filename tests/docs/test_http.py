"""The page of the HTTP routes tells each route there is, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import attrs
import pytest
from flask import Flask
from tests.access.worlds import ALL_ON
from werkzeug.test import Client

from basis_portal import Portal, PortalConfig
from basis_portal.domain.url_keys import key_of
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import CUSTOMER_ID, a_customer, an_invoice
from basis_portal.web import Theme, create_app, customer_app, staff_app
from basis_portal.web.headers import security_headers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/http.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(GET|POST)` \| `(/[^`]*)` \|.*\| ([\d, ]+) \|[^|]*\|$", re.MULTILINE)
INVOICE = key_of(an_invoice().id)
FORM = {"text": "Hello", "do": "reply", "reason": "left", "confirm": "REVOKE", "link": "x"}
QUERIES = ["", "after=x", "from=x", "q=x&year=2026&open=1"]


@attrs.define(frozen=True)
class Row:
    """A row of one of the tables."""

    method: str
    path: str
    statuses: frozenset[int]


def rows_of(heading: str, page: str = PAGE) -> list[Row]:
    """The rows of the table below a heading."""
    part = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [Row(m, path, frozenset(map(int, s.split(", ")))) for m, path, s in ROW.findall(part)]


def without_names(path: str) -> str:
    """A path in which it does not matter what its parts are called."""
    return re.sub("<[^>]*>", "<>", path)


def routes_of(app: Flask) -> list[tuple[str, str]]:
    """The routes of an app, as method and path; HEAD and OPTIONS go without saying."""
    return sorted(
        (method, without_names(rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


@pytest.fixture
def portal() -> Portal:
    """A portal with one customer, who has an invoice and a link."""
    storage = InMemoryStorage()
    storage.customers.save(a_customer())
    storage.documents.save(an_invoice())
    portal = Portal(storage, secret_keys=["k" * 32], base_url="https://erp.example.com/portal")
    portal.settings.save(ALL_ON)
    portal.tokens.generate(CUSTOMER_ID)
    return portal


@pytest.fixture
def theme(tmp_path: Path) -> Theme:
    """One with a logo and a colour, which have routes of their own."""
    (tmp_path / "logo.svg").write_text("<svg/>", encoding="utf-8")
    return Theme(logo=tmp_path / "logo.svg", colour="#1f5673")


def test_every_route_is_there_and_no_other(portal: Portal, theme: Theme) -> None:
    """Both tables have the routes of their app, each method once."""
    for heading, app in (
        ("Customers", customer_app(portal, theme=theme)),
        ("Staff", staff_app(portal, theme=theme)),
    ):
        told = sorted((row.method, without_names(row.path)) for row in rows_of(heading))
        assert told == routes_of(app)


def test_a_missing_route_is_seen(portal: Portal, theme: Theme) -> None:
    """A route without its row, or a row without its route, makes both differ."""
    routes = routes_of(customer_app(portal, theme=theme))
    line = next(line for line in PAGE.splitlines() if "`/<link>/invoices`" in line)
    for changed in (PAGE.replace(line, ""), PAGE.replace("/invoices`", "/bills`")):
        assert changed != PAGE
        told = sorted(
            (one.method, without_names(one.path)) for one in rows_of("Customers", changed)
        )
        assert told != routes


def test_the_headers_are_those_that_are_sent() -> None:
    """Each header has its row, with the whole value; of the permissions with what stays on."""
    for scripts in (False, True):
        for name, value in security_headers(https=True, scripts=scripts).items():
            row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
            for part in ("clipboard-write=(self)",) if name == "Permissions-Policy" else [value]:
                policy = part.partition("; script-src")
                assert policy[0] in row
                assert (policy[1] + policy[2]).lstrip("; ") in row


# --- what is answered ---------------------------------------------------------------------


def answers_to(row: Row, client: Client, portal: Portal, *, staff: bool) -> Iterator[int]:
    """The statuses of good and bad requests to a route."""
    token = portal.tokens.regenerate(CUSTOMER_ID)
    whose = key_of(CUSTOMER_ID) if staff else portal.tokens.link(CUSTOMER_ID).rsplit("/", 1)[1]
    value = portal.forms.value(*(("staff", "ana") if staff else ("message", token.id)))
    good = {"form": value, "replaces": token.id}
    forms = [{}] if row.method == "GET" else [{}, good, {**FORM, **good}]
    for first, second, form, query in product([whose, "x"], [INVOICE, "x"], forms, QUERIES):
        path = re.sub("<[^>]*>", second, re.sub("<[^>]*>", first, row.path, count=1))
        yield client.open(
            f"/settings/portal{path}" if staff else f"/portal{path}",
            method=row.method,
            query_string=query,
            data=form or None,
        ).status_code


@pytest.mark.parametrize("heading", ["Customers", "Staff"])
def test_what_is_answered_is_told(heading: str, portal: Portal, theme: Theme) -> None:
    """Right and wrong links, ids, forms and queries are answered by a status of their row.

    A link that is refused is told once for all of the customers' pages.
    """
    client = Client(create_app(portal, theme=theme, authorize=lambda _: "ana"))
    seen: set[int] = set()
    for row in rows_of(heading):
        found: set[int] = set()
        for config in (ALL_ON, PortalConfig(enabled=True)):
            portal.settings.save(config)
            found |= set(answers_to(row, client, portal, staff=heading == "Staff"))
        told = row.statuses | ({403} if heading == "Customers" else set())
        assert found <= told, row
        seen |= found
    assert seen >= {200, 303, 400, 403, 404}
