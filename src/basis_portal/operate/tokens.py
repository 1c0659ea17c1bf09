"""The command `basis-portal tokens`: who may enter, for operators who have no staff pages."""

from __future__ import annotations

import argparse
import datetime as dt
import shlex
from typing import Any

from ..domain.portal_token import PortalToken, TokenStatus, short_id
from .portal import (
    add_by,
    add_group,
    add_portal_command,
    add_yes,
    check_known,
    confirm,
    one_line,
    print_json,
    print_table,
    shown,
    tell,
    the_portal,
)
from .storages import days

_TOKENS = """\
Lists, issues and ends portal tokens. A link is a secret: "link" alone prints it, which is audited.
"""
_LIST = """\
Each customer's latest token, the first to expire first, 50 or --limit of them. "after" at the end
says how to go on: hand it back as --after.
"""
_GENERATE = """\
Issues a token to a customer without an active one. The status is 1 where there is one already.
"""
_REGENERATE = """\
Ends the customer's link and issues a new token. With --if-current ID nothing is done where another
token is current by now: whoever was faster keeps the new link.
"""
_REVOKE = """\
Ends the customer's link at once. Where it has ended already nothing is changed, and it says so. The
status is 1 where there is no such customer.
"""
_REVOKE_ALL = """\
Ends every link at once: for the day of a leak. At a terminal it asks first; programs say --yes.
"""
_LINK = """\
Prints the secret link of the customer's active token, alone on its line. Audited.
"""


def add_tokens(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    verbs = add_group(commands, "tokens", "list, issue, end portal tokens", _TOKENS)
    listing = add_portal_command(verbs, "list", _list, "who may enter", _LIST)
    listing.add_argument("--status", choices=[one.value for one in TokenStatus], help="only such")
    listing.add_argument(
        "--expiring-within", metavar="DAYS", type=days, help="only what expires within DAYS"
    )
    listing.add_argument("--after", metavar="TEXT", help="go on where an earlier list ended")
    listing.add_argument("--limit", metavar="N", type=int, default=50, help="1 to 200, 50 without")
    generate = _verb(verbs, "generate", _generate, "issue a token", _GENERATE)
    generate.add_argument("--days", metavar="N", type=int, help="how long it lives")
    regenerate = _verb(verbs, "regenerate", _regenerate, "replace the link", _REGENERATE)
    regenerate.add_argument("--days", metavar="N", type=int, help="how long the new one lives")
    regenerate.add_argument("--if-current", metavar="ID", help="only if this token is current")
    revoke = _verb(verbs, "revoke", _revoke, "end a link at once", _REVOKE)
    revoke.add_argument("--reason", metavar="TEXT", help="for the audit trail")
    all_of_them = add_portal_command(
        verbs, "revoke-all", _revoke_all, "end every link at once", _REVOKE_ALL
    )
    all_of_them.add_argument("--reason", metavar="TEXT", required=True, help="why")
    add_by(all_of_them)
    add_yes(all_of_them)
    _verb(verbs, "link", _link, "print the secret link", _LINK)


def _verb(verbs: Any, name: str, run: Any, help: str, description: str) -> argparse.ArgumentParser:
    parser = add_portal_command(verbs, name, run, help, description)
    parser.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    add_by(parser)
    return parser


# --- the commands -------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    with the_portal(options) as portal:
        within = options.expiring_within
        page = portal.tokens.list(
            status=TokenStatus(options.status) if options.status else None,
            expiring_within=None if within is None else dt.timedelta(days=within),
            after=options.after,
            limit=options.limit,
        )
        now = portal.now()
        names = portal.customers.get_many({token.customer_id for token in page.items})
    if options.json:
        print_json({"tokens": [_facts(one, now) for one in page.items], "after": page.next})
        return 0
    headings = ("CUSTOMER", "NAME", "STATUS", "EXPIRES", "ISSUED", "BY", "TOKEN")
    rows = []
    for one in page.items:
        name = names[one.customer_id].name if one.customer_id in names else ""
        issued = (shown(one.issued_at), one.issued_by, short_id(one.id))
        rows.append((one.customer_id, name, one.status_at(now), shown(one.expires_at), *issued))
    print_table(headings, [[one_line(cell) for cell in row] for row in rows])
    if page.next:
        print(f"after: {page.next}")
    return 0


def _generate(options: argparse.Namespace) -> int:
    with the_portal(options, changes=True) as portal:
        token = portal.tokens.generate(options.customer, by=options.by, days=options.days)
        return _generated(options, token, portal.now())


def _regenerate(options: argparse.Namespace) -> int:
    with the_portal(options, changes=True) as portal:
        token = portal.tokens.regenerate(
            options.customer, by=options.by, days=options.days, if_current=options.if_current
        )
        return _generated(options, token, portal.now())


def _revoke(options: argparse.Namespace) -> int:
    with the_portal(options, changes=True) as portal:
        check_known(portal, options.customer)
        token = portal.tokens.revoke(options.customer, by=options.by, reason=options.reason)
        facts = token and _facts(token, portal.now())
    words = f"{one_line(options.customer)} has no current token; nothing was changed."
    if token:
        words = f"Revoked token {short_id(token.id)}... of {one_line(options.customer)}."
    return tell(options, {"revoked": facts}, words)


def _revoke_all(options: argparse.Namespace) -> int:
    with the_portal(options, changes=True) as portal:
        count = portal.tokens.count(TokenStatus.ACTIVE)
        confirm(options, f"{count:,} links work now. All of them end at once.", "REVOKE")
        ended = portal.tokens.revoke_all(by=options.by, reason=options.reason)
    return tell(options, {"revoked": ended}, f"Revoked {ended:,} tokens.")


def _link(options: argparse.Namespace) -> int:
    with the_portal(options) as portal:
        link = portal.tokens.link(options.customer, by=options.by)
    return tell(options, {"link": link}, link)


def _generated(options: argparse.Namespace, token: PortalToken, now: dt.datetime) -> int:
    words = (
        f"Generated token {short_id(token.id)}... of {one_line(token.customer_id)}, active until "
        f"{shown(token.expires_at)}. The link: basis-portal tokens link "
        f"{'-- ' if token.customer_id.startswith('-') else ''}"
        f"{shlex.quote(one_line(token.customer_id))}"
    )
    return tell(options, {"token": _facts(token, now)}, words)


def _facts(token: PortalToken, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": token.id,
        "customer_id": token.customer_id,
        "status": token.status_at(now).value,
        "issued_at": token.issued_at,
        "issued_by": token.issued_by,
        "expires_at": token.expires_at,
        "ended_at": token.ended_at,
        "ended_by": token.ended_by,
        "reason": token.reason,
    }
