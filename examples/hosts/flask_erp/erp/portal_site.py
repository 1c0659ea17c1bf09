"""The portal of the ERP: where its state is, who is staff, and its pages before Flask's own."""

from flask import session
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from basis_portal import Portal, Seller
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.web import HostLinks, Staff, Theme, customer_app, staff_app

from .models import User
from .portal_repositories import ErpCustomers, ErpDocuments, ErpLedger

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


def make_portal(folder, sessions, key, address):
    """The portal: its own state in a file of its own, all else in the ERP's tables."""
    return Portal(
        SQLiteStorage(folder / "portal.db"),
        customers=ErpCustomers(sessions),
        documents=ErpDocuments(sessions),
        ledger=ErpLedger(sessions),
        secret_keys=[key],
        base_url=f"{address}/portal",
        timezone="Europe/Berlin",
    )


def mount(app, portal, sessions):
    """Put the pages before the ERP's, under its own login."""

    def authorize(environ):
        with app.request_context(environ):
            name = session.get("user")
        if name is None:
            return None
        with sessions() as database:
            user = database.get(User, name)
        return user and Staff(user.name, read_only=not user.may_change)

    app.wsgi_app = DispatcherMiddleware(
        app.wsgi_app,
        {
            "/portal": customer_app(portal, **PAGES),
            "/settings/portal": staff_app(portal, authorize=authorize, **PAGES),
        },
    )
