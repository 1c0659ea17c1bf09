"""The demo's e-mails as pages: what was written to its outbox, newest first."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, abort
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from ..domain.seller import Seller
from ..mail import Mailer, OutboxTransport
from ..web import Theme
from ..web.answering import choose_language
from ..web.faults import handle_faults
from ..web.flask_app import make_app
from ..web.site import Site
from ..web.templating import page

OUTBOX_PATH = "/demo/outbox"
COLOUR = "#1f5673"
_TEMPLATES = Path(__file__).with_name("templates")
# An e-mail has its styles at its elements, as mail programs want it. Nothing else is let in.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def outbox_app(mailer: Mailer, outbox: OutboxTransport, seller: Seller) -> Flask:
    """The pages of an outbox, to stand at `OUTBOX_PATH`.

    Whoever opens the list has what waits sent first: the demo has no scheduler. That is the one
    GET that changes something, and it brings to the folder what a scheduler brought there within
    a minute.
    """
    theme = Theme(colour=COLOUR, templates=_TEMPLATES)
    app = make_app(
        Site.of(mailer.portal, seller=seller, theme=theme), root=OUTBOX_PATH, scripts=False
    )

    def show_list() -> Response:
        for _ in mailer.run():
            pass
        letters = [(path.stem, _read(path)) for path in reversed(outbox.files())]
        report = mailer.report()
        return page("outbox.html", letters=letters, folder=outbox.folder, waiting=report.queued)

    def show_html(name: str) -> Response:
        response = Response(_part(_read(_file(name)), "html"), mimetype="text/html")
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    def send_file(name: str) -> Response:
        response = Response(_file(name).read_bytes(), mimetype="message/rfc822")
        response.headers.set("Content-Disposition", "attachment", filename=f"{name}.eml")
        return response

    def _file(name: str) -> Path:
        """One of the files there are: what stands in an address is never a path."""
        found = {path.stem: path for path in outbox.files()}.get(name)
        return abort(404) if found is None else found

    app.before_request(lambda: choose_language("en"))
    app.add_url_rule("/", "show_list", show_list)
    app.add_url_rule("/<name>.html", "show_html", show_html)
    app.add_url_rule("/<name>.eml", "send_file", send_file)
    app.jinja_env.filters.update(text_part=lambda one: _linked(_part(one, "plain"), mailer))
    handle_faults(app, _fault, _http_error)
    return app


def _read(path: Path) -> EmailMessage:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return "" if body is None else str(body.get_content())


def _linked(text: str, mailer: Mailer) -> Markup:
    """A text, in which the addresses of the demo itself lead there."""
    parts = urlsplit(mailer.portal.base_url)
    ours = re.compile(rf"({re.escape(f'{parts.scheme}://{parts.netloc}/')}\S*)")
    return Markup().join(
        Markup('<a href="{0}">{0}</a>').format(one) if number % 2 else one
        for number, one in enumerate(ours.split(text))
    )


def _fault(reference: str, status: int) -> Response:
    said = f"Something went wrong. Reference: {reference}\n"
    return Response(said, status, mimetype="text/plain")


def _http_error(error: HTTPException) -> Response:
    return Response(f"{error.name}.\n", error.code, mimetype="text/plain")
