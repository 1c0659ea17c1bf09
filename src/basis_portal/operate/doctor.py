"""The command `basis-portal check`: the storage, keys, address, clock, and the proxy."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..configuration import Configuration
from ..domain.portal_token import TokenStatus
from ..errors import PortalError, StorageError
from ..storage._place import Finding, Place, Verdict
from .portal import VARIABLE, add_portal_command, application_object, named_portal, print_json
from .storages import configured_storage, is_configured, read_configuration, the_place

if TYPE_CHECKING:
    from ..portal import Portal

OK, WARNING, WRONG = Verdict.OK, Verdict.WARNING, Verdict.WRONG
_SHOWN = {OK: "ok", WARNING: "warning", WRONG: "WRONG"}

_CHECK = """\
Looks at all that is configured and changes nothing: whether the tables are the newest, whether
file or server keep what they are given, whether the rows keep the rules, and keys, address and
clock, of the application's own portal where one is named; with --proxy also whether base_url leads
to the customers' pages with all their headers. One line each: ok, warning or WRONG. The status is 1
where something is wrong.
"""

SECONDS = 10.0
_AHEAD = dt.timedelta(minutes=1)
_NOBODYS = f"{'A' * 22}.{'A' * 43}"
"""Of the form of a link, and signed by nobody."""
_ELSEWHERE = "elsewhere.invalid"
_MOST = 1_000_000  # bytes of an answer that are looked at


def add_check(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    parser = add_portal_command(commands, "check", _check, "see whether all is well", _CHECK)
    parser.add_argument(
        "--proxy", action="store_true", help="ask base_url, and look at what the proxy lets through"
    )


def _check(options: argparse.Namespace) -> int:
    found: list[Finding] = []
    config, name = read_configuration(options), None
    try:
        with contextlib.ExitStack() as stack:
            named, place = named_portal(options, beside=True), None
            if not named or is_configured(config):
                place = stack.enter_context(contextlib.closing(the_place(options, config)))
                name = place.name
            for one in _findings(options, config, named, place):
                found.append(one)
                if not options.json:
                    print(f"{_SHOWN[one.verdict]:8} {one.about}: {one.text}")
    except StorageError as error:
        if not options.json:
            raise
        found.append(Finding("storage", WRONG, str(error)))
    if options.json:
        checks = [{"about": f.about, "verdict": f.verdict.value, "text": f.text} for f in found]
        print_json({"storage": name, "checks": checks})
    return int(any(one.verdict is WRONG for one in found))


def _findings(
    options: argparse.Namespace, config: Configuration, named: str | None, place: Place | None
) -> Iterator[Finding]:
    """The storage first; where that is not sound, to open it or to make a portal changes it."""
    from ..portal import Portal
    from ..storage._checks import findings

    is_sound, portal = True, None
    for one in findings(place) if place is not None else ():
        is_sound &= one.verdict is OK or one.about not in ("tables", "log")
        yield one
    if is_sound and named:
        portal = application_object(named, Portal, "basis_portal.Portal", "--portal", VARIABLE)
        yield (read := _of_the_applications(portal, place))
        if read.verdict is OK:
            yield from _of_portal(portal)
    elif is_sound:
        yield from _of_keys(options, config)
    if options.proxy and (portal or config.base_url or not named):
        yield from proxy_findings(portal.base_url if portal else config.need("base_url"))


def _of_the_applications(portal: Portal, place: Place | None) -> Finding:
    """Of its storage the portal alone knows; where it fails, the application's log says why."""
    logging.getLogger("basis_portal").addHandler(logging.NullHandler())
    which = f"; whether that is {place.name}, the application knows" if place else ""
    if portal.monitoring.health().ok:
        return Finding("storage", OK, f"the application's portal can read its own{which}")
    return Finding("storage", WRONG, f"the application's portal cannot read its own{which}")


def _of_keys(options: argparse.Namespace, config: Configuration) -> Iterator[Finding]:
    """Of the portal over the configured storage, where keys or address are configured."""
    from ..portal import Portal

    if not (config.secret_keys or config.base_url):
        return
    if not (config.secret_keys and config.base_url):
        missing = "base_url is" if config.secret_keys else "secret_keys are"
        yield Finding("keys", WARNING, f"{missing} not configured; keys were not looked at")
        return
    with contextlib.closing(configured_storage(options, config)) as storage:
        try:
            portal = Portal(storage, secret_keys=config.secret_keys, base_url=config.base_url)
        except PortalError as error:
            yield Finding("keys and address", WRONG, str(error))
            return
        yield from _of_portal(portal)


def _of_portal(portal: Portal) -> Iterator[Finding]:
    """Keys, address, links of dropped keys and clock."""
    count = len(portal.tokens.key_fingerprints)
    yield Finding("keys", OK, f"{count} {'key' if count == 1 else 'keys'}, the newest signs")
    if urlsplit(portal.base_url).scheme != "https":
        yield Finding("address", WARNING, "base_url is not https: links can be read on the way")
    else:
        yield Finding("address", OK, "https")
    if portal.available():
        yield _dropped(portal)
        yield _clock(portal)
    else:
        text = f"not looked at: the {portal.unavailable_because()} gives no portal"
        yield Finding("links", WARNING, text)


def _dropped(portal: Portal) -> Finding:
    """Active tokens whose mailed links no key opens any more."""
    known, dead, after = set(portal.tokens.key_fingerprints), 0, None
    while True:
        page = portal.tokens.list(status=TokenStatus.ACTIVE, after=after, limit=200)
        dead += sum(token.key_fingerprint not in known for token in page.items)
        if (after := page.next) is None:
            break
    if not dead:
        return Finding("links", OK, "each active token was issued under a key that is listed")
    text = f"{dead} active tokens were issued under keys that are not listed: links that were sent "
    return Finding("links", WARNING, f"{text}are dead. Send them anew, or list the key again")


def _clock(portal: Portal) -> Finding:
    """The clock of this machine against the newest line of the audit trail."""
    newest = portal.audit.list(limit=1).items
    ahead = newest[0].at - portal.now() if newest else dt.timedelta(0)
    if ahead > _AHEAD:
        text = (
            "the newest line of the audit trail is {} in the future: set the clock of this machine"
        )
        return Finding("clock", WRONG, text.format(str(ahead).partition(".")[0]))
    return Finding("clock", OK, "not behind the audit trail")


# --- through the proxy --------------------------------------------------------------------


def proxy_findings(base_url: str) -> Iterator[Finding]:
    """Ask for a link that nobody has, as a customer's browser would, and look at the answer."""
    try:
        from ..web.headers import security_headers
    except ImportError as error:
        yield Finding("proxy", WARNING, f"not looked at: {error}")
        return
    try:
        status, headers, _ = _ask(base_url)
    except (OSError, HTTPException) as error:
        yield Finding(
            "proxy", WRONG, f"base_url cannot be reached: {type(error).__name__}: {error}"
        )
        return
    if status != HTTPStatus.FORBIDDEN:
        text = f"a link that nobody has is answered {status} and not 403: base_url does not lead to"
        yield Finding("proxy", WRONG, f"{text} the customer's pages")
        return
    yield Finding("proxy", OK, "base_url leads to the customer's pages")
    wanted = security_headers(https=base_url.startswith("https:"), scripts=False)
    yield _headers(wanted, headers)
    if "set-cookie" in headers:
        yield Finding("cookies", WRONG, "the proxy sets a cookie on customers' pages: let it not")
    yield _host(base_url)


def _headers(wanted: Mapping[str, str], found: Mapping[str, str]) -> Finding:
    wrong = [name for name, value in wanted.items() if found.get(name.lower()) != value]
    if wrong:
        text = (
            f"do not arrive as the pages send them: {', '.join(wrong)}. Let the proxy pass them on"
        )
        return Finding("headers", WRONG, text)
    return Finding("headers", OK, f"all {len(wanted)} arrive")


def _host(base_url: str) -> Finding:
    """A Host header of somebody else's, which must come back in nothing."""
    with contextlib.suppress(OSError, HTTPException):
        _, headers, body = _ask(base_url, host=_ELSEWHERE)
        if _ELSEWHERE in body or any(_ELSEWHERE in value for value in headers.values()):
            text = "a Host header of another name comes back in the answer: refuse other names"
            return Finding("host name", WRONG, text)
    return Finding("host name", OK, "another Host header comes back in nothing")


def _ask(base_url: str, host: str | None = None) -> tuple[int, dict[str, str], str]:
    """Status, headers and body; no redirect is followed. Raises `OSError`, `HTTPException`.

    On a thread of its own, as a server that drips its answer would keep us for ever.
    """
    with ThreadPoolExecutor(1) as pool:
        place = urlsplit(base_url)
        kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
        connection = kind(place.hostname or "", place.port, timeout=SECONDS)
        asked = pool.submit(_answer, connection, f"{place.path.rstrip('/')}/{_NOBODYS}", host)
        try:
            return asked.result(SECONDS)
        except TimeoutError:
            raise TimeoutError(f"no whole answer within {SECONDS:g} seconds") from None
        finally:
            _hang_up(connection)


def _answer(
    connection: HTTPConnection, path: str, host: str | None
) -> tuple[int, dict[str, str], str]:
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read(_MOST).decode("utf-8", "replace")
    return answer.status, {name.lower(): text for name, text in answer.getheaders()}, body


def _hang_up(connection: HTTPConnection) -> None:
    """Close it under whoever still reads, who gets an error or an end."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(SHUT_RDWR)
    connection.close()
