"""Templates of e-mails: a host's own before ours, their texts in the reader's language."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from traceback import walk_tb
from typing import Any

try:
    from jinja2 import (
        BaseLoader,
        ChoiceLoader,
        Environment,
        FileSystemLoader,
        PackageLoader,
        PrefixLoader,
        StrictUndefined,
        TemplateError,
        TemplateSyntaxError,
        pass_context,
        select_autoescape,
    )
    from jinja2.runtime import Context
    from markupsafe import Markup, escape
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "basis_portal.mail needs jinja2: pip install 'basis-portal[mail]'", name=_missing.name
    ) from _missing

from ..errors import InvalidValue
from ..i18n import Language, language_for
from .message import Letter

OURS = Path(__file__).parent / "templates"
WIDTH = 78  # characters
_TAG = re.compile("[A-Za-z0-9-]{2,35}")
_KINDS = (".txt", ".html")
_SUBJECT = "Subject: "
_GLUE = "\0"  # no text of ours or a host's holds it
_HANGING = {"> ": "> ", "- ": "  "}


class Templates:
    """Renders letters: ``<name>.txt``, whose first line is the subject, and ``<name>.html``.

    Args:
        folder: the host's own templates, looked for first; ours stay to be had as
            ``basis_portal/<name>``. A folder in it that is named by a language tag holds
            those for readers of that language.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._environment = _ours() if folder is None else _environment(_HostLoader(folder))

    def languages(self) -> list[str]:
        """The tags of the languages for which the host has a folder."""
        found = self._folder.iterdir() if self._folder else ()
        return sorted(one.name for one in found if one.is_dir() and _TAG.fullmatch(one.name))

    def spoken(self, name: str, tag: str) -> Language:
        """The language a letter is written in for readers of another.

        Days are written as its readers write them, unless the words are in another language:
        "works until mar 17 nov" is a day in March to whoever reads English around it.
        """
        language = language_for(tag)
        return language if self._folder_of(name, tag) else language.in_its_words

    def letter(self, name: str, language: Language, **values: object) -> Letter:
        """A letter, rendered.

        Raises:
            InvalidValue: a template cannot be used, in which line, and why; without the link.
        """
        folder = self._folder_of(name, language.tag)
        lang = folder or language.words_in
        given = {**values, "language": language, "lang": lang}
        path = f"{folder}/{name}" if folder else name
        head, _, body = self._rendered(f"{path}.txt", given).partition("\n")
        subject = " ".join(head.removeprefix(_SUBJECT).split())
        if not (head.startswith(_SUBJECT) and subject):
            raise InvalidValue(
                f"the template {path}.txt must begin with a line that is 'Subject: ' and a subject",
                field=f"{path}.txt",
            )
        html = self._rendered(f"{path}.html", {**given, "subject": subject})
        return Letter(subject, _set_in_lines(body), f"{html.strip()}\n", lang)

    def _rendered(self, file: str, values: Mapping[str, object]) -> str:
        try:
            return self._environment.get_template(file).render(values)
        except Exception as error:  # whatever a template does, such as to divide by zero
            failed = f"{self._place_of(error)}{_said(error)}"
        # Without the error itself: a link may stand in that.
        raise InvalidValue(f"the template {file} cannot be used: {failed}", field=file)

    def _place_of(self, error: Exception) -> str:
        """The template and the line where an error came up, as far as that is known."""
        if isinstance(error, TemplateSyntaxError):
            return f"{error.name}, line {error.lineno}: "
        folders = [one for one in (self._folder, OURS) if one is not None]
        # Jinja2 puts frames with the files and lines of templates in place of those of its own.
        lines = [
            f"{path.relative_to(folder).as_posix()}, line {line}: "
            for frame, line in walk_tb(error.__traceback__)
            for path in [Path(frame.f_code.co_filename)]
            for folder in folders
            if path.suffix in _KINDS and path.is_relative_to(folder)
        ]
        return lines[-1] if lines else ""

    def _folder_of(self, name: str, tag: str) -> str:
        """The host's folder with this letter for readers of a language, or empty."""
        tag = tag.replace("_", "-")
        for one in (tag, tag.partition("-")[0]):
            if self._folder and _TAG.fullmatch(one):
                own = self._folder / one
                if (own / f"{name}.txt").is_file() and (own / f"{name}.html").is_file():
                    return one
        return ""


class _HostLoader(FileSystemLoader):
    """The host's templates; one that is not UTF-8 is named, with the line."""

    def get_source(self, environment: Environment, template: str) -> Any:
        try:
            return super().get_source(environment, template)
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise TemplateSyntaxError("it is not UTF-8; save it as such", line, template) from None


def _said(error: Exception) -> str:
    """What an error says, but for what may be of a link."""
    text = str(error.message if isinstance(error, TemplateError) else error)
    text = re.sub(r"\w+://[^\s'\"]+", "<...>", text)
    # Nothing as long as half a token is kept, unless it is such a name as templates have.
    text = re.sub(r"(?![a-z_]+\b(?!-))[\w-]{20,}", "<...>", text)
    return text if isinstance(error, TemplateError) else f"{type(error).__name__}: {text}"


def _environment(*first: BaseLoader) -> Environment:
    ours = PackageLoader("basis_portal.mail", "templates")
    environment = Environment(
        loader=ChoiceLoader([*first, ours, PrefixLoader({"basis_portal": ours})]),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals.update(gettext=_gettext, ngettext=_ngettext)
    environment.filters.update(quoted=_quoted, lines=_lines, whole=_whole, tel=_tel)
    return environment


@cache
def _ours() -> Environment:
    """Compiled once for all the sellers of a process."""
    return _environment()


# --- what templates may use -------------------------------------------------------------------


@pass_context
def _gettext(context: Context, text: str, /, **values: object) -> str:
    return _filled(context, context["language"].gettext(text), values)


@pass_context
def _ngettext(context: Context, one: str, many: str, count: int, /, **values: object) -> str:
    return _filled(context, context["language"].plural(one, many, count), values)


def _filled(context: Context, words: str, values: Mapping[str, object]) -> str:
    """The words are ours; in HTML the values in them are escaped."""
    if context.eval_ctx.autoescape:
        return Markup(words) % values  # noqa: S704
    return words % values


def _quoted(text: str) -> str:
    """What somebody wrote, so marked that no line of it passes for one of ours."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _lines(text: str) -> Markup:
    """What somebody wrote, with its line breaks, also where styles are off."""
    return Markup("<br>\n").join(escape(line) for line in text.split("\n"))


def _whole(text: str) -> str:
    """What stays on one line of the text part, such as a phone number."""
    return text.replace(" ", _GLUE)


def _tel(phone: str) -> str:
    return re.sub("[^0-9+]", "", phone)


def _set_in_lines(text: str) -> str:
    """Text in lines of at most `WIDTH`; words, and so links, stay whole."""
    lines = [piece for line in text.split("\n") for piece in _wrapped(line.rstrip())]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).replace(_GLUE, " ").strip("\n") + "\n"


def _wrapped(line: str) -> list[str]:
    mark = next((mark for mark in _HANGING if line.startswith(mark)), "")
    # An address within a sentence, such as in a name, begins no line: it would pass for our link.
    glued = re.sub(r" (?=\S*://)", _GLUE, line.removeprefix(mark))
    pieces = textwrap.wrap(
        glued,
        WIDTH,
        initial_indent=mark,
        subsequent_indent=_HANGING.get(mark, ""),
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return pieces or [line]
