"""Run Tryton with the portal before it, on this machine alone.

    python examples/hosts/tryton_erp/run.py [--data FOLDER] [--port PORT]

The first run in a folder makes the database and its sample data. Without --data the folder is
a temporary one that is removed at the end. Ctrl+C ends.
"""

import argparse
import contextlib
import datetime as dt
import logging
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import database
import portal_site
import sample_data
from portal_repositories import Company
from werkzeug.serving import ThreadedWSGIServer

from basis_portal import Portal, PortalConfig
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.web import TokenFilter

HOST, PORT = "127.0.0.1", 8000


def prepare(folder: Path) -> None:
    """Open the database of a folder; where there is none, make it with its sample data."""
    database.use_folder(folder)
    if database.exists(folder):
        database.open_database()
        return
    say("Making a Tryton database with its modules: half a minute or so...")
    with _whole_or_nothing(folder):
        database.create_database()
        say("Posting the books of Nordlicht Kaffee GmbH...")
        sample_data.make_company(dt.datetime.now(dt.UTC).date())


@contextlib.contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for file in folder.glob(f"{database.NAME}.sqlite*"):
            file.unlink()
        raise


def first_settings(portal: Portal) -> None:
    """Switch the portal on, at the first run."""
    if portal.settings.get().version == 0:
        config = PortalConfig(
            enabled=True,
            show_sales_orders=True,
            show_credit_notes=True,
            show_statement=True,
            allow_messages=True,
        )
        portal.settings.save(config, by=sample_data.STAFF)


def link_of_kopi(portal: Portal) -> str:
    """A link to try."""
    (kopi, *_) = portal.customers.search(sample_data.KOPI).items
    portal.tokens.ensure(kopi.id, by=sample_data.STAFF)
    return portal.tokens.link(kopi.id, by=sample_data.STAFF)


def serve(folder: Path, listener: socket.socket) -> None:
    """Answer until Ctrl+C."""
    port = listener.getsockname()[1]
    address = f"http://{HOST}:{port}"
    company = Company(database.NAME, database.COMPANY)
    storage = SQLiteStorage(folder / "portal.db")
    keys = portal_site.secret_keys(folder)
    portal = portal_site.make_portal(company, storage, keys, f"{address}/portal")
    first_settings(portal)
    say(
        "",
        f"A customer's portal:  {link_of_kopi(portal)}",
        f"Staff sign in:        {address}/{company.database}/sign-in",
        f"                      {sample_data.STAFF} or {sample_data.VIEWER} (who may only look),"
        f" password {sample_data.PASSWORD}",
        f"Staff pages:          {address}/{company.database}/settings/portal",
        f"Tryton itself:        {address}/{company.database}/ for a Tryton client, version 8",
        "",
        "Ctrl+C ends.",
    )
    app = portal_site.application(portal, company)
    with (
        contextlib.closing(storage),
        ThreadedWSGIServer(HOST, port, app, fd=listener.fileno()) as server,
    ):
        server.serve_forever()


def listen(port: int) -> socket.socket:
    """A socket of this machine alone, on the port or the next free one."""
    for one in range(port, min(port + 20, 2**16)):
        with contextlib.suppress(OSError):
            return socket.create_server((HOST, one))
    return socket.create_server((HOST, 0))


def say(*lines: str) -> None:
    """Print at once."""
    print(*lines, sep="\n", flush=True)


def keep_links_out_of_logs() -> None:
    """The server's log and Tryton's go to standard error, without links."""
    handler = logging.StreamHandler()
    handler.addFilter(TokenFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("werkzeug").setLevel(logging.INFO)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Tryton with the portal before it.")
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="where everything is kept")
    parser.add_argument("--port", type=_port, default=PORT, help="the next free one where taken")
    options = parser.parse_args(arguments)
    try:
        if options.data is not None:
            options.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --data: {options.data}: {error.strerror}")
    signal.signal(signal.SIGTERM, _interrupt)
    keep_links_out_of_logs()
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        listener = stack.enter_context(listen(options.port))
        prepare(folder.resolve())
        serve(folder.resolve(), listener)


def _port(text: str) -> int:
    found = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if found not in (0, *range(1024, 2**16)):
        raise argparse.ArgumentTypeError("must be 0 or a whole number from 1024 to 65535")
    return found


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
