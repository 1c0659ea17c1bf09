"""The example of e-mails runs as it stands, to a folder and by a mail server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from basis_portal.mail import OutboxTransport

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SUBJECTS = [
    "Your invoices from Nordlicht Kaffee GmbH",
    "Invoice INV-1001",
    "Nordlicht Kaffee GmbH has answered you",
]
SAID = [
    "Sent to {to}: sent",
    "reply to {to}: sent",
    "A link in the invoice mail after revoke: no",
]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MAIL_")]:
        monkeypatch.delenv(name)


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_it_writes_to_a_folder(run_example: Run, tmp_path: Path) -> None:
    """Three e-mails: the link, the host's own with the same link, and that staff have answered."""
    ended = run_example("send_mail.py", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[:3] == [
        line.format(to="finance@kopi.example") for line in SAID
    ]
    messages = OutboxTransport(tmp_path / "outbox").messages()
    assert [message["Subject"] for message in messages] == SUBJECTS
    assert all(subject in ended.stdout for subject in SUBJECTS)
    links = {
        word
        for message in messages
        for word in _text(message).split()
        if word.startswith("https://")
    }
    assert len(links) == 1
    assert f"See this invoice and your account online: {links.pop()}\n" in _text(messages[1])


def test_it_leaves_nothing_where_no_folder_is_named(run_example: Run, tmp_path: Path) -> None:
    """It says the same, and the folder it used is gone."""
    ended = run_example("send_mail.py")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert SUBJECTS[1] in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_sends_by_a_mail_server(run_example: Run, tmp_path: Path) -> None:
    """Where the environment names one: to the address in MAIL_TO, and none goes to the folder."""
    servers = pytest.importorskip("tests.mail.servers")
    with servers.smtp_server() as server:
        given = {
            "MAIL_HOST": servers.HOST,
            "MAIL_PORT": str(server.port),
            "MAIL_SECURITY": "none",
            "MAIL_TO": "me@here.example",
        }
        ended = run_example("send_mail.py", tmp_path, env={**os.environ, **given})
        assert (ended.returncode, ended.stderr) == (0, "")
        assert server.recipients == ["me@here.example"] * 3
        subjects = [
            message_from_bytes(one.content, policy=policy.default)["Subject"]
            for one in server.taken
        ]
    assert subjects == SUBJECTS
    assert ended.stdout.splitlines() == [line.format(to="me@here.example") for line in SAID]
    assert list(tmp_path.iterdir()) == []


def test_it_asks_for_an_address_before_it_sends(run_example: Run) -> None:
    """A mail server without MAIL_TO: one line, and nobody is sent anything."""
    ended = run_example("send_mail.py", env={**os.environ, "MAIL_HOST": "mail.seller.example"})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "send_mail.py: set MAIL_TO as well, the address the e-mails go to\n"
