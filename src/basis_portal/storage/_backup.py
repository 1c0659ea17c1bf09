"""A consistent copy of a storage in an SQLite file, made while the portal goes on."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ..errors import StorageError
from ._place import Place
from ._place_sqlite import SQLitePlace
from ._transfer import transfer

_SUFFIXES = ("", "-journal", "-wal", "-shm")


def back_up(source: Place, path: str | os.PathLike[str]) -> None:
    """Write a copy to a new file that only its owner may read.

    Until it is whole and on the disk it has another name, so a file of this name is a backup.
    A copy of an SQLite file has its tables at the step they are at.

    Raises:
        StorageError: there is such a file already, or the source cannot be read.
        OSError: the file cannot be written.
    """
    with _new_file(Path(path).absolute()) as unfinished, closing(SQLitePlace(unfinished)) as copy:
        if isinstance(source, SQLitePlace):
            source.copy_to(copy)
        else:
            transfer(source, copy)
        copy.finish()


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """A file of another name in the same folder, which gets its own at the end."""
    if path.exists():
        raise _taken(path)
    if not path.parent.is_dir():
        raise StorageError(f"there is no folder {str(path.parent)!r}; make it, or name another one")
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield unfinished
        _sync(unfinished)
        _give_name(unfinished, path)
    finally:
        for suffix in _SUFFIXES:
            Path(f"{unfinished}{suffix}").unlink(missing_ok=True)


def _give_name(unfinished: Path, path: Path) -> None:
    """Rename without replacing a file that came meanwhile, where the file system can do that."""
    try:
        os.link(unfinished, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # no hard links here
        if path.exists():
            raise _taken(path) from None
        unfinished.rename(path)
    with suppress(PermissionError):  # Windows opens no folders
        _sync(path.parent)


def _sync(path: Path) -> None:
    """See that it is on the disk."""
    number = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _taken(path: Path) -> StorageError:
    return StorageError(f"there is a file {str(path)!r} already; name another one")
