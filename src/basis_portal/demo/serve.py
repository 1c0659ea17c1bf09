"""The demo as pages: a server on this machine alone, and what it says to try.

Its e-mails go to a folder, and what is there is shown on a page.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from ..clock import Clock
from ..domain.seller import Seller
from ..mail import Mailer, OutboxTransport
from ..portal import Portal
from ..repositories import FullStorage
from ..web import HostLinks, Staff, Theme, create_app
from ..web.headers import security_headers
from ..web.mounting import Headers, split_path
from . import receivables, seller
from .outbox import COLOUR, OUTBOX_PATH, outbox_app
from .receivables import cut
from .text import show_day

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application."""

HOST, PORT = "127.0.0.1", 8641
STAFF_PATH = "/settings/portal"


# --- the server -----------------------------------------------------------------------------


def listen(port: int) -> socket.socket:
    """A socket that listens on this machine alone: on the port, the next free one, or any."""
    for one in (port, *range(port + 1, min(port + 10, 2**16))):
        try:
            return socket.create_server((HOST, one))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return socket.create_server((HOST, 0))


def guarded(app: App, port: int) -> App:
    """The application, for who asks for this machine by name; its root leads to the staff pages.

    The staff pages of the demo are open. A page from elsewhere whose name was made to lead
    here would reach them (DNS rebinding), but its browser would still send that name as Host.
    Its own answers have the headers of the pages.
    """
    names = {f"{name}:{port}" for name in (HOST, "localhost", "[::1]")}

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_HOST", "").lower() not in names:
            body = f"This demo answers at http://{HOST}:{port} only.\n".encode()
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
            start_response("421 Misdirected Request", headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        if environ["PATH_INFO"] in ("", "/"):
            start_response("302 Found", [("Location", STAFF_PATH), ("Content-Length", "0")])
            return []
        return app(environ, start_response)

    return Headers(answer, security_headers(https=False, scripts=False))


class _Handler(WSGIRequestHandler):
    """Logs no request: a log would show tokens, and hide what there is to try."""

    timeout = 10

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class Server(ThreadedWSGIServer):
    """Ends once what is being answered is answered, since the data are removed then.

    Browsers keep connections open on which they ask nothing yet; the end does not wait for
    those.
    """

    daemon_threads = False

    def __init__(self, app: App, listener: socket.socket) -> None:
        self._connections: set[Any] = set()
        port = listener.getsockname()[1]
        super().__init__(HOST, port, app, handler=_Handler, fd=listener.fileno())

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and remember it."""
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Take no more requests, and wait until the last one is answered."""
        for connection in self._connections.copy():
            with contextlib.suppress(OSError):  # closed meanwhile
                connection.shutdown(socket.SHUT_RD)
        super().server_close()


def serve(app: App, listener: socket.socket, said: Iterable[str], *, show: str = "") -> None:
    """Print what is said and answer requests until Ctrl+C; ``show`` is opened in a browser."""
    with Server(app, listener) as server, contextlib.suppress(KeyboardInterrupt):
        for line in said:
            print(line, flush=True)
        if show:
            threading.Thread(target=_open_browser, args=[show], daemon=True).start()
        server.serve_forever()


def _open_browser(address: str) -> None:
    if not webbrowser.open(address):  # a browser in the terminal returns only when it is left
        print("No browser was found here; open the address above in yours.", flush=True)


# --- what is served, and what is said -------------------------------------------------------


@attrs.define(frozen=True)
class Place:
    """Where the demo is.

    Attributes:
        address: of its root.
        outbox: where its e-mails go.
    """

    address: str
    outbox: OutboxTransport

    @property
    def base_url(self) -> str:
        """Where the customers' pages are."""
        return f"{self.address}/portal"

    @property
    def staff_url(self) -> str:
        """Where those of staff are."""
        return f"{self.address}{STAFF_PATH}"

    @property
    def outbox_url(self) -> str:
        """Where its e-mails are shown."""
        return f"{self.address}{OUTBOX_PATH}"

    def mailer(self, portal: Portal, whose: Seller = seller.SELLER) -> Mailer:
        """What sends a portal's e-mails."""
        domain = (whose.email or "accounts@seller.example").rpartition("@")[2]
        return Mailer(
            portal,
            transport=self.outbox,
            sender=f"portal@{domain}",
            seller=whose,
            staff=f"{seller.STAFF}@{domain}",
            staff_url=self.staff_url,
        )


@attrs.define(frozen=True)
class Scene:
    """A portal to try.

    Attributes:
        portal: the portal.
        seller: whose it is.
        customer_id: whose link is shown.
        opening: what is said first.
        customer, staff: what is said above the two addresses.
        to_try: what to try, in this order; each one line or several.
        closing: what is said at the end.
    """

    portal: Portal
    seller: Seller
    customer_id: str
    opening: tuple[str, ...]
    customer: str
    staff: str
    to_try: tuple[str, ...]
    closing: tuple[str, ...]


def invented_scene(storage: FullStorage, clock: Clock, place: Place, *, today: bool) -> Scene:
    """The invented seller; ``today`` is False where another day was asked for."""
    portal = seller.make_seller(storage, clock, base_url=place.base_url, mailer_of=place.mailer)
    day = "" if today else f" Today is {show_day(portal.today())} in it."
    return Scene(
        portal=portal,
        seller=seller.SELLER,
        customer_id=seller.KOPI,
        opening=(
            f"Basis Portal demo: {seller.SELLER.name}, {len(seller.CUSTOMERS)} invented customers.",
            f"Nothing leaves this machine.{day}",
        ),
        customer="A customer's page: Kopi Nusantara (two currencies, one invoice overdue)",
        staff="The seller's staff",
        to_try=(
            "Customer: open the overdue invoice. Why is 1,200.00 open? The page says so.",
            "Customer: Statement of account. Aging and open items add up to the balance.",
            "Customer: send a message. Staff: Messages, answer it. Reload: it is there.",
            "Staff: untick Show Statement of Account, save. It is gone, by address too.",
            "Staff: Manage Portal Access Tokens, Kopi Nusantara, Revoke. Reload: denied.",
            "Staff: Generate, Copy link. The new one works, the old one stays dead.",
            f"Staff: Send. The mail is written to .../outbox/ and shown at\n{place.outbox_url}",
            "There: Torrefazione Aurora's expired link, E-mail me a new link. Reload.",
            "Staff: Müller & Söhne, Preview as customer. The same pages, in German.",
        ),
        closing=(
            "Your own data: basis-portal demo --data receivables.csv",
            "The code behind this: examples/quickstart.py",
        ),
    )


def own_scene(
    storage: FullStorage, clock: Clock, place: Place, file: receivables.Receivables, *, today: bool
) -> Scene:
    """The user's own receivables; ``today`` is False where another day was asked for."""
    portal = receivables.make_portal(storage, file, clock, base_url=place.base_url, today=today)
    standing = receivables.Standing.of(file, portal.today())
    customer_id, why = standing.first()
    return Scene(
        portal=portal,
        seller=Seller(receivables.OWN),
        customer_id=customer_id,
        opening=(
            f"Basis Portal demo: {cut(file.name)}. Nothing leaves this machine.",
            *standing.lines(today=today),
        ),
        customer=f"The page of {cut(customer_id)} ({why})",
        staff="Your staff",
        to_try=(
            "Customer: Statement of account. Are balance and aging those of your books?",
            "Customer: open an invoice. What settled it, and what is still open of it?",
            "Customer: send a message. Staff: Messages, answer it. Reload: it is there.",
            "Staff: Manage Portal Access Tokens. Every customer has a link to copy.",
            "Staff: Revoke one. Reload the page it opened: Access denied.",
        ),
        closing=("The code behind this: examples/receivables.py",),
    )


def demo_app(scene: Scene, place: Place) -> App:
    """All pages of a scene, and its outbox beside them."""
    mailer = place.mailer(scene.portal, scene.seller)
    pages = create_app(
        scene.portal,
        authorize=lambda _: Staff(seller.STAFF),
        seller=scene.seller,
        theme=Theme(colour=COLOUR),
        host=HostLinks(name="Demo ERP"),
        mailer=mailer,
        renewals=True,
    )
    outbox = outbox_app(mailer, place.outbox, scene.seller)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        is_outbox = split_path(environ["PATH_INFO"], OUTBOX_PATH) is not None
        return (outbox if is_outbox else pages)(environ, start_response)

    return app


def introduction(scene: Scene, link: str, staff_address: str, port_note: str) -> Iterator[str]:
    """What is printed: no line but the link is wider than a terminal of 80 columns."""
    yield from scene.opening
    yield from ("", f"  {scene.customer}:", "", f"    {link}")
    yield from ("", f'  {scene.staff} (demo: you are "{seller.STAFF}", no login):')
    yield from ("", f"    {staff_address}", "", "Try, with both open side by side:", "")
    for number, words in enumerate(scene.to_try, 1):
        yield from f"  {number}  {words}".replace("\n", "\n     ").split("\n")
    yield from ("", *scene.closing)
    yield f"{port_note}Data in a temporary folder, removed at the end."
    yield "Ctrl+C ends."


def serve_demo(
    storage: FullStorage,
    clock: Clock,
    outbox: Path,
    *,
    port: int | None = None,
    file: receivables.Receivables | None = None,
    today: bool = True,
    browser: bool = False,
) -> None:
    """Fill an empty storage and serve it until Ctrl+C.

    Args:
        storage: where everything is kept.
        clock: the one clock of the demo.
        outbox: the folder its e-mails go to.
        port: the port to listen on; where it is taken, another.
        file: the user's own receivables; the invented seller where None.
        today: False where the clock shows a day that was asked for.
        browser: True opens the customer's page in a browser.
    """
    wanted = PORT if port is None else port
    with listen(wanted) as listener:
        found = listener.getsockname()[1]
        place = Place(f"http://{HOST}:{found}", OutboxTransport(outbox))
        if file is None:
            scene = invented_scene(storage, clock, place, today=today)
        else:
            scene = own_scene(storage, clock, place, file, today=today)
        app = demo_app(scene, place)
        link = scene.portal.tokens.link(scene.customer_id, by=seller.STAFF)
        note = f"Port {wanted} was in use, so {found}. " if wanted not in (0, found) else ""
        said = introduction(scene, link, place.staff_url, note)
        serve(guarded(app, found), listener, said, show=link if browser else "")
