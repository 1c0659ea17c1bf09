"""The ERP's pages: who signs in sees its customers and their invoices, and sends these with a link.

psycopg, the hashing of passwords and the portal block. So what calls them is a plain `def`, which
FastAPI runs on one of AnyIO's 40 threads, or hands them to such a thread by `run_in_threadpool`, as
`customer` does. What is `async def` and does neither waits for nothing.

A connection is taken within a function and given back before it ends. A dependency that yields it
would hold it while FastAPI waits for a thread to go on with, and all threads may be waiting for a
connection.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, select_autoescape

from basis_portal import AccessRevoked, CustomerBlocked
from basis_portal.mail import invoice_link
from basis_portal.web import staff_page

from . import books
from .portal_site import joined_portal

TEMPLATES = Jinja2Templates(
    env=Environment(loader=PackageLoader(__package__), autoescape=select_autoescape())
)
TEMPLATES.env.filters["portal_page"] = staff_page
PLAIN = {"media_type": "text/plain", "headers": {"Cache-Control": "no-store"}}
router = APIRouter(default_response_class=HTMLResponse)


class NotSignedIn(Exception):
    """The page is for staff."""


async def to_login(*_):
    """Where whoever is not signed in is led."""
    return RedirectResponse("/login", 303)


async def not_there(*_):
    """What no table can hold nobody has."""
    return HTMLResponse("Not found", 404)


async def the_erp(request: Request):
    """What `make_app` made."""
    return request.app.state.erp


TheErp = Annotated[Any, Depends(the_erp)]


def signed_in(request: Request, erp: TheErp):
    """The user that the session names."""
    user = erp.find_user(request.session.get("user"))
    if user is None:
        raise NotSignedIn
    request.state.user = user
    return user


Staff = Annotated[Any, Depends(signed_in)]


async def may_change(user: Staff):
    """Staff who may do more than look."""
    if not user.may_change:
        raise HTTPException(403, "You may only look.")
    return user


Editor = Annotated[Any, Depends(may_change)]


@router.get("/login")
def login(request: Request):
    return TEMPLATES.TemplateResponse(request, "login.html")


@router.post("/login")
def sign_in(
    request: Request,
    erp: TheErp,
    name: Annotated[str, Form(alias="user")] = "",
    password: Annotated[str, Form()] = "",
):
    with erp.pool.connection() as connection:
        known = books.user(connection, name)
    if not books.fits(known, password):
        return TEMPLATES.TemplateResponse(request, "login.html", {"wrong": True}, 403)
    request.session.clear()
    request.session["user"] = name
    return RedirectResponse("/", 303)


@router.post("/logout")
async def sign_out(request: Request):
    request.session.clear()
    return RedirectResponse("/login", 303)


@router.get("/")
def home(request: Request, erp: TheErp, _: Staff):
    with erp.pool.connection() as connection:
        customers = books.customers(connection)
    return TEMPLATES.TemplateResponse(request, "home.html", {"customers": customers})


@router.get("/customers/{number}")
async def customer(request: Request, erp: TheErp, _: Staff, number: str):
    """Two reads side by side, each on a thread of its own, and the loop waits for none."""
    (found, documents), token = await asyncio.gather(
        run_in_threadpool(_account, erp, number),
        run_in_threadpool(erp.portal.tokens.get, number),
    )
    if found is None:
        raise HTTPException(404)
    words = {"customer": found, "documents": documents, "token": token}
    return TEMPLATES.TemplateResponse(request, "customer.html", words)


def _account(erp, number):
    with erp.pool.connection() as connection:
        return books.customer(connection, number), books.documents(connection, number)


@router.post("/customers/{number}/invoices/{invoice}/send")
def send(erp: TheErp, user: Editor, number: str, invoice: str):
    """Post a draft and issue the link of its mail, both or neither."""
    with erp.pool.connection() as connection, connection.transaction():
        if books.send_invoice(connection, invoice, number) is None:
            raise HTTPException(404)
        link_to(joined_portal(connection, erp.settings), number, invoice, by=user.name)
    return RedirectResponse(f"/customers/{number}", 303)


def link_to(portal, number, invoice, *, by):
    """The link that opens an invoice; None where staff gave no access, which stops no invoice."""
    try:
        return invoice_link(portal, number, document=invoice, by=by)
    except (AccessRevoked, CustomerBlocked):
        return None


@router.post("/customers/{number}/invoices/{invoice}/mail")
def mail(request: Request, erp: TheErp, user: Editor, number: str, invoice: str):
    """What the ERP's own invoice mail says: the link goes to the page of this very invoice.

    No GET, since it issues a token where the last one has expired.
    """
    with erp.pool.connection() as connection:
        found = books.sent_invoice(connection, invoice, number)
        customer = books.customer(connection, number)
    if found is None:
        raise HTTPException(404)
    words = {"customer": customer, "invoice": found}
    words["link"] = link_to(erp.portal, number, invoice, by=user.name)
    status = 200 if words["link"] else 409
    return TEMPLATES.TemplateResponse(request, "mail.txt", words, status, **PLAIN)
