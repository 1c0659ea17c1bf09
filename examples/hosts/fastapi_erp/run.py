"""Run the ERP with its portal in several worker processes, on this machine alone.

    python examples/hosts/fastapi_erp/run.py [--data FOLDER] [--port PORT] [--workers N]

The first run in a folder makes a PostgreSQL database and its sample data. Without --data the folder
is a temporary one that is removed at the end. Where the environment variable ERP_DSN names a
database, that one is used. Ctrl+C ends.
"""

import argparse
import contextlib
import multiprocessing
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import embedded
import psycopg
import uvicorn
from erp import sample_data
from erp.portal_site import joined_portal
from erp.settings import CONNECTIONS, Settings

from basis_portal import PortalError

HOST, PORT = "127.0.0.1", 8020
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"links": {"()": "basis_portal.web.TokenFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["links"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}


def main(arguments=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description="A FastAPI ERP with its customer portal.")
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="where everything is kept")
    parser.add_argument("--port", type=_port, default=PORT, help="the next free one where taken")
    parser.add_argument("--workers", type=_count, default=2, metavar="N", help="processes")
    options = parser.parse_args(arguments)
    try:
        if options.data is not None:
            options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --data: {options.data}: {error.strerror}")
    for number in ENDING:
        signal.signal(number, _interrupt)
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            dsn = stack.enter_context(database(folder.resolve()))
            start(folder, dsn, free_port(options.port), options.workers)
        except (embedded.CannotStart, PortalError, psycopg.Error, ValueError) as error:
            sys.exit(f"This cannot start: {error}")


def _port(text):
    found = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if found not in (0, *range(1024, 2**16)):
        raise argparse.ArgumentTypeError("must be 0 or a whole number from 1024 to 65535")
    return found


def _count(text):
    if int(text) < 1:
        raise ValueError
    return int(text)


def _interrupt(*_):
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # it ends already
    raise KeyboardInterrupt


def database(folder):
    """The DSN of the database that the environment names, else of a server of our own."""
    if "ERP_DSN" in os.environ:
        return contextlib.nullcontext(os.environ["ERP_DSN"])
    return embedded.postgres(folder)


def free_port(port):
    """The port, or the next free one."""
    for one in [*range(port, min(port + 20, 2**16)), 0]:
        with contextlib.suppress(OSError), socket.create_server((HOST, one)) as free:
            return free.getsockname()[1]
    sys.exit(f"No port from {port} on is free on {HOST}; give another one with --port.")


def start(folder, dsn, port, workers):
    """Make what is not there yet, say where everything is, and answer until Ctrl+C."""
    os.environ |= {
        "ERP_DSN": dsn,
        "ERP_URL": f"http://{HOST}:{port}",
        "ERP_SESSION_KEY": _key("ERP_SESSION_KEY", folder / "session_key"),
        "PORTAL_SECRET_KEYS": _key("PORTAL_SECRET_KEYS", folder / "portal_key"),
    }
    settings = Settings.from_environment()
    sample_data.make(settings)
    check_room(settings, workers)
    threading.Thread(target=say_where, args=[settings, port], daemon=True).start()
    end_with_the_terminal()
    uvicorn.run(
        "run:worker",
        factory=True,
        workers=workers,
        host=HOST,
        port=port,
        access_log=False,  # the address of a page is the customer's link
        log_config=LOGGING,
    )


def _key(name, file):
    """A secret of the environment, else one of the folder's own."""
    if name in os.environ:
        return os.environ[name]
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()


def check_room(settings, workers):
    """Refuse more workers than the server has connections for."""
    needed = workers * CONNECTIONS
    with psycopg.connect(settings.dsn) as connection:
        room = connection.execute("""
            SELECT current_setting('max_connections')::int
                - current_setting('superuser_reserved_connections')::int
                - (SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
                    AND backend_type = 'client backend')""").fetchone()[0]
    if needed > room:
        sys.exit(
            f"{workers} workers may need {needed} connections, and PostgreSQL has {room}. "
            "Take fewer --workers, or raise its max_connections."
        )


def say_where(settings, port):
    """Print what a reader needs to know, when somebody listens there."""
    while True:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
            break
        time.sleep(0.05)
    with psycopg.connect(settings.dsn, autocommit=True) as connection:
        portal = joined_portal(connection, settings)
        portal.tokens.ensure(sample_data.KOPI, by=sample_data.ANA)
        link = portal.tokens.link(sample_data.KOPI, by=sample_data.ANA)
    print(
        "",
        f"A customer's portal:  {link}",
        f"The ERP:              {settings.url}/",
        f"Staff pages:          {settings.url}/settings/portal",
        f"Staff sign in as      {sample_data.ANA}, or {sample_data.BEN} (who may only look),"
        f" password {sample_data.PASSWORD}",
        "",
        "Ctrl+C ends.",
        sep="\n",
        flush=True,
    )


def end_with_the_terminal():
    """End when it is closed: uvicorn would take the signal for a wish to begin anew."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    threading.Thread(target=_wait_for_its_end, daemon=True).start()


def _wait_for_its_end():
    signal.sigwait([signal.SIGHUP])
    os.kill(os.getpid(), signal.SIGTERM)


def worker():
    """The application of one worker, which ends when this command does, however that ends."""
    from erp.app import make_app

    if command := multiprocessing.parent_process():  # none where one worker is enough
        threading.Thread(target=_end_with, args=[command], daemon=True).start()
    return make_app()


def _end_with(command):
    command.join()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
