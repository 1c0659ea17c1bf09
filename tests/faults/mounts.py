"""Small file systems made for a moment, which only root may mount; always unmounted at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class NotPossible(Exception):
    """Here nothing can be mounted."""


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A disk in memory of this size."""
    place = folder / "small"
    place.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", place)
        yield place
    finally:
        _unmount(place)


@contextmanager
def ext4_disk(folder: Path) -> Iterator[Path]:
    """An ext4 file system in a file, which `abort` makes read-only as a broken disk would."""
    image, place = folder / "image", folder / "ext4"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    try:
        _run("mkfs.ext4", "-q", image)
        _run("mount", "-o", "loop", image, place)
        yield place
    finally:
        _unmount(place)


def abort(place: Path) -> None:
    """Let the kernel find a fault of the disk: at once nothing can be written, open or not."""
    _run("mount", "-o", "remount,abort", place)


def repair(place: Path) -> None:
    """Check an `ext4_disk` and mount it again; no file on it may be open."""
    _run("umount", place)
    checked = _try("fsck.ext4", "-fy", place.parent / "image")
    if checked.returncode > 1:
        raise NotPossible(f"fsck: {checked.stderr}")
    _run("mount", "-o", "loop", place.parent / "image", place)


def protect(place: Path, *, on: bool) -> None:
    """Mount a `small_disk` read-only or not; no file on it may be open for writing."""
    _run("mount", "-o", "remount,ro" if on else "remount,rw", place)


def fill_up(place: Path, left: int) -> None:
    """Fill a disk with a file but for so many bytes."""
    ballast = place / "ballast"
    ballast.unlink(missing_ok=True)
    found = os.statvfs(place)
    size = found.f_bavail * found.f_frsize - left
    with open(ballast, "wb") as file:
        file.write(b"\0" * max(size, 0))


def make_room(place: Path) -> None:
    """Remove what fills a disk."""
    (place / "ballast").unlink(missing_ok=True)


def _try(*command: object) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [*map(str, command)], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError as error:
        raise NotPossible(str(error)) from error


def _run(*command: object) -> None:
    done = _try(*command)
    if done.returncode:
        raise NotPossible(done.stderr.strip() or f"{command[0]} failed")


def _unmount(place: Path) -> None:
    """Unmount, at the latest when nothing on it is open any more."""
    with suppress(NotPossible):
        for how in ((), ("-l",)):
            if not os.path.ismount(place) or not _try("umount", *how, place).returncode:
                break
    if not os.path.ismount(place):
        shutil.rmtree(place, ignore_errors=True)
