"""Run the ERP with its portal, on this machine alone.

    python examples/hosts/django_erp/run.py [--data FOLDER] [--port PORT]

The first run in a folder makes the database and its sample data. Without --data the folder is
a temporary one that is removed at the end. Ctrl+C ends.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path

HOST, PORT = "127.0.0.1", 8000


def start(folder, port):
    """Set Django up, make what is not there yet, and answer until Ctrl+C."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "erp.settings",
        "ERP_DATA": str(folder),
    }
    with listening(port) as server:
        address = f"http://{HOST}:{server.server_port}"
        os.environ["ERP_URL"] = address
        prepare()
        serve(server, address, folder)


def prepare():
    """The database with its tables and sample data."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("sample_data")


def serve(server, address, folder):
    """Say where everything is, and answer."""
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from erp import sample_data
    from erp.wsgi import application

    say(
        "",
        f"A customer's portal:  {link_of(sample_data.KOPI)}",
        f"The ERP:              {address}/admin/",
        f"Staff pages:          {address}/settings/portal",
        f"Staff sign in as      {sample_data.ANA}, or {sample_data.BEN} (who may only look),"
        f" password {sample_data.PASSWORD}",
        f"E-mails are files in  {folder / 'mail'}",
        "",
        "Ctrl+C ends.",
    )
    server.set_app(StaticFilesHandler(application))
    server.serve_forever()


def link_of(number):
    """A link to try."""
    from erp import sample_data
    from erp.models import Party
    from erp.portal_site import portal

    customer_id = str(Party.objects.get(number=number).pk)
    portal().tokens.ensure(customer_id, by=sample_data.ANA)
    return portal().tokens.link(customer_id, by=sample_data.ANA)


@contextlib.contextmanager
def listening(port):
    """Django's server on the port, or the next free one."""
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

    for one in [*range(port, min(port + 20, 2**16)), 0]:
        with contextlib.suppress(OSError):
            server = ThreadedWSGIServer((HOST, one), WSGIRequestHandler)
            break
    else:
        sys.exit(f"No port from {port} on is free on {HOST}; give another one with --port.")
    try:
        yield server
    finally:
        server.server_close()


def say(*lines):
    """Print at once."""
    print(*lines, sep="\n", flush=True)


def main(arguments=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description="A Django ERP with its customer portal.")
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
