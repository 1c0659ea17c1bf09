"""The link in a pasted text, and what is wrong with the text around it.

Mail programs break links, put them into others and stick to them what stood beside them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

_TEXT_LENGTH = 66  # of a token
_PASTED_LENGTH = 20_000  # characters: a long mail

Flaw = Literal["elsewhere", "broken", "detour", "added", "several", "long"]
"""Why a pasted text does not open as it stands, though a token of ours is in it."""

# Not compiled here: most programs that import the library never look through a text.
# The dot comes first: all else is looked at only where there is one.
_WINDOW = r"\.(?<=[A-Za-z0-9_-]{22}\.)(?=[A-Za-z0-9_-]{43})"
_STUCK = r"[A-Za-z0-9_@-]|\.[A-Za-z0-9_-]"
# What stands in a broken link: blanks, what nobody sees, and after them the marks of a quotation;
# before them the "=" of a mail's source.
_UNSEEN = "\u00ad\u200b\u2060\ufeff"
_BLANK = rf"[\s{_UNSEEN}]"
_BREAK = rf"=?{_BLANK}(?:{_BLANK}|[>|]|=(?={_BLANK}))*"
_EDGE = r"[\s<>\"\u201c-\u201f\xab\xbb]"
_ADDRESS = "(?i:https?://)"
_WORD_LENGTH = 4000
_MARKS = (".", ",", ";", ":", "!", ")", "]", "\u2019")
_OPENING = "([{*'\u2018\u201a"
_CLOSING = {
    "(": ")",
    "[": "]",
    "{": "}",
    "<": ">",
    ">": "<",  # as between two tags
    '"': '"',
    "'": "'",
    "=": ">",  # as in a tag without quotation marks
    "\u201c": "\u201d",
    "\u201d": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    "\xab": "\xbb",
    "\xbb": "\xab",
}


def find_link(
    text: object, read: Callable[[str], str | None], base_url: str
) -> tuple[str | None, Flaw | None]:
    """The token id of the one link in a text of up to 20,000 characters, and its flaw.

    A token is looked for behind all that mail programs do, but read by ``read`` alone, which
    is that of `LinkSigner`. A text that has the form of a token, but is none of ours, counts
    as another link.
    """
    if not isinstance(text, str):
        return None, None
    if len(text) > _PASTED_LENGTH:
        return None, "long"
    decoded = _unquoted(text)
    spelled = {*_windows(_joined(text)), *_windows(_joined(decoded))}
    ours = {one: token_id for one in spelled if (token_id := read(one))}
    others = {one for one in _windows(text, whole=True) if one not in ours}
    found = set(ours.values())
    if len(found) + len(others) > 1:
        return None, "several"
    if not found:
        return None, None
    return found.pop(), _flaw_of(ours, text, decoded, base_url)


def _unquoted(text: str) -> str:
    """A text without percent signs that stand for characters; those in an address often twice."""
    from urllib.parse import unquote  # only where something is pasted

    return unquote(unquote(text))


def _joined(text: str) -> str:
    return re.sub(_BREAK, "", text)


def _windows(text: str, *, whole: bool = False) -> Iterator[str]:
    """What has the form of a token; with ``whole`` not within a longer word of its signs."""
    for dot in re.finditer(_WINDOW, text):
        start, end = dot.start() - 22, dot.end() + 43
        stuck = start > 0 and (text[start - 1] == "." or re.match(_STUCK, text[start - 1]))
        if not whole or not (stuck or re.match(_STUCK, text[end : end + 2])):
            yield text[start:end]


def _flaw_of(spelled: Iterable[str], text: str, decoded: str, base_url: str) -> Flaw | None:
    """What is wrong in each place where a token stands; None where one of them is right."""
    ours = _usual(f"{_unquoted(base_url)}/")
    broken = "|".join(f"(?:{_BREAK})?".join(map(re.escape, one)) for one in spelled)
    places = list(re.finditer(broken, text))
    if not places:  # a sign of the token itself is written with a percent sign, which opens
        text, places = decoded, list(re.finditer(broken, decoded))
    flaws = [_flaw_at(text, place.start(), place.end(), ours) for place in places]
    return None if None in flaws else flaws[0]


def _flaw_at(text: str, start: int, end: int, ours: str) -> Flaw | None:
    before = text[max(0, start - _WORD_LENGTH) : start]
    word = re.split(_EDGE, before)[-1]
    beside, address = _split_address(_unquoted(word))
    flaw = _flaw_of_address(before, word, beside, address, ours)
    if flaw == "elsewhere":
        return flaw
    if flaw == "broken" or end - start > _TEXT_LENGTH:
        return "broken"
    around = beside if address else word
    opening = (around or before.removesuffix(word))[-1:]
    following = text[end : end + 1]
    closed = not following or following.isspace() or following in "/?#"
    if following == "/" and _is_marked(re.split(_EDGE, text[end : end + _WORD_LENGTH])[0]):
        return flaw or "added"
    if flaw is None and not closed and following not in _CLOSING.get(opening, ""):
        return "added"
    return flaw


def _is_marked(path: str) -> bool:
    """True for the way to a page below a link with a mark stuck to it: there is no such page."""
    return path[-1:] in _MARKS and not {"?", "#"} & {*path} and path.strip("/.") != ""


def _flaw_of_address(before: str, word: str, beside: str, address: str, ours: str) -> Flaw | None:
    """What is wrong with what stands before a token: ``word`` is what touches it."""
    if address:
        if _usual(address) != ours:
            return "added" if _usual(address).startswith(ours) else "elsewhere"
        return "detour" if "/" in beside or "://" not in word else None
    joined = _usual(_split_address(_unquoted(_joined(before)))[1])
    if joined == ours:
        return "broken"
    if not (bare := beside.lstrip(_OPENING)):
        return "elsewhere" if joined.endswith("/") else None
    scheme, _, host_and_path = ours.partition("://")
    path = host_and_path[host_and_path.index("/") :]
    if bare in ("/", path) or _usual(f"{scheme}://{bare}") == ours:
        return None
    return "elsewhere" if "/" in bare else "added"


def _split_address(text: str) -> tuple[str, str]:
    """A text up to the last address in it, and that address."""
    start = max((found.start() for found in re.finditer(_ADDRESS, text)), default=len(text))
    return text[:start], text[start:]


def _usual(address: str) -> str:
    """An address as browsers compare it: scheme and host in small letters, no usual port."""
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    usual = ":443" if scheme.lower() == "https" else ":80"
    return f"{scheme.lower()}{separator}{host.lower().removesuffix(usual)}{slash}{path}"
