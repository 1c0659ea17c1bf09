"""The portal of the ERP: where its state is, who is staff, and its pages before FastAPI's own.

Its tables stand in the ERP's database, in a schema of their own. There are two ways to them:
`make_portal` has connections of its own and serves the pages; `joined_portal` uses one of the
ERP's, so that what it does is part of the ERP's transaction.
"""

from contextlib import nullcontext

from a2wsgi import WSGIMiddleware

from basis_portal import Portal, Seller
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.web import HostLinks, Staff, Theme, create_app

from .portal_repositories import ErpCustomers, ErpDocuments, ErpLedger

TIMEZONE = "Europe/Berlin"
SELLER = Seller(
    "Nordlicht Kaffee GmbH",
    address="Speicherstr. 1, Berlin",
    email="accounts@nordlicht.example",
    phone="+49 30 1234567",
)
PAGES = {
    "seller": SELLER,
    "theme": Theme(colour="#1f5673"),
    "host": HostLinks(name="Nordlicht ERP", home="/", customer="/customers/{customer_id}"),
}
PAGE_THREADS = 10
"""Of a2wsgi's own pool, in each worker: so many pages of the portal are made at a time."""


def make_portal(storage, connections, settings):
    """The portal over a storage; it reads the ERP's tables by what `connections` gives."""
    return Portal(
        storage,
        customers=ErpCustomers(connections),
        documents=ErpDocuments(connections),
        ledger=ErpLedger(connections),
        secret_keys=settings.portal_keys,
        base_url=f"{settings.url}/portal",
        timezone=TIMEZONE,
    )


def joined_portal(connection, settings):
    """The portal whose tokens are issued, or not, with what the ERP commits here."""
    storage = PostgresStorage(connection, migrate=False)
    return make_portal(storage, lambda: nullcontext(connection), settings)


class PortalPages:
    """Answers at the portal's addresses, and leaves all others to the ERP.

    The pages are WSGI and block, so each is made by a thread of a2wsgi's pool.
    """

    def __init__(self, app, *, portal, find_user):
        self.app = app

        def authorize(environ):
            user = find_user(environ["asgi.scope"]["session"].get("user"))
            return user and Staff(user.name, read_only=not user.may_change)

        pages = create_app(portal, authorize=authorize, **PAGES)
        self.pages = WSGIMiddleware(pages, workers=PAGE_THREADS)

    async def __call__(self, scope, receive, send):
        """Hand the request on."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", "")) + "/"
        ours = scope["type"] == "http" and path.startswith(("/portal/", "/settings/portal/"))
        await (self.pages if ours else self.app)(scope, receive, send)
