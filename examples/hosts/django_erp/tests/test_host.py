"""What is special of this host: one transaction, Django's login, its mail, its admin."""

import base64
import datetime as dt
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from decimal import Decimal
from email import message_from_bytes, policy
from pathlib import Path
from urllib.error import HTTPError

import attrs
import django
import pytest
import run
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client, override_settings
from erp import bookkeeping, invoicing
from erp.models import Document, Line, Party, Posting
from erp.portal_repositories import ErpCustomers, ErpDocuments
from erp.portal_site import joined_portal, portal
from erp.sample_data import ANA, BEAN_THERE, BEN, HARBOUR, KOPI, MUELLER, PASSWORD

from basis_portal import ActiveTokenExists, DocumentKind, StorageError

TODAY = dt.date(2020, 4, 14)
_numbers = itertools.count(1)


def a_party(**fields):
    """A new one, of whom nothing is known yet."""
    number = f"T-{next(_numbers)}"
    return Party.objects.create(
        **{"number": number, "name": number, "email": f"{number}@x.example", **fields}
    )


def a_draft(party, *, kind="invoice", date=TODAY, price="10", pk=None):
    """A draft over one line."""
    number = f"D-{next(_numbers)}"
    document = Document.objects.create(pk=pk, party=party, kind=kind, number=number, date=date)
    Line.objects.create(document=document, text="Coffee", price=Decimal(price))
    return document


def mails_to(party):
    """What was mailed to a party."""
    files = sorted(Path(settings.MAIL).glob("*"))
    parts = [part for file in files for part in file.read_bytes().split(b"-" * 79 + b"\n")]
    mails = [message_from_bytes(part, policy=policy.default) for part in parts if part.strip()]
    return [mail.get_content() for mail in mails if mail["To"] == party.email]


def link_in(text):
    """The path of the one link in a text."""
    (found,) = re.findall(re.escape(settings.ERP_URL) + r"(/portal/\S+)", text)
    return found


def visitor(user=None, **options):
    """A browser, signed in by Django's own form where a user is named."""
    client = Client(SERVER_NAME="127.0.0.1", **options)
    if user is not None:
        form = {"username": user, "password": PASSWORD}
        assert client.post("/admin/login/", form).status_code == 302
    return client


def token_of(party):
    """What others than this transaction see."""
    return portal().tokens.get(str(party.pk))


def key(pk):
    """What stands for an id in the addresses of the pages."""
    return base64.urlsafe_b64encode(str(pk).encode()).decode().rstrip("=")


def page_of(party):
    """The staff's page of a party."""
    return f"/settings/portal/tokens/{key(party.pk)}"


def path_for(party):
    """The path of a party's link, a new one where there is none."""
    customer_id = str(party.pk)
    portal().tokens.ensure(customer_id, by=ANA)
    return portal().tokens.link(customer_id, by=ANA).removeprefix(settings.ERP_URL)


# --- one transaction ------------------------------------------------------------------------


def test_invoice_and_token_are_there_together():
    """After the commit the posting, the token and the mail are there, and the link opens it."""
    party = a_party()
    document = a_draft(party)
    with transaction.atomic():
        link = invoicing.post_and_mail(document, by=ANA)
        assert token_of(party) is None
        assert mails_to(party) == []
    assert token_of(party).issued_by == ANA
    (mail,) = mails_to(party)
    assert link in mail
    page = visitor().get(link_in(mail))
    assert page.status_code == 200
    assert document.number in page.text


def test_a_rollback_of_the_host_takes_the_token_back():
    """Neither posting nor token nor audit entry nor mail is left, and the link opens nothing."""
    party = a_party()
    document = a_draft(party)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        link = invoicing.post_and_mail(document, by=ANA)
        assert joined_portal().tokens.get(str(party.pk)) is not None
        raise ZeroDivisionError
    document.refresh_from_db()
    assert document.state == Document.State.DRAFT
    assert not party.postings.exists()
    assert token_of(party) is None
    assert not portal().audit.list(customer_id=str(party.pk)).items
    assert mails_to(party) == []
    assert visitor().get(link.removeprefix(settings.ERP_URL)).status_code == 403
    link = invoicing.post_and_mail(document, by=ANA)
    assert visitor().get(link.removeprefix(settings.ERP_URL)).status_code == 200


def test_a_part_that_the_host_rolls_back_takes_its_token_with_it():
    """A savepoint of Django's is one for the token too; what was before it stays."""
    first, second = a_party(), a_party()
    with transaction.atomic():
        invoicing.post_and_mail(a_draft(first), by=ANA)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            invoicing.post_and_mail(a_draft(second), by=ANA)
            raise ZeroDivisionError
    assert token_of(first) is not None
    assert token_of(second) is None


def test_a_refusal_of_the_portal_leaves_djangos_transaction_usable():
    """What the portal refuses undoes nothing of what Django wrote."""
    party = a_party()
    path_for(party)
    with transaction.atomic():
        document = a_draft(party)
        with pytest.raises(ActiveTokenExists):
            joined_portal().tokens.generate(str(party.pk), by=ANA)
        bookkeeping.post(document)
    assert party.postings.count() == 1


def test_a_token_needs_a_transaction_of_django():
    """Who forgot transaction.atomic is told so, and nothing is issued."""
    party = a_party()
    with pytest.raises(StorageError, match=r"in Django transaction\.atomic"):
        joined_portal().tokens.generate(str(party.pk), by=ANA)
    assert token_of(party) is None


@pytest.mark.parametrize("why", ["revoked", "on hold"])
def test_where_staff_gave_no_access_the_invoice_goes_out_without_a_link(why):
    """Posting is not stopped by it, and the e-mail has no link."""
    party = a_party()
    path_for(party)
    if why == "revoked":
        portal().tokens.revoke(str(party.pk), by=ANA)
    else:
        Party.objects.filter(pk=party.pk).update(on_hold=True)
    assert invoicing.post_and_mail(a_draft(party), by=ANA) is None
    assert party.postings.count() == 1
    (mail,) = mails_to(party)
    assert "/portal/" not in mail


def test_a_mail_is_plain_text_in_the_customers_language():
    """Nothing in it is escaped as HTML would be, and the sentence is German."""
    party = a_party(name="Müller & <Söhne>", language="de")
    invoicing.post_and_mail(a_draft(party), by=ANA)
    (mail,) = mails_to(party)
    assert "Müller & <Söhne>" in mail
    assert "Diese Rechnung und Ihr Konto online ansehen: http://" in mail


@pytest.mark.parametrize("kind", ["order", "credit_note"])
def test_what_is_no_invoice_goes_out_without_a_link(kind):
    """The sentence is of invoices; and the settings may hide orders and credit notes."""
    party = a_party(language="de")
    settings = portal().settings.get()
    shown = {"show_sales_orders": False, "show_credit_notes": False}
    portal().settings.save(attrs.evolve(settings.config, **shown), by=ANA)
    try:
        assert invoicing.post_and_mail(a_draft(party, kind=kind), by=ANA) is None
    finally:
        portal().settings.save(settings.config, by=ANA)
    assert invoicing.post_and_mail(a_draft(party, kind=kind), by=ANA) is None
    assert token_of(party) is None
    for mail in mails_to(party):
        assert "Total: 10.00 EUR" in mail
        assert "online" not in mail
    assert len(mails_to(party)) == 2


class NoServer(BaseEmailBackend):
    """A mail server that is not there."""

    def send_messages(self, email_messages):
        raise ConnectionRefusedError


def test_a_mail_server_that_is_away_takes_no_invoice_back():
    """What is committed stays; the failure is logged."""
    party = a_party()
    backend = f"{__name__}.NoServer"
    away = {"EMAIL_BACKEND": backend}
    if django.VERSION >= (6, 1):
        away = {"MAILERS": {"default": {"BACKEND": backend}}}
    with override_settings(**away):
        invoicing.post_and_mail(a_draft(party), by=ANA)
    assert party.postings.count() == 1
    assert token_of(party) is not None


def test_the_portals_tables_are_made_once():
    """The migration is harmless where they are there: no token is lost."""
    party = a_party()
    path_for(party)
    call_command("migrate", "erp", "0001", verbosity=0)
    call_command("migrate", verbosity=0)
    assert token_of(party) is not None


# --- Django's login -------------------------------------------------------------------------


def test_staff_are_who_has_signed_in_to_django():
    """Strangers are sent to the login and come back; users without the permission are refused."""
    stranger = visitor()
    answer = stranger.get("/settings/portal/tokens")
    assert answer.url == "/admin/login/?next=/settings/portal/tokens"
    form = {"username": ANA, "password": PASSWORD}
    assert stranger.post(answer.url, form).url == "/settings/portal/tokens"
    assert stranger.get("/settings/portal/tokens").status_code == 200
    from django.contrib.auth.models import User

    User.objects.create_user("cem", password=PASSWORD, is_staff=True)
    assert visitor("cem").get("/settings/portal/tokens").status_code == 403
    manager = User.objects.create_user("dora", password=PASSWORD)
    manager.groups.set(User.objects.get(username=ANA).groups.all())
    outsider = Client(SERVER_NAME="127.0.0.1")
    outsider.force_login(manager)
    assert outsider.get("/settings/portal/tokens").status_code == 403
    stranger.post("/admin/logout/")
    assert stranger.get("/settings/portal/tokens").status_code == 302


def form_on(page, *names):
    """The first form of a page that has these fields: its hidden values."""
    for form in re.findall(r"<form.*?</form>", page.text, re.S):
        found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        if set(names) <= set(found):
            return found
    raise AssertionError(f"no form with {names}")


def test_staff_issue_and_revoke_a_link():
    """Also where Django asks all forms of its own for a value; afterwards it opens nothing."""
    party = a_party()
    client = visitor(ANA)
    client.handler.enforce_csrf_checks = True
    page = client.get(page_of(party))
    hidden = form_on(page)
    assert client.post(page_of(party), hidden).status_code == 303
    path = path_for(party)
    assert visitor().get(path).status_code == 200
    page = client.get(f"{page_of(party)}/revoke")
    answer = client.post(f"{page_of(party)}/revoke", form_on(page))
    assert answer.status_code == 303
    denied = visitor().get(path)
    assert denied.status_code == 403
    assert "Access denied" in denied.text


def test_who_may_only_look_changes_nothing():
    """The read-only user sees the pages, no link, and is refused each change."""
    party = a_party()
    link = path_for(party)
    hidden = form_on(visitor(ANA).get(f"{page_of(party)}/revoke"))
    client = visitor(BEN)
    page = client.get(page_of(party))
    assert page.status_code == 200
    assert link not in page.text
    for path in ("", "/revoke", "/regenerate", "/link"):
        answer = client.post(f"{page_of(party)}{path}", hidden)
        assert answer.status_code == 403
    assert token_of(party).ended_at is None
    draft = a_draft(party)
    form = {"action": "post_and_mail", "_selected_action": draft.pk}
    client.post("/admin/erp/document/", form)
    draft.refresh_from_db()
    assert draft.state == Document.State.DRAFT


# --- what a link opens ----------------------------------------------------------------------


def test_a_link_opens_one_customers_own_and_nothing_else(parties):
    """Foreign, unknown, draft and cancelled documents are Not found; the own one is there."""
    path = path_for(parties[KOPI])
    own = Document.objects.get(number="INV-1042")
    others = {"INV-1045", "INV-1060", "INV-1044"}  # foreign, draft, foreign and cancelled
    browser = visitor()
    shown = browser.get(f"{path}/document/{key(own.pk)}")
    assert shown.status_code == 200
    assert "800.00" in shown.text
    foreign = [key(one.pk) for one in Document.objects.filter(number__in=others)]
    assert len(foreign) == 3
    for bad in (*foreign, key(0), key(f"0{own.pk}"), key("nothing"), own.pk):
        assert browser.get(f"{path}/document/{bad}").status_code == 404
    mueller = path_for(parties[MUELLER])
    cancelled = Document.objects.get(number="INV-1044")
    assert browser.get(f"{mueller}/document/{key(cancelled.pk)}").status_code == 404


def test_an_id_has_one_spelling(parties):
    """Neither a party nor a document is found by another spelling of its key."""
    kopi, own = str(parties[KOPI].pk), str(Document.objects.get(number="INV-1042").pk)
    assert ErpDocuments().get(kopi, own) is not None
    for other in (f"0{own}", f" {own}", f"+{own}", f"{own}.0", "9" * 30):
        assert ErpDocuments().get(kopi, other) is None
    assert ErpCustomers().get(kopi) is not None
    assert ErpCustomers().get(f"0{kopi}") is None


def test_ids_of_one_day_are_ordered_as_text():
    """As the portal orders them, whose ids are text: 9 comes after 10."""
    party = a_party()
    last = Document.objects.latest("pk").pk
    edge = 10 ** len(str(last))  # a number of one more digit
    issued = [bookkeeping.post(a_draft(party, pk=number)) for number in range(edge - 6, edge + 6)]
    ids, after = [], None
    kind = DocumentKind.SALES_INVOICE
    while page := ErpDocuments().page(str(party.pk), kind, after=after, limit=5):
        ids += [one.id for one in page]
        after = (page[-1].date, page[-1].id)
    assert ids == sorted((str(one.pk) for one in issued), reverse=True)


def test_forged_links_open_nothing(parties):
    """One letter changed, a part cut off, another's signature: all are refused alike."""
    good, other = path_for(parties[KOPI]), path_for(parties[MUELLER])
    assert visitor().get(good).status_code == 200
    turned = good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:]
    for bad in (turned, good[:-1], f"{good.partition('.')[0]}.{other.partition('.')[2]}"):
        assert visitor().get(bad).status_code == 403


def test_a_party_on_hold_gets_no_page(parties):
    """Neither a link nor, where there was one, a page."""
    party = a_party()
    path = path_for(party)
    Party.objects.filter(pk=party.pk).update(on_hold=True)
    assert visitor().get(path).status_code == 403
    answer = visitor(ANA).get(page_of(parties[HARBOUR]))
    assert "/portal/" not in re.sub("/settings/portal", "", answer.text)


@pytest.mark.parametrize("number", [KOPI, MUELLER, BEAN_THERE])
def test_the_balance_is_that_of_the_postings(parties, number):
    """By currency, invoices and refunds less all else."""
    access = portal().preview(str(parties[number].pk), by=ANA)
    balances = {}
    for posting in Posting.objects.filter(party=parties[number]):
        sign = 1 if posting.kind in bookkeeping.DEBITS else -1
        amount = balances.get(posting.currency, 0) + sign * posting.amount
        balances[posting.currency] = amount
    found = access.statement().by_currency
    assert {name: one.closing_balance for name, one in found.items()} == balances
    assert any(balances.values())


# --- the ERP itself -------------------------------------------------------------------------


def test_the_admin_posts_drafts_and_nothing_twice():
    """The action posts what is selected; a document that is posted already is refused, and told."""
    party = a_party()
    draft = a_draft(party)
    form = {"action": "post_and_mail", "_selected_action": draft.pk}
    browser = visitor(ANA)
    page = browser.post("/admin/erp/document/", form, follow=True)
    assert f"{draft} is posted." in page.text
    page = browser.post("/admin/erp/document/", form, follow=True)
    assert f"{draft} is issued, not draft" in page.text
    assert party.postings.count() == 1
    assert len(mails_to(party)) == 1
    page = browser.get(f"/admin/erp/document/{draft.pk}/change/")
    assert 'name="number"' not in page.text
    for model in ("party", "document", "posting", "matching"):
        assert browser.get(f"/admin/erp/{model}/").status_code == 200
    record = browser.get(f"/admin/erp/party/{party.pk}/change/")
    assert f'<a href="{page_of(party)}">Portal</a>' in record.text
    assert browser.get(page_of(party)).status_code == 200


def test_the_invoice_run_posts_what_is_due(capsys):
    """Each draft dated up to today; one that is refused keeps none of the others."""
    party = a_party()
    good, wrong = a_draft(party), a_draft(party, price="-5")
    future = a_draft(party, date=dt.date(2999, 1, 1))
    call_command("post_drafts", by="run")
    out, err = capsys.readouterr()
    assert f"{good}: posted, with a link" in out
    assert f"{wrong}: {wrong} has a negative total" in err
    states = Document.objects.filter(pk__in=[good.pk, wrong.pk, future.pk])
    assert [one.state for one in states.order_by("pk")] == ["issued", "draft", "draft"]
    assert token_of(party).issued_by == "run"
    wrong.delete()


def test_books_that_do_not_add_up_are_refused():
    """More than is open, two parties, two currencies, a debit as a credit: nothing is kept."""
    party, other = a_party(), a_party()
    invoice = bookkeeping.post(a_draft(party)).postings.get()
    paid = bookkeeping.receive(party, TODAY, "EUR", Decimal(20), "BANK")
    foreign = bookkeeping.receive(other, TODAY, "EUR", Decimal(20), "BANK")
    dollars = bookkeeping.receive(party, TODAY, "USD", Decimal(20), "BANK")
    for credit, amount in ((paid, 11), (foreign, 1), (dollars, 1), (invoice, 1)):
        with pytest.raises(ValidationError):
            bookkeeping.match(invoice, credit, Decimal(amount), TODAY)
    assert not invoice.settled_by.exists()
    bookkeeping.match(invoice, paid, Decimal(10), TODAY)
    with pytest.raises(ValidationError, match="only 0"):
        bookkeeping.match(invoice, paid, Decimal("0.01"), TODAY)
    with pytest.raises(ValidationError, match="is no invoice"):
        bookkeeping.cancel(bookkeeping.post(a_draft(party, kind="order")), TODAY)


def test_django_writes_at_once():
    """A transaction begins with the lock, so it never finds that others have written since."""
    assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)


# --- the command ----------------------------------------------------------------------------


def test_the_command_serves_and_ends(tmp_path):
    """It takes the next free port, shows addresses that work, logs no link, and ends with 0."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, run.__file__, "--data", str(tmp_path), "--port", str(port)]
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            said = []
            while not said or "Ctrl+C" not in said[-1]:
                line = process.stdout.readline()
                assert line, process.stderr.read()
                said.append(line)
            (link,) = re.findall(r"http://\S+/portal/\S+\.\S+", "".join(said))
            assert urllib.request.urlopen(link, timeout=10).status == 200
            assert f":{port}/" not in link
            with pytest.raises(HTTPError) as refused:
                urllib.request.urlopen(link[:-1], timeout=10)
            assert refused.value.code == 403
            refused.value.close()
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert '"GET /portal/' in err
    assert link.rpartition(".")[2] not in out + err


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
        assert other.server_port != 65535


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


def test_operators_act_on_the_portal_of_the_pages():
    """They see its tokens and that all is well, and what they revoke the pages refuse."""
    party = a_party()
    path = path_for(party)
    tokens = operate("tokens", "list", "--limit", "200")["tokens"]
    assert token_of(party).id in {one["id"] for one in tokens}
    assert operate("health")["health"]["ok"]
    assert operate("tokens", "link", str(party.pk))["link"] == settings.ERP_URL + path
    assert visitor().get(path).status_code == 200
    operate("tokens", "revoke", str(party.pk), "--by", ANA)
    assert visitor().get(path).status_code == 403
    assert token_of(party).ended_by == ANA
