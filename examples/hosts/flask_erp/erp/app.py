"""The ERP: who signs in sees its customers and their invoices, and can hand out portal links."""

import secrets
from pathlib import Path

from flask import Flask, abort, g, redirect, render_template, request, session, url_for
from sqlalchemy import create_engine, select
from sqlalchemy.orm import sessionmaker
from werkzeug.security import check_password_hash

from basis_portal import AccessRevoked, CustomerBlocked
from basis_portal.mail import invoice_link
from basis_portal.web import staff_page

from . import sample_data
from .models import Base, Customer, Document, Kind, State, User
from .portal_repositories import amount
from .portal_site import make_portal, mount

UNKNOWN = "scrypt:32768:8:1$-$" + "0" * 128
"""A password hash of nobody: who is unknown takes as long to refuse as who is known."""


def make_app(folder, address):
    """The ERP in a folder, which is filled with sample data at the first run."""
    folder = Path(folder)
    engine = create_engine(f"sqlite:///{folder / 'erp.db'}")
    sessions = sessionmaker(engine)
    app = Flask(__name__)
    app.secret_key = _key(folder / "session_key")
    app.config |= {"SESSION_COOKIE_HTTPONLY": True, "SESSION_COOKIE_SAMESITE": "Lax"}
    app.extensions["engine"] = engine
    app.extensions["portal"] = portal = make_portal(
        folder, sessions, _key(folder / "portal_key"), address
    )
    app.jinja_env.filters |= {"amount": amount, "portal_page": staff_page}
    Base.metadata.create_all(engine)
    sample_data.make(sessions, portal)
    _add_pages(app, sessions, portal)
    mount(app, portal, sessions)
    return app


def _key(file):
    """A secret of its own for sessions, and for links. In production both are in a secret store."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()


def _add_pages(app, sessions, portal):
    @app.get("/login")
    def login():
        return render_template("login.html")

    @app.post("/login")
    def sign_in():
        name, password = request.form.get("user", ""), request.form.get("password", "")
        with sessions() as database:
            user = database.get(User, name)
        if not check_password_hash(user.password_hash if user else UNKNOWN, password):
            return render_template("login.html", wrong=True), 403
        session.clear()
        session["user"] = name
        return redirect(url_for("home"))

    @app.post("/logout")
    def sign_out():
        session.clear()
        return redirect(url_for("login"))

    @app.before_request
    def only_staff():
        """Who has signed in is looked up each time: a user who was removed is out at once."""
        with sessions() as database:
            g.user = database.get(User, session.get("user", ""))
        if g.user is None and request.endpoint not in ("login", "sign_in"):
            return redirect(url_for("login"))
        return None

    @app.get("/")
    def home():
        with sessions() as database:
            customers = list(database.scalars(select(Customer).order_by(Customer.number)))
        return render_template("home.html", customers=customers)

    @app.get("/customers/<number>")
    def customer(number):
        with sessions() as database:
            found = database.get(Customer, number) or abort(404)
            newest = select(Document).where(Document.customer_number == number)
            documents = list(database.scalars(newest.order_by(Document.date.desc())))
        return render_template("customer.html", customer=found, documents=documents)

    @app.post("/customers/<number>/invoices/<invoice>/mail")
    def mail(number, invoice):
        """What the ERP's own invoice mail says: the link goes to the page of this very invoice.

        It may issue a token, so it takes the right to change something, and is no GET.
        """
        if not g.user.may_change:
            abort(403, "You may only look.")
        sent = {"customer_number": number, "kind": Kind.INVOICE, "state": State.SENT}
        with sessions() as database:
            customer = database.get(Customer, number)
            found = database.scalar(select(Document).filter_by(number=invoice, **sent))
        if found is None:
            abort(404)
        try:
            link = invoice_link(portal, number, document=invoice, by=g.user.name)
        except (AccessRevoked, CustomerBlocked):
            link = None
        text = render_template("mail.txt", customer=customer, invoice=found, link=link)
        headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
        return text, 200 if link else 409, headers
