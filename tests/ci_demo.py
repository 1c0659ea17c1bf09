"""Runs the command on standard input in a folder, visits what its demo serves, ends it by Ctrl+C.

Fails unless a customer's page, a staff page and the e-mails are served, and the command ends well.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import IO
from urllib.request import ProxyHandler, build_opener

DEADLINE = 900.0  # seconds, in which pip installs, too
ADDRESS = re.compile(r"\s*(http://127\.0\.0\.1:\d+/\S+)\s*")


def main(folder: str) -> None:
    """Run, visit, end."""
    # What a script starts in the background ignores Ctrl+C, and so does all that this starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        ["bash", "-c", sys.stdin.read()],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        overdue = threading.Timer(DEADLINE, _signal, [command, signal.SIGKILL])
        overdue.start()
        try:
            _visit(command.stdout)
            _signal(command, signal.SIGINT)
            for _ in _shown(command.stdout):
                pass
            status = command.wait()
        finally:
            _signal(command, signal.SIGKILL)
            overdue.cancel()
    assert status == 0, f"the demo ended with status {status}"


def _visit(output: IO[str]) -> None:
    found = filter(None, map(ADDRESS.fullmatch, _shown(output)))
    addresses = [match[1] for match in islice(found, 3)]
    assert len(addresses) == 3, "the demo ended, or was too slow, before it printed its addresses"
    for address in addresses:
        with build_opener(ProxyHandler({})).open(address, timeout=60) as answer:
            print(f"{answer.status} {address}", flush=True)
            assert answer.status == 200
            assert b"<h1" in answer.read()


def _shown(output: IO[str]) -> Iterator[str]:
    for line in output:
        print(line, end="", flush=True)
        yield line


def _signal(command: subprocess.Popen[str], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(command.pid, number)


if __name__ == "__main__":
    main(*sys.argv[1:])
