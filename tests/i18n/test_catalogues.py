"""The catalogues hold every text of the pages, whole and in order."""

from __future__ import annotations

import gettext
import io
import re
from pathlib import Path
from typing import Any

import babel
import pytest
from babel.messages import frontend
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import basis_portal
from basis_portal.i18n.language import CATALOGUES, DOMAIN, LOCALES

PACKAGE = Path(basis_portal.__file__).parent
LANGUAGES = [one for one in CATALOGUES if one != "en"]
PLACE = re.compile(r"%\(\w+\)s|%%")


@pytest.fixture(scope="module")
def texts() -> dict[str, Any]:
    """Every text of the sources by its id (the first form, where a number counts)."""
    if babel.__version__.split(".") < ["2", "13"]:
        pytest.skip("texts are taken from the sources by Babel 2.13 or newer")
    with (LOCALES / "babel.cfg").open(encoding="utf-8") as config:
        parse = getattr(frontend, "parse_mapping_cfg", None) or frontend.parse_mapping
        methods, options = parse(config)
    keywords = {**DEFAULT_KEYWORDS, **frontend.parse_keywords(["Phrase:1,1t", "Phrase:1,2,2t"])}
    found = extract_from_dir(PACKAGE, methods, options, keywords)
    return {(one[2] if isinstance(one[2], str) else one[2][0]): one[2] for one in found}


def _catalogue(language: str) -> Catalog:
    path = LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as file:
        return read_po(file, locale=language)


def test_the_texts_are_found(texts: dict[str, Any]) -> None:
    """Those of templates, of code, of the domain's table, and those in which a number counts."""
    for one in ("Customer Portal", "From must not be after To.", "Used in full"):
        assert one in texts
    assert texts["%(count)s day overdue"] == ("%(count)s day overdue", "%(count)s days overdue")
    assert len(texts) > 300


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_complete(texts: dict[str, Any], language: str) -> None:
    """Each text has its words, none is fuzzy, none is left over. `nox -s catalogues` mends it."""
    catalogue = _catalogue(language)
    found = {(m.id if isinstance(m.id, str) else m.id[0]): m for m in catalogue if m.id}
    assert sorted(texts.keys() - found.keys()) == []
    assert sorted(found.keys() - texts.keys()) == []
    empty = [one for one, message in found.items() if not all(_forms(message.string))]
    assert empty == []
    assert [one for one, message in found.items() if message.fuzzy] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_value_is_lost_in_translation(language: str) -> None:
    """Each form names the values of its text, and no others."""
    for message in _catalogue(language):
        if not message.id:
            continue
        wanted = set(PLACE.findall(" ".join(_forms(message.id))))
        for form in _forms(message.string):
            found = set(PLACE.findall(form))
            assert found <= wanted, message.id
            assert wanted - found <= {"%(count)s"}, message.id  # "one day" may need no number
            assert form.startswith(" ") == _forms(message.id)[0].startswith(" "), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_shipped_is_what_is_written(language: str) -> None:
    """The compiled catalogue is that of the words beside it."""
    compiled = io.BytesIO()
    write_mo(compiled, _catalogue(language))
    compiled.seek(0)
    fresh = gettext.GNUTranslations(compiled)
    with (LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        shipped = gettext.GNUTranslations(file)
    assert _without_header(shipped) == _without_header(fresh)


def _without_header(catalogue: Any) -> dict[Any, str]:
    return {key: text for key, text in catalogue._catalog.items() if key}


def _forms(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)
