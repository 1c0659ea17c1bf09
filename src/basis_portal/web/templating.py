"""Templates: what they may use, and their texts, which are compiled into them for each language."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, ClassVar

from flask import Flask, Response, current_app
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, nodes
from jinja2.bccache import Bucket, BytecodeCache
from jinja2.ext import InternationalizationExtension
from jinja2.parser import Parser
from jinja2.runtime import Macro
from markupsafe import Markup, escape

from ..domain.money import negate
from ..domain.url_keys import key_of
from ..i18n import Language
from ..i18n.language import zone_name
from ..i18n.words import (
    DOCUMENT_WORDS,
    ENTRY_WORDS,
    age_words,
    balance_sentence,
    balance_words,
)
from .answering import language
from .site import Site

_BY_LANGUAGE = "basis_portal_templates"


def page(template: str, status: int = 200, **values: Any) -> Response:
    """An answer: a template with its values."""
    current_app.update_template_context(values)
    body = _templates(language()).get_template(template).render(values)
    response = current_app.make_response(body)
    response.status_code = status
    return response


def set_up_templates(app: Flask, site: Site, **globals_: object) -> None:
    """Give an app its templates, and what they may use; ``globals_`` is more of it."""
    ours = PackageLoader("basis_portal.web", "templates")
    host = site.theme.templates
    app.jinja_env.loader = ChoiceLoader([FileSystemLoader(host), ours]) if host else ours
    app.jinja_env.autoescape = True
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension(_Texts)
    # Not through install_gettext_callables: its wrappers take a tenth of a page's time.
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined]
    app.jinja_env.globals.update(gettext=_marked_up, ngettext=_counted)
    # For a host's templates; ours need no contexts, and the catalogues have none.
    app.jinja_env.globals.update(
        pgettext=lambda _, text, **values: _marked_up(text, **values),
        npgettext=lambda _, one, many, count, **values: _counted(one, many, count, **values),
    )
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
        current_language=language,
        zone_name=zone_name(zone),
        **globals_,
    )
    app.extensions[_BY_LANGUAGE] = {}


def _templates(language: Language) -> Environment:
    """The templates with their texts in a language."""
    known: dict[str, Environment] = current_app.extensions[_BY_LANGUAGE]
    if (found := known.get(language.words_in)) is None:
        found = known[language.words_in] = _translated(current_app.jinja_env, language)
    return found


def _translated(plain: Environment, language: Language) -> Environment:
    found = plain.overlay(bytecode_cache=_Compiled(language.words_in))
    found.globals = {**plain.globals, _Texts.SPOKEN: language}
    # As globals: to import macros in each template takes a tenth of a page's time.
    for file in ("basis_portal/contact.html", "customer/parts.html"):
        macros = found.get_template(file).module
        found.globals |= {name: one for name, one in vars(macros).items() if isinstance(one, Macro)}
    return found


class _Compiled(BytecodeCache):
    """What templates compile to: once for all the apps of a process, each language apart."""

    _code: ClassVar[dict[tuple[str, str], bytes]] = {}

    def __init__(self, words_in: str) -> None:
        self._words_in = words_in

    def load_bytecode(self, bucket: Bucket) -> None:
        """Where it is there, and of the same source."""
        if (code := self._code.get((self._words_in, bucket.key))) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """For whoever asks next."""
        self._code[self._words_in, bucket.key] = bucket.bytecode_to_string()


class _Texts(InternationalizationExtension):
    """Compiles a text into the template in the language of its environment.

    A text that is looked up when a page is made takes a call for each; together they took a
    tenth of the page's time. Texts in which a number counts are looked up.
    """

    SPOKEN = "basis_portal_language"

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """What ``{% trans %}`` stands for."""
        node = super().parse(parser)
        spoken = self.environment.globals.get(self.SPOKEN)
        if not isinstance(spoken, Language) or not isinstance(node, nodes.Output):
            return node
        match node.nodes:
            case [
                nodes.Call(node=nodes.Name(name="gettext"), args=[nodes.Const(value=text)]) as call
            ]:
                values = {one.key: one.value for one in call.kwargs}
                return nodes.Output(_pieces(spoken.gettext(text), values), lineno=node.lineno)
        return node


def _pieces(text: str, values: dict[str, nodes.Expr]) -> list[nodes.Expr]:
    """A text in pieces: words of ours as they are, and between them the values."""
    pieces: list[nodes.Expr] = []
    for part in re.split(r"(%%|%\(\w+\)s)", text):
        name = part[2:-2]
        found = values.get(name) if part.startswith("%(") else None
        pieces.append(found or nodes.TemplateData("%" if part == "%%" else part))
    return pieces


# --- texts that are looked up -----------------------------------------------------------------


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
