"""The portal over a Tryton database, mounted before Tryton's own web application."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portal_repositories import Company, TrytonCustomers, TrytonDocuments, TrytonLedger
from trytond import security
from trytond.exceptions import LoginException, RateLimitException
from trytond.protocols.wrappers import Request, add_auth_cookies
from trytond.wsgi import app as tryton
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from basis_portal import Portal, Seller
from basis_portal.repositories import Storage
from basis_portal.web import HostLinks, Staff, Theme, customer_app, staff_app

KEYS = "PORTAL_SECRET_KEYS"
"""The environment variable with the secret keys, oldest first, with blanks between them."""

STAFF_PATH = "/{}/settings/portal"
"""Below the path of the database: Tryton's session cookie goes there and nowhere else."""

SIGN_IN = """<!doctype html><html lang="en"><title>Sign in to Tryton</title>
<style>body {{font: 16px sans-serif; max-width: 20em; margin: 4em auto}}</style>
<h1>Sign in to Tryton</h1><p>{message}</p>
<form method="post"><p><label>Login <input name="login" required></label>
<p><label>Password <input name="password" type="password" required></label>
<p><button>Sign in</button></form></html>"""


def make_portal(company: Company, storage: Storage, keys: list[str], base_url: str) -> Portal:
    """The portal of a company; its own state is in the storage, apart from Tryton's tables."""
    with company.read() as pool:
        timezone = pool.get("company.company")(company.id).timezone
    return Portal(
        storage,
        customers=TrytonCustomers(company),
        documents=TrytonDocuments(company),
        ledger=TrytonLedger(company),
        secret_keys=keys,
        base_url=base_url,
        timezone=timezone or "UTC",
    )


def secret_keys(folder: Path) -> list[str]:
    """Those of the environment, or one made at random that is kept in the folder."""
    if keys := os.environ.get(KEYS):
        return keys.split()
    file = folder / "portal.key"
    if not file.exists():
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_hex(32))
    return [file.read_text()]


def application(portal: Portal, company: Company) -> DispatcherMiddleware:
    """Tryton, with the portal's pages before it."""
    pages: dict[str, Any] = {
        "seller": _seller(company),
        "theme": Theme(colour="#1f5673"),
        "host": HostLinks(name="Tryton"),
    }
    return DispatcherMiddleware(
        tryton,
        {
            "/portal": customer_app(portal, **pages),
            STAFF_PATH.format(company.database): staff_app(
                portal, authorize=authorize_by(company), **pages
            ),
        },
    )


def _seller(company: Company) -> Seller:
    with company.read() as pool:
        party = pool.get("company.company")(company.id).party
        email = party.contact_mechanism_get("email")
        return Seller(party.rec_name, email=email.value if email else None)


# --- staff: Tryton's own users --------------------------------------------------------------


def authorize_by(company: Company) -> Callable[[dict[str, Any]], Staff | None]:
    """Who is staff: who is signed in to Tryton, and works in the accounting of the company.

    Accounting administrators may change what there is; others may look.
    """

    def authorize(environ: dict[str, Any]) -> Staff | None:
        request = Request(environ)
        request.view_args = {"database_name": company.database}
        user_id = request.user_id if request.session else None  # no password with each request
        if not user_id:
            return None
        with company.read() as pool:
            return _staff(pool, company.id, user_id)

    return authorize


def _staff(pool: Any, company: int, user_id: int) -> Staff | None:
    data, user = pool.get("ir.model.data"), pool.get("res.user")(user_id)
    groups = {group.id for group in user.groups}
    if company not in {one.id for one in user.companies}:
        return None
    if data.get_id("account", "group_account") not in groups:
        return None
    administrators = data.get_id("account", "group_account_admin")
    return Staff(user.login, read_only=administrators not in groups)


@tryton.route("/<string:database_name>/sign-in", methods=["GET", "POST"])
def sign_in(request: Request, database_name: str) -> Response:
    """A page to sign in to Tryton: its web client, which has one, is a package apart."""
    if request.method != "POST":
        return _form("")
    login = request.form.get("login", "")
    parameters = {"password": request.form.get("password", "")}
    try:
        session = security.login(
            database_name, login, parameters, context={"_request": request.context}
        )
    except LoginException:
        session = None
    except RateLimitException:
        return _form("Too many attempts. Try again later.", 429)
    if not session:
        return _form("Login or password is wrong.", 401)
    response = redirect(STAFF_PATH.format(database_name), 303)
    add_auth_cookies(response, database_name, login, str(session[0]), session[1])
    return response


def _form(message: str, status: int = 200) -> Response:
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
        " form-action 'self'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
    }
    return Response(SIGN_IN.format(message=message), status, headers, mimetype="text/html")
