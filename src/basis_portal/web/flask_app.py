"""What both apps share: a Flask app without sessions, its templates, languages and static files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

from flask import Flask, Request, Response, current_app, g, render_template, request
from flask.sessions import SessionInterface
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader
from jinja2.runtime import Macro
from markupsafe import Markup, escape
from werkzeug.routing import Map

from ..domain.money import negate
from ..i18n import Language, best_language, language_for
from ..i18n.language import zone_name
from ..i18n.words import (
    DOCUMENT_WORDS,
    ENTRY_WORDS,
    age_words,
    balance_sentence,
    balance_words,
)
from .addresses import key_of
from .colours import stylesheet
from .faults import LastResort
from .headers import YEAR, security_headers
from .mounting import FixedRoot, Headers
from .site import Site

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
    _set_up_templates(app, site)
    _add_assets(app, site)
    headers = security_headers(https=site.portal.base_url.startswith("https:"), scripts=scripts)
    safe = LastResort(app.wsgi_app)
    inner = safe if root is None else FixedRoot(safe, root)
    app.wsgi_app = Headers(inner, headers)  # type: ignore[method-assign]
    return app


def site() -> Site:
    """The site of the app that answers."""
    return cast(Site, current_app.extensions["basis_portal"])


# --- languages ----------------------------------------------------------------------------


def choose_language(*tags: str | None) -> None:
    """Answer in the first of these languages, else in the browser's, else in the seller's."""
    if tag := next(filter(None, tags), None):
        g.language = language_for(tag)
        return
    accepted: Iterable[str] = request.accept_languages.values()
    g.language = best_language(accepted=accepted, default=site().seller.language)


def language() -> Language:
    """The language of the answer."""
    try:
        found: Language = g.language
    except AttributeError:  # an error before the page knew whom it is for
        choose_language()
        found = g.language
    return found


def _(text: str, **values: object) -> str:
    """The words for an English text in the language of the answer."""
    return language().gettext(text, **values)


def _marked_up(text: str, /, **values: object) -> Markup:
    """`_` for templates: the words are ours, the values in them are escaped."""
    if not values:
        return _plain_words(language(), text)
    found = language().gettext(text)
    return Markup(found % {name: escape(value) for name, value in values.items()})  # noqa: S704


@lru_cache(4096)
def _plain_words(language: Language, text: str) -> Markup:
    return Markup(language.gettext(text).replace("%%", "%"))  # noqa: S704 (a text of ours)


def _counted(one: str, many: str, count: int, /, **values: object) -> Markup:
    """As `_marked_up`, where a number counts; the template names it among the values."""
    found = language().plural(one, many, count)
    return Markup(found % {name: escape(value) for name, value in values.items()})  # noqa: S704


# --- templates ----------------------------------------------------------------------------


def _set_up_templates(app: Flask, site: Site) -> None:
    ours = PackageLoader("basis_portal.web", "templates")
    host = site.theme.templates
    app.jinja_env.loader = ChoiceLoader([FileSystemLoader(host), ours]) if host else ours
    app.jinja_env.autoescape = True
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension("jinja2.ext.i18n")
    # Not through install_gettext_callables: its wrappers take a tenth of a page's time.
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined]
    app.jinja_env.globals.update(gettext=_marked_up, ngettext=_counted)
    zone = site.portal.timezone
    app.jinja_env.filters.update(
        money=lambda amount, currency: language().money(currency, amount),
        amount=lambda amount, currency=None: language().amount(amount, currency),
        number=lambda number: language().number(number),
        day=lambda day: language().day(day),
        day_of_week=lambda day: language().day_of_week(day),
        instant=lambda instant: language().instant(instant, zone),
        short_instant=lambda instant: language().short_instant(instant, zone),
        time=lambda instant: language().time(instant, zone),
        local_day=lambda instant: instant.astimezone(zone).date(),
        state=lambda state: language().state(state),
        entry_kind=lambda kind: language().say(ENTRY_WORDS[kind]),
        document_kind=lambda kind: language().say(DOCUMENT_WORDS[kind]),
        balance=lambda balance, currency: balance_words(language(), balance, currency),
        balance_sentence=lambda balance, currency: balance_sentence(language(), currency, balance),
        age=lambda bucket: age_words(language(), bucket),
        key=key_of,
        count=lambda number: language().count(number),
        short_day=lambda instant: language().day_of_year(instant.astimezone(zone).date()),
        negate=negate,
        entry_name=lambda entry: entry.number or language().say(ENTRY_WORDS[entry.kind]),
        mark=lambda text: Markup('<span class="pick">{}</span>').format(text),
        tel=lambda phone: re.sub(r"[^0-9+]", "", phone),
    )
    app.jinja_env.globals.update(
        site=site,
        seller=site.seller,
        theme=site.theme,
        host=site.host,
        asset=asset,
        current_language=language,
        zone_name=zone_name(zone),
    )
    # As globals: to import macros in each template takes a tenth of a page's time.
    for file in ("basis_portal/contact.html", "customer/parts.html"):
        macros = app.jinja_env.get_template(file).module
        app.jinja_env.globals.update(
            {name: one for name, one in vars(macros).items() if isinstance(one, Macro)}
        )


def page(template: str, status: int = 200, **values: Any) -> Response:
    """An answer: a template with its values."""
    response = current_app.make_response(render_template(template, **values))
    response.status_code = status
    return response


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
