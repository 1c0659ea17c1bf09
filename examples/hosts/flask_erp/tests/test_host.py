"""What is this host's own: its login decides who is staff, and its invoice mail brings the link."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest
import run
from erp.app import make_app
from erp.models import Document, State, User
from erp.operate import portal as operators_portal
from erp.sample_data import ANA, BEAN_THERE, BEN, HARBOUR, KOPI, MUELLER

from basis_portal import DocumentKind

ADDRESS = "http://127.0.0.1:8010"


def path_of(portal, customer=KOPI):
    """The path of a customer's link."""
    portal.tokens.ensure(customer, by=ANA)
    return portal.tokens.link(customer, by=ANA).removeprefix(ADDRESS)


def mail_of(number, customer=KOPI):
    """Where an invoice's mail is."""
    return f"/customers/{customer}/invoices/{number}/mail"


def test_a_link_opens_the_customers_own_page(portal, browser):
    """Without any login; what the ledger says is what the page says."""
    page = browser.get(path_of(portal))
    assert page.status_code == 200
    assert "Kopi Nusantara" in page.text
    access = portal.open(path_of(portal).rpartition("/")[2], record=False)
    statement = access.statement().by_currency["EUR"]
    assert statement.closing_balance == Decimal(1680 + 1250 + 1500 - 1680 - 800 - 125)
    assert statement.aging.total == statement.closing_balance
    numbers = {one.number for one in access.documents(DocumentKind.SALES_INVOICE).items}
    assert numbers == {"INV-1031", "INV-1042", "INV-1051", "INV-1047"}  # no draft


def test_what_was_cancelled_is_not_shown_and_counts_as_nothing(portal):
    """Its reversal stands on the statement on its own day."""
    access = portal.open(path_of(portal, MUELLER).rpartition("/")[2], record=False)
    invoices = access.documents(DocumentKind.SALES_INVOICE).items
    assert [one.number for one in invoices] == ["INV-1045"]
    numbers = [line.number for line in access.statement().by_currency["EUR"].lines]
    assert {"INV-1044", "Cancels INV-1044"} <= set(numbers)


def test_foreign_and_forged_addresses_open_nothing(portal, browser):
    """404 for the document of another, 403 for a link that was changed."""
    link = path_of(portal)
    assert browser.get(f"{link}/document/SU5WLTEwNDU").status_code == 404
    assert browser.get(f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}").status_code == 403


@pytest.mark.parametrize("path", ["/", f"/customers/{KOPI}", mail_of("INV-1042")])
def test_the_erp_is_for_staff(browser, path):
    """Whoever is not signed in is led to the login."""
    for answer in (browser.get(path), browser.post(path)):
        assert (answer.status_code, answer.location) == (302, "/login")


def test_the_login_of_the_erp_opens_the_staff_pages(browser, sign_in, portal):
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


def test_who_may_only_look_changes_nothing(sign_in, portal):
    """Nor sees a link."""
    link = path_of(portal)
    ben = sign_in(BEN)
    assert link.rpartition("/")[2] not in ben.get(f"/settings/portal/tokens?q={KOPI}").text
    assert "disabled" in ben.get("/settings/portal").text
    before = portal.settings.get()
    assert ben.post("/settings/portal", data={"enabled": ""}).status_code in (400, 403)
    assert portal.settings.get() == before
    assert "Its mail" not in ben.get(f"/customers/{MUELLER}").text
    trail = portal.audit.list(customer_id=MUELLER).items
    assert ben.post(mail_of("INV-1045", MUELLER)).status_code == 403
    assert portal.audit.list(customer_id=MUELLER).items == trail


def test_a_user_who_was_removed_is_out_at_once(sign_in, sessions):
    """The session's cookie alone is not enough."""
    with sessions.begin() as database:
        database.add(User(name="cem", password_hash=database.get(User, ANA).password_hash))
    cem = sign_in("cem")
    assert [cem.get(path).status_code for path in ("/", "/settings/portal")] == [200, 200]
    with sessions.begin() as database:
        database.delete(database.get(User, "cem"))
    assert [cem.get(path).status_code for path in ("/", "/settings/portal")] == [302, 403]
    assert "cem" not in cem.get("/login").text


def test_the_invoice_mail_brings_the_link(sign_in, portal, browser):
    """It opens the very invoice, by the same token each time while that is active."""
    ana = sign_in(ANA)
    assert mail_of("INV-1042") in ana.get(f"/customers/{KOPI}").text
    text = ana.post(mail_of("INV-1042")).text
    link = re.search(rf"^{ADDRESS}(/portal/\S+)$", text, re.MULTILINE)[1]
    page = browser.get(link)
    assert (page.status_code, "<h1>Invoice INV-1042" in page.text) == (200, True)
    assert path_of(portal) in link
    assert path_of(portal) in ana.post(mail_of("INV-1051")).text


def test_only_an_invoice_that_was_sent_has_a_mail(sign_in, portal, sessions):
    """No foreign one, no draft, no cancelled one and no order has; and asking changes nothing."""
    ana = sign_in(ANA)
    with sessions() as database:
        states = [database.get(Document, number).state for number in ("INV-1060", "INV-1044")]
    assert states == [State.DRAFT, State.CANCELLED]
    trails = [portal.audit.list(customer_id=one).items for one in (KOPI, MUELLER)]
    for customer, number in (
        (MUELLER, "INV-1042"),
        (KOPI, "INV-1060"),
        (MUELLER, "INV-1044"),
        (KOPI, "SO-301"),
    ):
        assert mail_of(number, customer) not in ana.get(f"/customers/{customer}").text
        assert ana.post(mail_of(number, customer)).status_code == 404, number
    assert ana.get(mail_of("INV-1042")).status_code == 405
    assert [portal.audit.list(customer_id=one).items for one in (KOPI, MUELLER)] == trails


def test_whom_staff_revoked_the_mail_brings_no_link(sign_in, portal, browser):
    """And says so to staff."""
    link = path_of(portal, MUELLER)
    portal.tokens.revoke(MUELLER, by=ANA, reason="left")
    assert browser.get(link).status_code == 403
    for customer, invoice in ((MUELLER, "INV-1045"), (HARBOUR, "INV-1020")):
        refused = sign_in(ANA).post(mail_of(invoice, customer))
        assert (refused.status_code, "http" in refused.text) == (409, False)
    portal.tokens.regenerate(MUELLER, by=ANA)


def test_the_second_start_finds_what_the_first_made(portal, folder):
    """Links go on working, and nothing is made twice."""
    link = path_of(portal)
    again = make_app(folder, ADDRESS)
    assert again.test_client().get(link).status_code == 200
    again.extensions["engine"].dispose()


def test_it_starts_by_one_command_and_ends_cleanly(tmp_path):
    """It prints where everything is, answers, and a polite kill ends it with status 0."""
    command = [sys.executable, run.__file__, "--port", "8730", "--data", str(tmp_path / "data")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    for line in running.stdout:
        said.append(line)
        if line.startswith("Ctrl+C"):
            break
    try:
        link = re.search(r"(http://127\.0\.0\.1:\d+/portal/\S+)", "".join(said))[1]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.closing(opener.open(link, timeout=20)) as answer:
            assert answer.status == 200
    finally:
        os.kill(running.pid, signal.SIGTERM)
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out, err) == (0, "", "")
    assert link.rpartition("/")[2] not in err


@pytest.mark.parametrize("port", ["80000", "-1", "80", "x"])
def test_a_port_that_is_none_is_told(port, capsys):
    """By the usage and status 2."""
    with pytest.raises(SystemExit) as ended:
        run.main(["--port", port])
    assert ended.value.code == 2
    assert "--port: must be 0 or a whole number from 1024 to 65535" in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_told(tmp_path, capsys):
    """A file stands there already, or above it."""
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below"):
        with pytest.raises(SystemExit) as ended:
            run.main(["--data", str(folder)])
        assert ended.value.code == 2
        assert f"--data: {folder}: " in capsys.readouterr().err


def test_after_the_last_port_comes_any_free_one():
    """There is none after 65535."""
    with run.listening(65535), run.listening(65535) as other:
        assert other.getsockname()[1] != 65535


# --- operators ------------------------------------------------------------------------------


def operate(folder, *arguments):
    """What an operator's command prints as JSON, in a process of its own."""
    command = [Path(sys.executable).with_name("basis-portal"), *arguments, "--json"]
    environ = os.environ | {
        "PYTHONPATH": str(Path(run.__file__).parent),
        "BASIS_PORTAL_PORTAL": "erp.operate:portal",
        "ERP_DATA": str(folder),
    }
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_operators_act_on_the_portal_of_the_pages(folder, portal, browser):
    """They see its tokens and that all is well, and what they revoke the pages refuse."""
    link = path_of(portal, BEAN_THERE)
    tokens = operate(folder, "tokens", "list", "--limit", "200")["tokens"]
    assert portal.tokens.get(BEAN_THERE).id in {one["id"] for one in tokens}
    assert operate(folder, "health")["health"]["ok"]
    assert operate(folder, "tokens", "link", BEAN_THERE)["link"] == ADDRESS + link
    assert browser.get(link).status_code == 200
    operate(folder, "tokens", "revoke", BEAN_THERE, "--by", ANA)
    assert browser.get(link).status_code == 403
    assert portal.tokens.get(BEAN_THERE).ended_by == ANA


def test_operators_are_told_where_there_is_no_erp(tmp_path, monkeypatch):
    """Nothing is made there."""
    monkeypatch.setenv("ERP_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="portal_key"):
        operators_portal()
    assert not list(tmp_path.iterdir())
