"""E-mails written to a folder instead of sent: for trying out, for tests, for a mail program."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import attrs

from ..errors import MailOutcomeUnknown, MailServerUnavailable
from .envelope import Envelope

_numbers = itertools.count()


@attrs.define(frozen=True)
class OutboxTransport:
    """Writes each e-mail as one ``.eml`` file, whole or not at all.

    Files are named so that they sort in the order in which they were written, also by several
    processes. They hold links: the folder and the files are for their owner alone.

    Attributes:
        folder: where they go; made with its parents when first used.
    """

    folder: Path = attrs.field(converter=Path)

    @contextmanager
    def connect(self) -> Iterator[OutboxTransport]:
        """This transport itself; raises `MailServerUnavailable` where it cannot make the folder."""
        with self._as_unavailable():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield self

    def send(self, message: EmailMessage) -> None:
        """Write one message; it is on the disk when this returns.

        Raises:
            InvalidValue: the message is not from one address to one address.
            MailServerUnavailable: it could not be written.
            MailOutcomeUnknown: it is there, but the disk may not have it.
        """
        content = Envelope.of(message).content
        with self._as_unavailable():
            written = self._write(content)
            try:
                # The order of files is that of the file system's own time, ties by a number.
                order = f"{written.stat().st_mtime_ns:020}-{next(_numbers):06}"
                written.replace(self.folder / f"{order}-{secrets.token_hex(8)}.eml")
            except BaseException:
                written.unlink(missing_ok=True)
                raise
        try:
            _sync_folder(self.folder)
        except OSError as error:
            raise MailOutcomeUnknown(f"The outbox {self.folder} failed: {error}") from error

    def files(self) -> list[Path]:
        """The files of all e-mails, oldest first."""
        return sorted(self.folder.glob("*.eml"))

    def messages(self) -> list[EmailMessage]:
        """All e-mails as a mail program reads them, oldest first."""
        return [_read(path) for path in self.files()]

    def _write(self, content: bytes) -> Path:
        """A new file of another name that nobody takes for an e-mail."""
        path = self.folder / f".{secrets.token_hex(8)}.part"
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(number, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    @contextmanager
    def _as_unavailable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = f"The outbox {self.folder} cannot be written: {error.strerror or error}"
            raise MailServerUnavailable(reason) from error


def _read(path: Path) -> EmailMessage:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _sync_folder(folder: Path) -> None:
    with suppress(PermissionError):  # where a folder cannot be opened: Windows
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
