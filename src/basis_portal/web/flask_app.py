"""What both apps share: a Flask app without sessions, its static files and headers."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface
from werkzeug.routing import Map

from .answering import forget_language
from .colours import stylesheet
from .faults import LastResort
from .headers import YEAR, security_headers
from .mounting import FixedRoot, Headers
from .site import Site
from .templating import set_up_templates

HERE = Path(__file__).parent
BODY_LIMIT = 1_000_000  # bytes; a text too long is to come back in its form, not to be cut off


class _Request(Request):
    """A request that may hold anything: werkzeug reads a query as UTF-8 or fails."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.query_string = re.sub(
            rb"[\x80-\xff]", lambda found: b"%%%02X" % found[0][0], self.query_string
        )

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        """No form of ours takes a file: none that is sent is ever written to a disk."""
        return BytesIO()


class _Paths(Map):
    """Addresses without redirects by the router, which would name a host; ours name a path.

    Said when the map is made: Werkzeug 3.0 does not listen to ``merge_slashes`` later.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(
            strict_slashes=False, merge_slashes=False, redirect_defaults=False, **given
        )


class _App(Flask):
    """Flask, but whatever the Host header says."""

    request_class = _Request
    url_map_class = _Paths  # type: ignore[assignment]

    def request_context(self, environ: dict[str, Any]) -> Any:
        """A request whose language is not known yet."""
        forget_language()
        return super().request_context(environ)

    def create_url_adapter(self, request: Request | None) -> Any:
        """Match and build addresses as if there were no Host header.

        Ours are paths; one that is no name of a host, such as with 64 letters in a row, would
        leave even the page of the error without addresses.
        """
        if request is not None:
            return self.url_map.bind_to_environ({**request.environ, "HTTP_HOST": "localhost"})
        return super().create_url_adapter(request)


class _NoSession(SessionInterface):
    """No cookie of ours: the name ``session`` is the host's."""

    def open_session(self, app: Flask, request: Any) -> Any:  # noqa: ARG002
        """Nothing: pages that ask for a session fail."""
        return self.make_null_session(app)

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        """Nothing is kept."""


def make_app(site: Site, *, root: str | None, scripts: bool) -> Flask:
    """A Flask app with our templates and headers and without any session.

    Args:
        site: what its pages show.
        root: path it stands at whatever the mount says, or None where the mount says it.
        scripts: True for pages that run our script.
    """
    app = _App("basis_portal.web", static_folder=str(HERE / "static"), template_folder=None)
    app.session_interface = _NoSession()
    app.extensions["basis_portal"] = site
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT,
        MAX_FORM_MEMORY_SIZE=BODY_LIMIT,
        MAX_FORM_PARTS=100,
        SEND_FILE_MAX_AGE_DEFAULT=YEAR,
        TRAP_HTTP_EXCEPTIONS=False,
    )
    set_up_templates(app, site, asset=asset)
    _add_assets(app, site)
    headers = security_headers(https=site.portal.base_url.startswith("https:"), scripts=scripts)
    safe = LastResort(app.wsgi_app)
    inner = safe if root is None else FixedRoot(safe, root)
    app.wsgi_app = Headers(inner, headers)  # type: ignore[method-assign]
    return app


# --- what pages are made of beside HTML ---------------------------------------------------


def asset(name: str) -> str:
    """The address of a static file, which changes with its content."""
    return f"{request.script_root}/static/{name}?v={_version(name)}"


@cache
def _version(name: str) -> str:
    return hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]


def _add_assets(app: Flask, site: Site) -> None:
    """The seller's colour as a stylesheet, and the logo."""
    theme = site.theme
    if theme.colour is not None:
        css = stylesheet(theme.colour)
        app.add_url_rule("/theme.css", "theme_css", lambda: _kept(css.encode(), "text/css"))
    if (logo := theme.logo) is not None:
        app.add_url_rule("/logo", "logo", lambda: _kept(logo.content, logo.media_type))


def _kept(content: bytes, media_type: str) -> Response:
    response = Response(content, mimetype=media_type)
    response.cache_control.public = True
    response.cache_control.max_age = YEAR
    return response
