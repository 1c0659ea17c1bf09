"""E-mails written to a folder, and e-mails handed to a function of the host."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.mail.messages import LINK, a_message

from basis_portal import (
    InvalidValue,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
)
from basis_portal.mail import outbox as outbox_module
from basis_portal.mail.envelope import Envelope
from basis_portal.mail.function import FunctionTransport
from basis_portal.mail.outbox import OutboxTransport
from basis_portal.mail.transport import Transport


def send(transport: Transport, *messages: EmailMessage) -> None:
    """Send messages over one connection."""
    with transport.connect() as connection:
        for message in messages:
            connection.send(message)


def mode_of(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


# --- the outbox ----------------------------------------------------------------------------


def test_an_email_is_one_file(tmp_path: Path) -> None:
    """It holds what a mail server would have been given, and is read back as it was."""
    outbox, message = OutboxTransport(tmp_path / "mail" / "outbox"), a_message()
    send(outbox, message)
    (path,) = outbox.files()
    assert path.read_bytes() == Envelope.of(message).content
    (found,) = outbox.messages()
    assert found["To"] == "finance@kopi.example"
    assert found["Subject"] == message["Subject"]
    assert LINK in found.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_emails_are_for_their_owner_alone(tmp_path: Path) -> None:
    """They hold links: nobody else on the machine may read the folder or a file."""
    before = os.umask(0)
    try:
        outbox = OutboxTransport(tmp_path / "outbox")
        send(outbox, a_message())
    finally:
        os.umask(before)
    assert mode_of(outbox.folder) == 0o700
    assert [mode_of(path) for path in outbox.files()] == [0o600]


def in_a_process(folder: Path, name: str, number: int) -> subprocess.Popen[bytes]:
    """Another process that writes so many e-mails to an outbox."""
    code = (
        "import sys; from tests.mail.messages import a_message\n"
        "from basis_portal.mail.outbox import OutboxTransport\n"
        "with OutboxTransport(sys.argv[1]).connect() as connection:\n"
        "    for n in range(int(sys.argv[3])):\n"
        "        connection.send(a_message(to=f'{sys.argv[2]}{n}@kopi.example'))\n"
    )
    command = [sys.executable, "-c", code, str(folder), name, str(number)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2])


def recipients(folder: Path) -> list[str]:
    """To whom the e-mails of an outbox are, in order."""
    return [str(message["To"]) for message in OutboxTransport(folder).messages()]


@pytest.fixture
def at_one_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk so quick that all e-mails are written at one instant of the file system."""
    monkeypatch.setattr(os, "fsync", lambda number: os.utime(number, ns=(10**18, 10**18)))


@pytest.mark.usefixtures("at_one_instant")
def test_emails_are_listed_in_the_order_they_were_sent(tmp_path: Path) -> None:
    """Also over several connections and transports, and however fast they follow."""
    addresses = [f"a{number}@kopi.example" for number in range(60)]
    for start in range(0, 60, 20):
        messages = [a_message(to=address) for address in addresses[start : start + 20]]
        send(OutboxTransport(tmp_path), *messages)
    assert recipients(tmp_path) == addresses


def test_the_order_is_that_of_all_processes(tmp_path: Path) -> None:
    """Each counts for itself, but one that comes later sorts later."""
    send(OutboxTransport(tmp_path), *[a_message(to="first@kopi.example")] * 3)
    assert in_a_process(tmp_path, "b", 2).wait(timeout=120) == 0
    send(OutboxTransport(tmp_path), a_message(to="last@kopi.example"))
    addresses = [*["first"] * 3, "b0", "b1", "last"]
    assert recipients(tmp_path) == [f"{name}@kopi.example" for name in addresses]


@pytest.mark.usefixtures("at_one_instant")
def test_no_email_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that another process, which counts for itself, writes at the same instant."""
    monkeypatch.setattr(outbox_module, "_numbers", itertools.repeat(0))
    send(OutboxTransport(tmp_path), *[a_message()] * 100)
    assert len(recipients(tmp_path)) == 100


def test_several_processes_write_to_one_outbox(tmp_path: Path) -> None:
    """Each e-mail is there, those of one process in its order."""
    processes = [in_a_process(tmp_path, name, 40) for name in "abc"]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    found = recipients(tmp_path)
    for name in "abc":
        own = [address for address in found if address.startswith(name)]
        assert own == [f"{name}{number}@kopi.example" for number in range(40)]
    assert len(found) == 120


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """Looking into an outbox makes no folder."""
    assert OutboxTransport(tmp_path / "none").messages() == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_an_email_is_there_whole_or_not_at_all(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full at whatever step leaves no file, and the next e-mail is written."""
    outbox = OutboxTransport(tmp_path)

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, full)
        with pytest.raises(MailServerUnavailable, match=r"outbox .* No space left"):
            send(outbox, a_message())
    assert list(tmp_path.iterdir()) == []
    send(outbox, a_message())
    assert len(outbox.messages()) == 1


def test_an_email_that_the_disk_may_not_have_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has its name, but the folder could not be written to the disk."""
    calls: list[int] = []
    real = os.fsync

    def second_fails(number: int) -> None:
        calls.append(number)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        real(number)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(MailOutcomeUnknown, match="outbox"):
        send(OutboxTransport(tmp_path), a_message())


def test_an_email_that_was_cut_short_is_not_listed(tmp_path: Path) -> None:
    """What a killed process left behind is no e-mail."""
    (tmp_path / ".0123.part").write_bytes(b"To: a@x")
    outbox = OutboxTransport(tmp_path)
    send(outbox, a_message())
    assert len(outbox.messages()) == 1


def test_an_outbox_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """Told on entering, by its name."""
    (tmp_path / "file").write_text("in the way")
    transport = OutboxTransport(tmp_path / "file" / "outbox")
    with pytest.raises(MailServerUnavailable, match="file/outbox"), transport.connect():
        pytest.fail("entered")


# --- a function of the host ----------------------------------------------------------------


def test_a_function_is_given_the_message() -> None:
    """The very message, once."""
    given: list[EmailMessage] = []
    message = a_message()
    send(FunctionTransport(given.append), message)
    assert given == [message]


@pytest.mark.parametrize(
    "error", [MailRefused("no", code=550), MailServerUnavailable("down"), MailOutcomeUnknown("?")]
)
def test_a_function_may_say_what_failed(error: MailError) -> None:
    """An error of ours passes as it is."""

    def fails(message: EmailMessage) -> None:
        raise error

    with pytest.raises(MailError) as failed:
        send(FunctionTransport(fails), a_message())
    assert failed.value is error


@pytest.mark.parametrize("error", [ValueError, ConnectionError, TimeoutError])
def test_any_other_error_leaves_it_open(error: type[Exception]) -> None:
    """Nobody knows what was done before; what it says is not repeated, as it may hold the link."""

    def fails(message: EmailMessage) -> None:
        raise error(f"could not send {LINK}")

    with pytest.raises(MailOutcomeUnknown, match=error.__name__) as failed:
        send(FunctionTransport(fails), a_message())
    assert LINK not in str(failed.value)
    assert failed.value.__context__ is failed.value.__cause__ is None


def test_what_cannot_be_called_is_refused() -> None:
    """When the transport is made, not at the first e-mail."""
    with pytest.raises(InvalidValue, match=r"FunctionTransport\.function must be callable"):
        FunctionTransport("sendmail")  # type: ignore[arg-type]


async def begins(message: EmailMessage) -> None:
    """A function that nobody awaits."""
    pytest.fail("run")


class Begins:
    """As above."""

    async def __call__(self, message: EmailMessage) -> None:
        """As above."""


@pytest.mark.parametrize("function", [begins, Begins(), partial(begins), partial(Begins())])
def test_an_async_function_is_refused(function: Callable[[EmailMessage], object]) -> None:
    """It would send nothing, and nobody would notice."""
    with pytest.raises(
        InvalidValue, match=r"FunctionTransport\.function must send before it returns"
    ):
        FunctionTransport(function)


def test_a_coroutine_is_nothing_sent() -> None:
    """Where a plain function returns one, the e-mail may be sent again; it is never begun."""
    with pytest.raises(MailServerUnavailable, match="returned a coroutine: nothing was sent"):
        send(FunctionTransport(lambda _: begins(a_message())), a_message())


def test_what_is_to_be_awaited_leaves_it_open() -> None:
    """A task that was begun elsewhere may send the e-mail yet."""
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(MailOutcomeUnknown, match="returned a Future to be awaited"):
            send(FunctionTransport(lambda _: loop.create_future()), a_message())
    finally:
        loop.close()


def test_the_documented_function_sends_by_django() -> None:
    """What the page shows sends the same e-mail by Django's own mail."""
    root = Path(__file__).parents[2]
    page = (root / "docs" / "how-to" / "send-mail.md").read_text("utf-8")
    (recipe,) = re.findall(r"^```python\n(# erp_mail\.py\n.*?)^```$", page, re.M | re.S)
    code = (
        "import django\n"
        "from django.conf import settings\n"
        "backend = 'django.core.mail.backends.locmem.EmailBackend'\n"
        "if django.VERSION >= (6, 1):\n"
        "    settings.configure(MAILERS={'default': {'BACKEND': backend}})\n"
        "else:\n"
        "    settings.configure(EMAIL_BACKEND=backend)\n"
        f"exec({recipe!r})\n"
        "from django.core import mail\n"
        "from tests.mail.messages import a_message\n"
        "with transport.connect() as connection:\n"
        "    connection.send(a_message())\n"
        "(sent,) = mail.outbox\n"
        "print(sent.message().as_bytes().decode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, check=True, timeout=120
    )
    message = message_from_bytes(done.stdout, policy=policy.default)
    assert isinstance(message, EmailMessage)
    for name in ("From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted"):
        assert str(message[name]).strip() == str(a_message()[name])
    for kind in ("plain", "html"):
        assert LINK in message.get_body((kind,)).get_content()  # type: ignore[union-attr]


# --- both ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [OutboxTransport, lambda _: FunctionTransport(pytest.fail)])
@pytest.mark.parametrize(
    ("name", "value"),
    [("To", "a@x.example, b@y.example"), ("To", "nobody"), ("From", None), ("Bcc", "b@y.example")],
)
def test_no_transport_sends_to_others(
    make: Callable[[Path], Transport], name: str, value: str | None, tmp_path: Path
) -> None:
    """One address or nothing, as over SMTP."""
    message = a_message()
    del message[name]
    if value:
        message[name] = value
    with pytest.raises(InvalidValue, match=name):
        send(make(tmp_path), message)
    assert list(tmp_path.iterdir()) == []
