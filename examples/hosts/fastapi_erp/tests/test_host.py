"""What is this host's own: its login, one transaction for invoice and link, its threads."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import httpx
import psycopg
import pytest
import run
from conftest import HOW
from erp import books, sample_data
from erp.pages import link_to
from erp.portal_site import joined_portal, make_portal
from erp.sample_data import ANA, BEAN_THERE, BEN, HARBOUR, KOPI, MUELLER
from psycopg_pool import ConnectionPool, PoolTimeout

from basis_portal import DocumentKind
from basis_portal.storage.postgres import PostgresStorage

INVOICES = f"/customers/{KOPI}/invoices"


def path_of(portal, customer=KOPI):
    """The path of a customer's link."""
    portal.tokens.ensure(customer, by=ANA)
    return portal.tokens.link(customer, by=ANA).removeprefix(origin(portal))


def origin(portal):
    """What links begin with."""
    return portal.base_url.removesuffix("/portal")


def opened(portal, customer):
    """What a customer sees."""
    return portal.open(path_of(portal, customer).rpartition("/")[2], record=False)


@pytest.fixture
def new_customer(connection):
    """A customer of whom nothing is known yet, with a draft; gives both their numbers."""
    number = f"T-{connection.execute('SELECT count(*) FROM erp.customers').fetchone()[0]}"
    draft = f"INV-{number}"
    connection.execute("INSERT INTO erp.customers (number, name) VALUES (%s, 'New')", [number])
    connection.execute(
        """INSERT INTO erp.invoices (number, customer, state, date, due_date, currency, total)
        VALUES (%s, %s, 'draft', current_date, current_date, 'EUR', 10)""",
        [draft, number],
    )
    return number, draft


# --- what customers see ---------------------------------------------------------------------


def test_a_link_opens_the_customers_own_page(portal, browser):
    """Without any login; what the ledger says is what the page says."""
    page = browser.get(path_of(portal))
    assert page.status_code == 200
    assert "Kopi Nusantara" in page.text
    access = opened(portal, KOPI)
    statement = access.statement().by_currency["EUR"]
    assert statement.closing_balance == Decimal(1680 + 1250 + 1500 - 1680 - 800 - 125)
    assert statement.aging.total == statement.closing_balance
    numbers = {one.number for one in access.documents(DocumentKind.SALES_INVOICE).items}
    assert numbers == {"INV-1031", "INV-1042", "INV-1051", "INV-1047"}  # no draft
    for kind, number in (("SALES_ORDER", "SO-301"), ("CREDIT_NOTE", "CN-17")):
        assert [one.number for one in access.documents(DocumentKind[kind]).items] == [number]


def test_what_was_cancelled_is_not_shown_and_counts_as_nothing(portal):
    """Its reversal stands on the statement on its own day."""
    access = opened(portal, MUELLER)
    invoices = access.documents(DocumentKind.SALES_INVOICE).items
    assert [one.number for one in invoices] == ["INV-1045"]
    numbers = [line.number for line in access.statement().by_currency["EUR"].lines]
    assert {"INV-1044", "Cancels INV-1044"} <= set(numbers)


def test_foreign_and_forged_addresses_open_nothing(portal, browser):
    """404 for the document of another, 403 for a link that was changed; its own opens."""
    link = path_of(portal)
    for number, status in (("INV-1042", 200), ("INV-1045", 404), ("INV-1060", 404)):
        key = base64.urlsafe_b64encode(number.encode()).decode().rstrip("=")
        assert browser.get(f"{link}/document/{key}").status_code == status, number
    assert browser.get(f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}").status_code == 403


def test_no_page_describes_the_interface(browser):
    """FastAPI's own pages are not there."""
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert browser.get(path).status_code == 404


def test_what_no_table_can_hold_is_not_there(sign_in, browser):
    """NUL, half a character, very long text: in an address or a form no error of the server's."""
    ana = sign_in(ANA)
    for text in ("%00", "%ED%A0%80", "x" * 300, "..%2F", "%2525"):
        assert ana.get(f"/customers/{text}").status_code == 404, text
        assert ana.post(f"{INVOICES}/{text}/mail").status_code == 404, text
        assert ana.post(f"/customers/{text}/invoices/{text}/send").status_code == 404, text
        form = {"content": f"user={text}&password={text}"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert browser.post("/login", headers=headers, **form).status_code in (403, 404), text


# --- the ERP's login ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", f"/customers/{KOPI}"), ("POST", f"{INVOICES}/INV-1042/mail")],
)
def test_the_erp_is_for_staff(browser, method, path):
    """Whoever is not signed in is led to the login."""
    answer = browser.request(method, path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_the_login_of_the_erp_opens_the_staff_pages(browser, sign_in):
    """Nobody gets in without; ana manages, ben looks; who signs out is out."""
    assert browser.get("/settings/portal").status_code == 403
    assert sign_in(ANA, "wrong").get("/settings/portal").status_code == 403
    assert sign_in("nobody").get("/settings/portal").status_code == 403
    ana = sign_in(ANA)
    page = ana.get("/settings/portal/tokens")
    assert page.status_code == 200
    assert sign_in(BEN).get("/settings/portal").status_code == 200
    ana.post("/logout")
    assert ana.get("/settings/portal").status_code == 403


def test_a_customers_record_leads_to_its_link(sign_in):
    """To the page on which staff copy or revoke it."""
    ana = sign_in(ANA)
    record = ana.get(f"/customers/{KOPI}").text
    page = ana.get(re.search(r'<a href="([^"]+)">Portal link', record)[1])
    assert (page.status_code, "<h1>Kopi Nusantara</h1>" in page.text) == (200, True)


def test_a_session_that_somebody_made_up_is_none(new_browser, sign_in):
    """The cookie is signed: the name in it cannot be changed."""
    ben = sign_in(BEN)
    data, _, signature = ben.cookies["session"].partition(".")
    assert b'"ben"' in base64.b64decode(data)
    forged = base64.b64encode(base64.b64decode(data).replace(b"ben", b"ana")).decode()
    browser = new_browser()
    browser.cookies.set("session", f"{forged}.{signature}")
    assert browser.get("/").status_code == 303
    assert browser.get("/settings/portal").status_code == 403
    assert ben.get("/").status_code == 200


def test_who_may_only_look_changes_nothing(sign_in, portal, new_customer):
    """Nor sees a link."""
    link = path_of(portal)
    ben = sign_in(BEN)
    assert link.rpartition("/")[2] not in ben.get(f"/settings/portal/tokens?q={KOPI}").text
    assert "disabled" in ben.get("/settings/portal").text
    before = portal.settings.get()
    assert ben.post("/settings/portal", data={"enabled": ""}).status_code in (400, 403)
    assert portal.settings.get() == before
    assert ben.post(f"{INVOICES}/INV-1042/mail").status_code == 403
    number, draft = new_customer
    assert "Send" not in ben.get(f"/customers/{number}").text
    assert ben.post(f"/customers/{number}/invoices/{draft}/send").status_code == 403
    assert portal.tokens.get(number) is None


def test_a_user_who_was_removed_is_out_at_once(sign_in, connection):
    """The session's cookie alone is not enough."""
    connection.execute(
        "INSERT INTO erp.users SELECT 'cem', password_hash, true FROM erp.users WHERE name = 'ana'"
    )
    cem = sign_in("cem")
    assert cem.get("/settings/portal").status_code == 200
    connection.execute("DELETE FROM erp.users WHERE name = 'cem'")
    assert cem.get("/settings/portal").status_code == 403
    assert cem.get("/").status_code == 303


# --- the link in the invoice's mail ---------------------------------------------------------


def test_the_invoice_mail_brings_the_link(sign_in, portal, browser):
    """It opens the very invoice; a foreign invoice or a draft has no mail."""
    ana = sign_in(ANA)
    text = ana.post(f"{INVOICES}/INV-1042/mail").text
    link = re.search(rf"^{origin(portal)}(/portal/\S+)$", text, re.MULTILINE)[1]
    page = browser.get(link)
    assert page.status_code == 200
    assert "INV-1042" in page.text
    assert path_of(portal) in link
    assert path_of(portal) in ana.post(f"{INVOICES}/INV-1051/mail").text
    for other in (f"/customers/{MUELLER}/invoices/INV-1042", f"{INVOICES}/INV-1060"):
        assert ana.post(f"{other}/mail").status_code == 404, other
    assert ana.get(f"{INVOICES}/INV-1042/mail").status_code == 405  # it may issue a token


def test_whom_staff_revoked_the_mail_brings_no_link(sign_in, portal, browser):
    """And says so to staff."""
    link = path_of(portal, MUELLER)
    portal.tokens.revoke(MUELLER, by=ANA, reason="left")
    assert browser.get(link).status_code == 403
    for customer, invoice in ((MUELLER, "INV-1045"), (HARBOUR, "INV-1020")):
        refused = sign_in(ANA).post(f"/customers/{customer}/invoices/{invoice}/mail")
        assert (refused.status_code, "http" in refused.text) == (409, False)
    portal.tokens.regenerate(MUELLER, by=ANA)


# --- one transaction ------------------------------------------------------------------------


def test_invoice_and_link_are_there_together(sign_in, portal, browser, new_customer):
    """Sent once: it stands on the account and in the portal, and the link opens it."""
    number, draft = new_customer
    ana = sign_in(ANA)
    address = f"/customers/{number}/invoices/{draft}"
    assert "Send" in ana.get(f"/customers/{number}").text
    sent = ana.post(f"{address}/send")
    assert (sent.status_code, sent.headers["location"]) == (303, f"/customers/{number}")
    assert portal.tokens.get(number).issued_by == ANA
    assert f"{address}/mail" in ana.get(f"/customers/{number}").text
    link = re.search(r"/portal/\S+", ana.post(f"{address}/mail").text)[0]
    assert draft in browser.get(link).text
    assert opened(portal, number).statement().by_currency["EUR"].closing_balance == 10
    assert ana.post(f"{address}/send").status_code == 404


def test_a_rollback_of_the_host_takes_the_token_back(
    erp, portal, browser, connection, new_customer
):
    """Neither posting nor token nor audit entry is left, and the link opens nothing."""
    number, draft = new_customer
    with pytest.raises(ZeroDivisionError), connection.transaction():
        assert books.send_invoice(connection, draft, number) is not None
        joined = joined_portal(connection, erp.settings)
        link = link_to(joined, number, draft, by=ANA).removeprefix(origin(portal))
        assert joined.tokens.get(number) is not None
        assert portal.tokens.get(number) is None  # others do not see it yet
        raise ZeroDivisionError
    assert books.sent_invoice(connection, draft, number) is None
    assert portal.tokens.get(number) is None
    assert not portal.audit.list(customer_id=number).items
    assert browser.get(link).status_code == 403
    with connection.transaction():
        books.send_invoice(connection, draft, number)
        link = link_to(joined, number, draft, by=ANA).removeprefix(origin(portal))
    assert browser.get(link).status_code == 200


def test_a_refusal_of_the_portal_stops_no_invoice(sign_in, portal, connection, new_customer):
    """Whom staff revoked gets the invoice, without a link."""
    number, draft = new_customer
    portal.tokens.generate(number, by=ANA)
    portal.tokens.revoke(number, by=ANA)
    assert sign_in(ANA).post(f"/customers/{number}/invoices/{draft}/send").status_code == 303
    assert books.sent_invoice(connection, draft, number) is not None
    assert portal.tokens.get(number).ended_as == "revoked"


def test_a_draft_is_sent_once_by_whoever_comes_first(sign_in, connection, new_customer):
    """Two press the button together: one posting, one token, and one is told."""
    number, draft = new_customer
    address = f"/customers/{number}/invoices/{draft}/send"
    both = [sign_in(ANA), sign_in(ANA)]
    with ThreadPoolExecutor(2) as threads:
        statuses = {one.status_code for one in threads.map(lambda who: who.post(address), both)}
    assert statuses == {303, 404}
    posted = connection.execute("SELECT count(*) FROM erp.ledger WHERE customer = %s", [number])
    assert posted.fetchone() == (1,)


# --- threads --------------------------------------------------------------------------------


def ask(erp, cookies, *paths, meanwhile=None):
    """Ask for pages all at once; their statuses."""

    async def answers():
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=erp.settings.url, cookies=cookies, limits=limits, **HOW
        ) as client:
            asked = [asyncio.create_task(client.get(path)) for path in paths]
            if meanwhile is not None:
                await meanwhile(client)
            return [(await one).status_code for one in asked]

    return asyncio.run(answers())


def test_more_requests_than_threads_and_connections_are_all_answered(erp, sign_in, portal):
    """None holds a connection while it waits for a thread, or a second connection."""
    cookies = sign_in(ANA).cookies
    paths = ["/", f"/customers/{KOPI}", f"{path_of(portal)}/statement", "/settings/portal/tokens"]
    assert set(ask(erp, cookies, *(paths * 25))) == {200}


def test_a_statement_takes_a_connection_of_each_pool(settings):
    """One of each is enough, a single one of one pool is not: ERP and portal have two pools."""
    how = {"kwargs": {"autocommit": True}, "min_size": 1, "max_size": 1, "timeout": 0.2}
    with ConnectionPool(settings.dsn, open=True, **how) as pool:
        with closing(PostgresStorage(settings.dsn, pool_size=1)) as storage:
            portal = make_portal(storage, pool.connection, settings)
            assert opened(portal, KOPI).statement().by_currency
        portal = make_portal(PostgresStorage(pool), pool.connection, settings)
        access = opened(portal, KOPI)
        with pytest.raises(PoolTimeout):
            access.statement()


def test_a_page_that_waits_for_the_database_holds_up_no_other(erp, sign_in, dsn):
    """While an endpoint that is async waits for a lock, the loop answers others."""
    cookies = sign_in(ANA).cookies
    with psycopg.connect(dsn) as locker:
        locker.execute("LOCK erp.invoices IN ACCESS EXCLUSIVE MODE")

        async def meanwhile(client):
            async with asyncio.timeout(20):
                while not waiting(dsn):
                    await asyncio.sleep(0)
            assert (await client.get("/login")).status_code == 200
            assert waiting(dsn)
            locker.rollback()

        assert ask(erp, cookies, f"/customers/{KOPI}", meanwhile=meanwhile) == [200]


def waiting(dsn):
    """True where the ERP waits for a lock."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'fastapi_erp' AND wait_event_type = 'Lock'"
        )
        return found.fetchone()[0] > 0


def test_sample_data_are_made_once(settings, portal):
    """A second start finds what the first made, and links go on working."""
    link = path_of(portal, BEAN_THERE)
    sample_data.make(settings)
    assert path_of(portal, BEAN_THERE) == link


# --- operators ------------------------------------------------------------------------------


def operate(*arguments):
    """What an operator's command prints as JSON, in a process of its own."""
    command = [Path(sys.executable).with_name("basis-portal"), *arguments, "--json"]
    environ = os.environ | {
        "PYTHONPATH": str(Path(run.__file__).parent),
        "BASIS_PORTAL_PORTAL": "erp.operate:portal",
    }
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_operators_act_on_the_portal_of_the_pages(portal, browser):
    """They see its tokens and that all is well, and what they revoke the pages refuse."""
    link = path_of(portal, BEAN_THERE)
    tokens = operate("tokens", "list", "--limit", "200")["tokens"]
    assert portal.tokens.get(BEAN_THERE).id in {one["id"] for one in tokens}
    assert operate("health")["health"]["ok"]
    assert operate("tokens", "link", BEAN_THERE)["link"] == origin(portal) + link
    assert browser.get(link).status_code == 200
    operate("tokens", "revoke", BEAN_THERE, "--by", ANA)
    assert browser.get(link).status_code == 403
    assert portal.tokens.get(BEAN_THERE).ended_by == ANA
    portal.tokens.generate(BEAN_THERE, by=ANA)
