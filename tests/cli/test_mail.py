"""`basis-portal mail`: by the application's own mailer, in its working folder."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from tests.cli.places import Ran

from basis_portal import MailOutcomeUnknown, MailServerUnavailable, PortalConfig
from basis_portal.mail import OutboxTransport

Run = Callable[..., Ran]
_modules = itertools.count()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An application of three customers in the working folder; the name of its module."""
    name = f"shop{next(_modules)}"
    (tmp_path / f"{name}.py").write_text(
        dedent(
            """
            import os
            from basis_portal import Customer, MailServerUnavailable, Portal, PortalConfig
            from basis_portal.mail import FunctionTransport, Mailer, OutboxTransport
            from basis_portal.storage.sqlite import SQLiteStorage

            storage = SQLiteStorage("shop.db")
            storage.customers.save(
                Customer("C-1", "One", email="one@shop.example"),
                Customer("C-2", "Two"),
                Customer("C-3", "Three", email="three@shop.example"),
            )
            portal = Portal(
                storage, secret_keys=["k" * 40], base_url="https://erp.example.com/portal"
            )
            portal.settings.save(PortalConfig(enabled=True, allow_messages=True))
            transport = OutboxTransport("outbox")

            def down(_):
                raise MailServerUnavailable(os.environ["DOWN"])

            def make():
                through = FunctionTransport(down) if os.environ.get("DOWN") else transport
                return Mailer(
                    portal, transport=through, sender="p@shop.example", staff="s@shop.example"
                )

            def fails():
                raise RuntimeError("no secret is set")

            mailer = make()
            number = 5
            """
        ),
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BASIS_PORTAL_MAILER", f"{name}:mailer")
    return name


@pytest.fixture
def ids(tmp_path: Path, app: str) -> Path:
    """A file with the ids of four customers, of whom one is nobody."""
    path = tmp_path / "ids"
    path.write_bytes(b"\xef\xbb\xbfC-1\r\nC-2\r\n\r\nC-3\r\nC-9\r\n")
    return path


def test_a_run_is_sent_and_reported(run: Run, app: str, ids: Path) -> None:
    """Each customer is mailed or named with the reason; repeating it sends nothing."""
    ran = run("mail", "send", "invoices 2026-04", ids, "--by", "ana")
    assert ran.status == 0
    assert ran.out.splitlines()[-1] == "2 sent, 2 skipped"
    assert "skipped  C-2: no e-mail address on file, or it is not one" in ran.out
    assert "skipped  C-9: no such customer" in ran.out
    assert len(OutboxTransport(Path("outbox")).files()) == 2
    again = run("mail", "send", "invoices 2026-04", ids)
    assert (again.status, again.out) == (0, "Nothing to send.\n")
    assert len(OutboxTransport(Path("outbox")).files()) == 2
    report = run("mail", "report", "invoices 2026-04")
    assert report.out.startswith("0 queued, 0 sending, 2 sent, 0 failed, 0 unknown, 2 skipped\n")
    assert "skipped  C-9: no such customer" in report.out


def test_as_json(run: Run, app: str, ids: Path) -> None:
    """For programs."""
    assert json.loads(run("mail", "send", "r", ids, "--json").out) == {
        "sent": 2,
        "skipped": 2,
        "problem": None,
    }
    report = json.loads(run("mail", "report", "r", "--json").out)
    assert (report["sent"], report["skipped"]) == (2, 2)
    assert {one["customer_id"]: one["problem"] for one in report["customers"]} == {
        "C-2": "no_address",
        "C-9": "unknown",
    }
    assert json.loads(run("mail", "run", "--json").out) == {"problem": None}
    assert json.loads(run("mail", "expiring", "--days", "40", "--json").out) == {"queued": True}


def test_what_is_queued_is_sent(run: Run, app: str) -> None:
    """A notice to staff, for one."""
    assert run("mail", "run").out == "Nothing to send.\n"
    assert run("mail", "expiring").out == "No link expires so soon.\n"
    shop = sys.modules[app]
    shop.portal.tokens.generate("C-1", days=3)
    assert run("mail", "expiring", "--days", "3").out == "A notice to staff is queued.\n"
    assert run("mail", "run", "--limit", "5").out == "1 sent\n"
    (message,) = OutboxTransport(Path("outbox")).messages()
    assert message["To"] == "s@shop.example"


def test_a_server_that_is_down(
    run: Run, app: str, ids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told with status 1; all stays queued."""
    monkeypatch.setenv("DOWN", "the mail server cannot be reached")
    ran = run("mail", "send", "r", ids, "--mailer", f"{app}:make")
    assert ran.status == 1
    assert "the mail server cannot be reached; what is left stays queued" in ran.err
    assert ran.out.splitlines()[-1].startswith("1 queued")
    report = json.loads(run("mail", "report", "r", "--json").out)
    assert report["queued"] == 4 - report["skipped"]


def test_what_a_hosts_function_quotes_is_not_repeated(
    run: Run, app: str, ids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron mails and keeps what is printed: no link is in it."""
    token = f"{'a' * 22}.{'b' * 43}"
    monkeypatch.setenv("DOWN", f"provider is down; it was sent https://x.example/{token}")
    ran = run("mail", "send", "r", ids, "--mailer", f"{app}:make")
    assert ran.status == 1
    assert "provider is down" in ran.err
    assert "b" * 43 not in ran.out + ran.err
    told = run("mail", "send", "r2", ids, "--mailer", f"{app}:make", "--json").out
    assert "provider is down" in told
    assert "b" * 43 not in told


def test_an_application_that_fails_is_told_after_what_was_done(
    run: Run, app: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the totals, and status 1; all that is left stays queued."""
    (tmp_path / "many").write_text("C-1\nC-3\nC-4\nC-5\n", encoding="utf-8")
    run("mail", "run")
    shop = sys.modules[app]

    def get(_: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(shop.portal.customers, "get", get)
    ran = run("mail", "send", "r", "many")
    assert ran.status == 1
    assert "3 queued" in ran.out
    assert "the application failed (ConnectionError); what is left stays queued" in ran.err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "say which Mailer: --mailer MODULE:NAME"),
        ("shop", "say which Mailer"),
        (":mailer", "say which Mailer"),
        (
            "nowhere_at_all:mailer",
            "'nowhere_at_all:mailer' cannot be used: ModuleNotFoundError: No module named",
        ),
        ("{app}:nothing", "AttributeError: module '{app}' has no attribute 'nothing'"),
        ("{app}:fails", "'{app}:fails' cannot be used: RuntimeError: no secret is set"),
        ("{app}:number", "is no basis_portal.mail.Mailer, and makes none"),
        ("{app}:portal", "is no basis_portal.mail.Mailer"),
    ],
)
def test_whose_e_mails(
    run: Run, app: str, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    """What is no mailer is named, with status 2."""
    monkeypatch.delenv("BASIS_PORTAL_MAILER")
    ran = run("mail", "run", "--mailer", name.format(app=app))
    assert ran.status == 2
    assert told.format(app=app) in ran.err


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ValueError('no DSN')", "ValueError: no DSN"),
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("from os import nothing", "ImportError: cannot import name 'nothing'"),
        ("def (", "SyntaxError: invalid syntax"),
    ],
)
def test_a_module_that_fails_is_told(
    run: Run, app: str, tmp_path: Path, code: str, told: str
) -> None:
    """Whatever it raises: its kind and its words, with status 2 and without a traceback."""
    name = f"shop{next(_modules)}"
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    ran = run("mail", "run", "--mailer", f"{name}:mailer")
    assert ran.status == 2
    assert f"'{name}:mailer' cannot be used: {told}" in ran.err
    assert ran.out == ""


def test_while_the_portal_is_off_it_says_so(run: Run, app: str, ids: Path) -> None:
    """How many wait, and for what, of a run and of the rest; they go out once it is on."""
    run("mail", "report")
    shop = sys.modules[app]
    shop.portal.tokens.generate("C-1", days=3)
    run("mail", "expiring")
    shop.portal.settings.save(PortalConfig(enabled=False))
    off = "the portal is off: nothing is sent until it is on"
    ran = run("mail", "send", "r", ids)
    assert (ran.status, ran.out) == (0, f"4 queued; {off}.\n")
    assert run("mail", "run", "--run", "r").out == f"4 queued; {off}.\n"
    assert run("mail", "run").out == f"1 queued, besides those of runs; {off}.\n"
    assert json.loads(run("mail", "run", "--json").out) == {"problem": off}
    shop.portal.settings.save(PortalConfig(enabled=True))
    assert run("mail", "run").out.splitlines()[-1] == "3 sent, 2 skipped"


def test_what_waits_or_is_in_doubt_is_told(run: Run, app: str, tmp_path: Path) -> None:
    """A run of which nothing is left to send now is not said to be done."""
    (tmp_path / "ids").write_text("C-1\nC-3\n", encoding="utf-8")
    run("mail", "report")
    mailing = sys.modules[app].portal.mailing
    assert len(list(mailing.queue_links(["C-1", "C-3"], run="r"))) == 2
    mailing.failed(mailing.claim(run="r"), MailOutcomeUnknown("lost"), again=True)
    mailing.failed(mailing.claim(run="r"), MailServerUnavailable("down"), again=True)
    assert run("mail", "run", "--run", "r").out == "Nothing to send now: 1 queued, 1 unknown.\n"
    assert run("mail", "send", "r", "ids").out == "Nothing to send now: 1 queued, 1 unknown.\n"
    assert run("mail", "run").out == "Nothing to send.\n"


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5"])
def test_a_limit_is_a_whole_number(run: Run, app: str, limit: str) -> None:
    """From 1."""
    with pytest.raises(SystemExit) as ended:
        run("mail", "run", "--limit", limit)
    assert ended.value.code == 2


def test_ids_that_cannot_be_read(run: Run, app: str, tmp_path: Path) -> None:
    """Named, and nothing is queued."""
    (tmp_path / "latin").write_bytes(b"M\xfcller\n")
    ran = run("mail", "send", "r", "latin")
    assert (ran.status, "'latin' is not UTF-8" in ran.err) == (2, True)
    assert run("mail", "send", "r", "missing").status == 1
    assert json.loads(run("mail", "report", "r", "--json").out)["queued"] == 0


def test_ended_politely_it_finishes_the_e_mail_at_hand(app: str, tmp_path: Path) -> None:
    """A signal in the middle: that e-mail is sent and noted, the next one stays queued."""
    script = dedent(
        f"""
        import os, signal, sys
        import {app} as shop
        send = type(shop.transport).send
        def told(self, message):
            os.kill(os.getpid(), signal.SIGTERM)
            send(self, message)
        type(shop.transport).send = told
        from basis_portal.cli import main
        sys.exit(main(["mail", "send", "r", "ids", "--json"]))
        """
    )
    (tmp_path / "ids").write_text("C-1\nC-3\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, {"sent": 1, "problem": None})
    assert len(OutboxTransport(tmp_path / "outbox").files()) == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
