"""Opening a link: a good one among a million tokens, and an altered one."""

from __future__ import annotations

import hashlib
import hmac
import random
import sqlite3
from pathlib import Path

from basis_portal import AccessDenied, Portal
from basis_portal.storage import _sql
from basis_portal.storage.sqlite import SQLiteStorage

from .measure import Result, ratio
from .world import KEY, plain_connection, portal_over, save_tokens

LINKS = 2000
_SETTINGS = f"SELECT {_sql.SETTINGS} FROM settings WHERE tenant = ?"
_TOKEN = f"SELECT {_sql.TOKEN} FROM tokens WHERE tenant = ? AND id = ?"
_CUSTOMER = f"SELECT {_sql.CUSTOMER} FROM customers WHERE tenant = ? AND id = ?"


def run(folder: Path, tokens: int) -> list[Result]:
    """Both lines of the table, on a file of so many tokens."""
    path = folder / "tokens.db"
    storage = SQLiteStorage(path)
    try:
        save_tokens(storage, tokens)
        portal = portal_over(storage)
        plain = plain_connection(path)
        texts = _some_links(portal, plain)
        return [_good(portal, plain, texts, tokens), _altered(portal, plain, texts, tokens)]
    finally:
        storage.close()


def _some_links(portal: Portal, plain: sqlite3.Connection) -> list[str]:
    """Texts of links from all over the file, each opened within the hour."""
    ids = [row[0] for row in plain.execute("SELECT customer_id FROM tokens")]
    chosen = random.Random(1).sample(ids, min(LINKS, len(ids)))
    texts = [portal.tokens.link(one).rsplit("/", 1)[1] for one in chosen]
    for text in texts:
        portal.open(text)
    return texts


def _mac(text: str) -> bytes:
    return hmac.new(KEY.encode(), text[:22].encode(), hashlib.sha256).digest()


def _good(portal: Portal, plain: sqlite3.Connection, texts: list[str], tokens: int) -> Result:
    def ours() -> None:
        for text in texts:
            portal.open(text)

    def floor() -> None:
        for text in texts:
            _mac(text)
            plain.execute(_SETTINGS, ("default",)).fetchone()
            token = plain.execute(_TOKEN, ("default", text[:22])).fetchone()
            plain.execute(_CUSTOMER, ("default", token[1])).fetchone()

    return Result(
        "open, good link",
        "HMAC + settings, token, customer",
        ratio(ours, floor),
        2,
        f"{tokens:,} tokens",
    )


def _altered(portal: Portal, plain: sqlite3.Connection, texts: list[str], tokens: int) -> Result:
    altered = [text[:-5] + ("A" if text[-5] != "A" else "B") + text[-4:] for text in texts]

    def ours() -> None:
        for text in altered:
            try:
                portal.open(text)
            except AccessDenied:
                continue
            raise AssertionError("an altered token opened")

    def floor() -> None:
        for text in altered:
            _mac(text)
            plain.execute(_SETTINGS, ("default",)).fetchone()

    return Result(
        "open, altered token", "HMAC + settings", ratio(ours, floor), 3, f"{tokens:,} tokens"
    )
