"""Run the ERP with its portal, on this machine alone.

    python examples/hosts/flask_erp/run.py [--data FOLDER] [--port PORT]

The first run in a folder makes the database and its sample data. Without --data the folder is
a temporary one that is removed at the end. Ctrl+C ends.
"""

import argparse
import contextlib
import signal
import socket
import sys
import tempfile
from pathlib import Path

from erp import sample_data
from erp.app import make_app
from werkzeug.serving import WSGIRequestHandler, make_server

HOST, PORT = "127.0.0.1", 8010


class Quiet(WSGIRequestHandler):
    """Logs no requests: the address of one is the customer's link."""

    def log_request(self, *_):
        """Nothing."""


@contextlib.contextmanager
def listening(port):
    """A socket on the port, or the next free one."""
    for one in [*range(port, min(port + 20, 2**16)), 0]:
        with contextlib.suppress(OSError):
            listener = socket.create_server((HOST, one))
            break
    else:
        sys.exit(f"No port from {port} on is free on {HOST}; give another one with --port.")
    with listener:
        yield listener


def start(folder, port):
    """Make what is not there yet, say where everything is, and answer until Ctrl+C."""
    with listening(port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        app = make_app(folder, address)
        portal = app.extensions["portal"]
        portal.tokens.ensure(sample_data.KOPI, by=sample_data.ANA)
        print(
            "",
            f"A customer's portal:  {portal.tokens.link(sample_data.KOPI, by=sample_data.ANA)}",
            f"The ERP:              {address}/",
            f"Staff pages:          {address}/settings/portal",
            f"Staff sign in as      {sample_data.ANA}, or {sample_data.BEN} (who may only look),"
            f" password {sample_data.PASSWORD}",
            "",
            "Ctrl+C ends.",
            sep="\n",
            flush=True,
        )
        number = listener.getsockname()[1]
        fd = listener.fileno()
        make_server(HOST, number, app, threaded=True, request_handler=Quiet, fd=fd).serve_forever()


def main(arguments=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description="A Flask ERP with its customer portal.")
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="where everything is kept")
    parser.add_argument("--port", type=_port, default=PORT, help="the next free one where taken")
    options = parser.parse_args(arguments)
    try:
        if options.data is not None:
            options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --data: {options.data}: {error.strerror}")
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        start(folder.resolve(), options.port)


def _port(text):
    found = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if found not in (0, *range(1024, 2**16)):
        raise argparse.ArgumentTypeError("must be 0 or a whole number from 1024 to 65535")
    return found


def _interrupt(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
