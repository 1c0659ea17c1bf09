"""Every verb on a token in every state: what comes of it, what is written, what stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from basis_portal import (
    AccessDenied,
    AccessRevoked,
    ActiveTokenExists,
    AuditEntry,
    CustomerBlocked,
    CustomerNotFound,
    InvalidValue,
    NoActiveToken,
    Outcome,
    Portal,
    PortalConfig,
    PortalError,
    PortalToken,
    Skipped,
    TokenChanged,
    TokenStatus,
)
from basis_portal.testing.builders import a_customer, token_id
from basis_portal.testing.clocks import FrozenClock

Given = Callable[[str], PortalToken | None]
State = Callable[[], dict[str, Any]]
Trail = Callable[[], list[AuditEntry]]

STATES = ("none", "active", "expired", "revoked", "replaced")
ISSUED = ["issued"]
REPLACED = ["ended replaced", "issued"]
REVOKED = ["ended revoked"]
NOTHING: list[str] = []


def _outcome(result: object) -> str:
    """One word for what a verb gave."""
    if isinstance(result, PortalToken):
        return "ended" if result.ended_at else "a token"
    if isinstance(result, list):
        (only,) = result
        return f"{only.outcome} {only.why or ''}".strip()
    return "a link" if isinstance(result, str) else str(result)


def _latest_id(portal: Portal) -> str:
    latest = portal.tokens.get("C-1001")
    return latest.id if latest else token_id(1)


VERBS: dict[str, Callable[[Portal], object]] = {
    "generate": lambda p: p.tokens.generate("C-1001", by="ana"),
    "regenerate": lambda p: p.tokens.regenerate("C-1001", by="ana"),
    "regenerate if_current": lambda p: p.tokens.regenerate(
        "C-1001", by="ana", if_current=_latest_id(p)
    ),
    "ensure": lambda p: p.tokens.ensure("C-1001", by="ana"),
    "revoke": lambda p: p.tokens.revoke("C-1001", by="ana", reason="moved"),
    "link": lambda p: p.tokens.link("C-1001", by="ana"),
    "link shown": lambda p: p.tokens.link("C-1001", by="ana", shown=True),
    "ensure_many": lambda p: list(p.tokens.ensure_many(["C-1001"], by="ana")),
    "regenerate_many": lambda p: list(p.tokens.regenerate_many(["C-1001"], by="ana")),
    "revoke_all": lambda p: p.tokens.revoke_all(by="ana", reason="leak"),
}

# For each verb: what comes of it and what the trail holds then, in each of STATES.
TABLE: dict[str, list[tuple[str, list[str]]]] = {
    "generate": [
        ("a token", ISSUED),
        ("ActiveTokenExists", NOTHING),
        ("a token", REPLACED),
        ("a token", ISSUED),
        ("a token", ISSUED),
    ],
    "regenerate": [
        ("a token", ISSUED),
        ("a token", REPLACED),
        ("a token", REPLACED),
        ("a token", ISSUED),
        ("a token", ISSUED),
    ],
    "regenerate if_current": [
        ("TokenChanged", NOTHING),
        ("a token", REPLACED),
        ("a token", REPLACED),
        ("TokenChanged", NOTHING),
        ("TokenChanged", NOTHING),
    ],
    "ensure": [
        ("a token", ISSUED),
        ("a token", NOTHING),
        ("a token", REPLACED),
        ("AccessRevoked", NOTHING),
        ("a token", ISSUED),
    ],
    "revoke": [
        ("None", NOTHING),
        ("ended", REVOKED),
        ("ended", REVOKED),
        ("None", NOTHING),
        ("None", NOTHING),
    ],
    "link": [
        ("NoActiveToken", NOTHING),
        ("a link", ["link_copied"]),
        ("NoActiveToken", NOTHING),
        ("NoActiveToken", NOTHING),
        ("NoActiveToken", NOTHING),
    ],
    "link shown": [
        ("NoActiveToken", NOTHING),
        ("a link", ["link_shown"]),
        ("NoActiveToken", NOTHING),
        ("NoActiveToken", NOTHING),
        ("NoActiveToken", NOTHING),
    ],
    "ensure_many": [
        ("issued", ISSUED),
        ("existing", NOTHING),
        ("issued", REPLACED),
        ("skipped revoked", NOTHING),
        ("issued", ISSUED),
    ],
    "regenerate_many": [
        ("issued", ISSUED),
        ("issued", REPLACED),
        ("issued", REPLACED),
        ("issued", ISSUED),
        ("issued", ISSUED),
    ],
    "revoke_all": [
        ("0", NOTHING),
        ("1", REVOKED),
        ("1", REVOKED),
        ("0", NOTHING),
        ("0", NOTHING),
    ],
}
CASES = [
    (verb, state, *expected)
    for verb, row in TABLE.items()
    for state, expected in zip(STATES, row, strict=True)
]


@pytest.mark.parametrize(("verb", "state_before", "outcome", "written"), CASES)
def test_every_verb_in_every_state(
    verb: str,
    state_before: str,
    outcome: str,
    written: list[str],
    portal: Portal,
    given: Given,
    told: Callable[..., list[str]],
    trail: Trail,
    state: State,
) -> None:
    """A verb has one outcome for each state of the token; what writes nothing changes nothing."""
    given(state_before)
    before = state()
    try:
        found = _outcome(VERBS[verb](portal))
    except PortalError as error:
        found = type(error).__name__
    since = len(before["trail"])
    assert found == outcome
    assert told(since) == written
    assert {(entry.by, entry.customer_id) for entry in trail()[since:]} <= {("ana", "C-1001")}
    if not written:
        assert state() == before


@pytest.mark.parametrize(
    ("verb", "state_before", "message"),
    [
        ("generate", "active", "{} has an active token, issued by bo; regenerate replaces it"),
        ("regenerate if_current", "none", "the token of {} was changed meanwhile; {nothing}"),
        ("ensure", "revoked", "access of {} was revoked; generate a token to give it again"),
        ("link", "none", "{} has no active token (none)"),
        ("link", "expired", "{} has no active token (expired)"),
    ],
)
def test_a_refusal_says_what_stands_and_what_to_do(
    verb: str, state_before: str, message: str, portal: Portal, given: Given
) -> None:
    """In a line for staff: whose token, how it stands, and which verb helps."""
    given(state_before)
    with pytest.raises(PortalError) as caught:
        VERBS[verb](portal)
    whole = message.format("customer 'C-1001'", nothing="nothing was issued")
    assert str(caught.value) == whole
    if isinstance(caught.value, NoActiveToken | AccessRevoked):
        assert caught.value.customer_id == "C-1001"


def test_the_table_is_whole() -> None:
    """Every verb above stands in the table."""
    assert list(TABLE) == list(VERBS)


@pytest.mark.parametrize("verb", ["generate", "regenerate", "ensure", "ensure_many"])
def test_what_an_issued_token_says(
    verb: str, portal: Portal, clock: FrozenClock, given: Given, trail: Trail
) -> None:
    """A new token says who issued it, when, until when, under which key, and what it replaced."""
    old = given("expired")
    assert old
    VERBS[verb](portal)
    ended, new = portal.tokens.history("C-1001")
    assert (new.issued_by, new.issued_at, new.replaces) == ("ana", clock.now, old.id)
    assert (new.expires_at - new.issued_at).days == 30
    assert new.key_fingerprint == portal.tokens.key_fingerprints[-1]
    assert (new.ended_at, new.ended_by, new.ended_as, new.reason) == (None,) * 4
    assert (ended.ended_by, ended.ended_at, ended.ended_as) == ("ana", clock.now, "replaced")
    assert [entry.token_id for entry in trail()[-2:]] == [old.id, new.id]
    assert new.is_current
    assert new == portal.tokens.get("C-1001")


def test_what_a_revoked_token_says(portal: Portal, clock: FrozenClock, trail: Trail) -> None:
    """A revoked token says who ended it, when and why; the first reason stands."""
    token = portal.tokens.generate("C-1001")
    clock.advance(hours=1)
    ended = portal.tokens.revoke("C-1001", by="ana", reason="left the company")
    assert ended
    assert (ended.ended_by, ended.ended_at, ended.ended_as) == ("ana", clock.now, "revoked")
    assert (ended.id, ended.reason) == (token.id, "left the company")
    assert (trail()[-1].detail, trail()[-1].token_id) == ("left the company", token.id)
    assert portal.tokens.revoke("C-1001", by="bo", reason="another") is None
    assert portal.tokens.revoke_all(by="bo", reason="another") == 0
    assert portal.tokens.get("C-1001") == ended


@pytest.mark.parametrize("verb", VERBS)
def test_who_is_not_named_is_the_system(
    verb: str, portal: Portal, trail: Trail, given: Given
) -> None:
    """Where nobody is named, tokens and trail say "system"."""
    given("none" if "generate" in verb or "ensure" in verb else "active")
    before = len(trail())
    acts: dict[str, Callable[[], object]] = {
        "generate": lambda: portal.tokens.generate("C-1001"),
        "regenerate": lambda: portal.tokens.regenerate("C-1001"),
        "regenerate if_current": lambda: portal.tokens.regenerate("C-1001"),
        "ensure": lambda: portal.tokens.ensure("C-1001"),
        "revoke": lambda: portal.tokens.revoke("C-1001"),
        "link": lambda: portal.tokens.link("C-1001"),
        "link shown": lambda: portal.tokens.link("C-1001", shown=True),
        "ensure_many": lambda: list(portal.tokens.ensure_many(["C-1001"])),
        "regenerate_many": lambda: list(portal.tokens.regenerate_many(["C-1001"])),
        "revoke_all": portal.tokens.revoke_all,
    }
    acts[verb]()
    assert {entry.by for entry in trail()[before:]} == {"system"}


@pytest.mark.parametrize("verb", ["generate", "regenerate", "ensure"])
@pytest.mark.parametrize(
    ("customer_id", "error"), [("C-1003", CustomerBlocked), ("C-9999", CustomerNotFound)]
)
def test_blocked_and_unknown_customers_get_no_token(
    verb: str, customer_id: str, error: type[PortalError], portal: Portal, state: State
) -> None:
    """Who is blocked or unknown is refused by name, and nothing changes; others are served."""
    before = state()
    with pytest.raises(error, match=customer_id) as caught:
        getattr(portal.tokens, verb)(customer_id)
    assert caught.value.customer_id == customer_id  # type: ignore[attr-defined]
    assert state() == before
    assert getattr(portal.tokens, verb)("C-1002").customer_id == "C-1002"


def test_revoke_and_get_ask_no_customer_repository(
    portal: Portal, storage: Any, make_portal: Callable[..., Portal], watched: Any
) -> None:
    """A customer who was blocked or deleted can be looked at, listed and revoked."""
    for customer_id in ("C-1001", "C-1002"):
        portal.tokens.generate(customer_id)
    storage.customers.save(a_customer("C-1001", blocked=True))
    storage.customers.delete("C-1002")
    over = make_portal(watched)
    for customer_id in ("C-1001", "C-1002"):
        assert over.tokens.get(customer_id)
        assert over.tokens.history(customer_id)
        assert over.tokens.link(customer_id)
        assert over.tokens.revoke(customer_id)
    assert over.tokens.revoke_all() == 0
    assert not [call for call in watched.calls if call.startswith("customers")]


@pytest.mark.parametrize("days", [1, 2, 30, 364, 365])
@pytest.mark.parametrize("verb", ["generate", "regenerate"])
def test_days_of_one_token(verb: str, days: int, portal: Portal, clock: FrozenClock) -> None:
    """`days=` gives one token a life of its own, whatever the settings say."""
    portal.settings.save(PortalConfig(enabled=True, token_expiry_days=7))
    token = getattr(portal.tokens, verb)("C-1001", days=days)
    assert (token.expires_at - clock.now).days == days
    other = getattr(portal.tokens, verb)("C-1002")
    assert (other.expires_at - clock.now).days == 7


@pytest.mark.parametrize("days", [0, 366, -1, True, False, 30.0, "30", float("nan"), [30], 10**30])
@pytest.mark.parametrize("verb", ["generate", "regenerate"])
def test_wrong_days_are_refused(verb: str, days: Any, portal: Portal, state: State) -> None:
    """`days=` that are no whole number from 1 to 365 are refused by name; nothing changes."""
    before = state()
    with pytest.raises(InvalidValue, match="days must be a whole number from 1 to 365") as caught:
        getattr(portal.tokens, verb)("C-1001", days=days)
    assert caught.value.field == "days"
    assert state() == before


WRONG_IDS: list[Any] = ["", "x" * 256, "C\x00", "C\ud800", None, 5, b"C-1001", ["C-1001"]]
WRONG_LINES: list[Any] = ["a\nb", "a\x00", "\ud800", 5, b"ana", ["ana"]]
BY_ID: dict[str, Callable[[Portal, Any], object]] = {
    "generate": lambda p, one: p.tokens.generate(one),
    "regenerate": lambda p, one: p.tokens.regenerate(one),
    "ensure": lambda p, one: p.tokens.ensure(one),
    "revoke": lambda p, one: p.tokens.revoke(one),
    "link": lambda p, one: p.tokens.link(one),
    "get": lambda p, one: p.tokens.get(one),
    "history": lambda p, one: p.tokens.history(one),
    "ensure_many": lambda p, one: list(p.tokens.ensure_many([one])),
    "regenerate_many": lambda p, one: list(p.tokens.regenerate_many([one])),
    "preview": lambda p, one: p.preview(one),
    "export": lambda p, one: p.privacy.export(one),
    "erase": lambda p, one: p.privacy.erase(one),
    "thread": lambda p, one: p.messages.thread(one),
    "notes": lambda p, one: p.messages.notes(one),
    "reply": lambda p, one: p.messages.reply(one, "Hello"),
    "note": lambda p, one: p.messages.note(one, "Hello"),
    "mark_read": lambda p, one: p.messages.mark_read(one),
}


@pytest.mark.parametrize("act", BY_ID.values(), ids=BY_ID)
def test_wrong_ids_are_refused(
    act: Callable[[Portal, Any], object], portal: Portal, state: State
) -> None:
    """What can be no customer id is refused by every verb, by name; nothing changes."""
    portal.tokens.generate("C-1001")
    before = state()
    for wrong in WRONG_IDS:
        with pytest.raises(InvalidValue, match=r"^customer_ids? "):
            act(portal, wrong)
    assert state() == before


CHANGES = ("generate", "regenerate", "ensure", "revoke", "link", "preview", "reply", "mark_read")


@pytest.mark.parametrize("verb", CHANGES)
def test_a_change_locks_its_customer(
    verb: str, portal: Portal, watched: Any, make_portal: Callable[..., Portal]
) -> None:
    """Two who change what is of one customer wait for each other, and for nobody else."""
    if verb == "link":
        portal.tokens.generate("C-1001")
    BY_ID[verb](make_portal(watched), "C-1001")
    assert watched.locks == [["C-1001"]]


@pytest.mark.parametrize("wrong", ["", "x" * 256, *WRONG_LINES])
def test_wrong_names_of_staff_are_refused(wrong: Any, portal: Portal, state: State) -> None:
    """`by=` is one line of 1 to 255 characters, for every verb that takes it."""
    portal.tokens.generate("C-1001")
    before = state()
    acts: list[Callable[..., Any]] = [
        portal.tokens.generate,
        portal.tokens.regenerate,
        portal.tokens.ensure,
        portal.tokens.revoke,
        portal.tokens.link,
        lambda one, by: portal.tokens.ensure_many([one], by=by),
        lambda one, by: portal.tokens.regenerate_many([one], by=by),
        portal.preview,
        portal.privacy.export,
        portal.privacy.erase,
        lambda one, by: portal.messages.reply(one, "Hello", by=by),
        lambda one, by: portal.messages.note(one, "Hello", by=by),
        lambda _, by: portal.settings.save(PortalConfig(), by=by),
        lambda _, by: portal.tokens.revoke_all(by=by),
    ]
    for act in acts:
        with pytest.raises(InvalidValue, match=r"^by "):
            act("C-1001", by=wrong)
    assert state() == before
    assert portal.tokens.revoke("C-1001", by="x" * 255)


@pytest.mark.parametrize("wrong", ["x" * 501, *WRONG_LINES])
def test_wrong_reasons_are_refused(wrong: Any, portal: Portal, state: State) -> None:
    """A reason is one line of at most 500 characters; a wrong one revokes nothing."""
    portal.tokens.generate("C-1001")
    before = state()
    with pytest.raises(InvalidValue, match=r"^reason "):
        portal.tokens.revoke("C-1001", reason=wrong)
    with pytest.raises(InvalidValue, match=r"^reason "):
        portal.tokens.revoke_all(reason=wrong)
    assert state() == before
    assert portal.tokens.revoke_all(reason="x" * 500) == 1


def test_if_current_of_another(portal: Portal, state: State) -> None:
    """Named tokens that are old, revoked, somebody else's or nobody's: TokenChanged, no change."""
    old = portal.tokens.generate("C-1001")
    latest = portal.tokens.regenerate("C-1001", if_current=old.id)
    others = portal.tokens.generate("C-1002")
    before = state()
    for named in (old.id, others.id, token_id(7)):
        with pytest.raises(TokenChanged, match="nothing was issued") as caught:
            portal.tokens.regenerate("C-1001", if_current=named)
        assert caught.value.token == latest
    assert state() == before
    assert portal.tokens.regenerate("C-1001", if_current=latest.id).replaces == latest.id


def test_if_current_that_was_revoked(portal: Portal, state: State) -> None:
    """A token that a colleague revoked is not replaced by a late click."""
    token = portal.tokens.generate("C-1001")
    revoked = portal.tokens.revoke("C-1001")
    before = state()
    with pytest.raises(TokenChanged) as caught:
        portal.tokens.regenerate("C-1001", if_current=token.id)
    assert caught.value.token == revoked
    assert state() == before
    assert portal.tokens.regenerate("C-1001").is_current


@pytest.mark.parametrize("wrong", ["", "x", "x" * 23, "=" * 22, 5, b"x" * 22, "é" * 22])
def test_if_current_must_be_a_token_id(wrong: Any, portal: Portal, state: State) -> None:
    """What cannot be a token id is refused, and not repeated."""
    token = portal.tokens.generate("C-1001")
    before = state()
    with pytest.raises(InvalidValue, match=r"^if_current must be a token id") as caught:
        portal.tokens.regenerate("C-1001", if_current=wrong)
    assert not wrong or f"{wrong}x" not in f"{caught.value}x"
    assert state() == before
    assert portal.tokens.regenerate("C-1001", if_current=token.id).is_current


def test_generate_carries_the_active_token(portal: Portal) -> None:
    """The refusal to generate a second token carries the first and says who issued it."""
    token = portal.tokens.generate("C-1001", by="ana")
    with pytest.raises(ActiveTokenExists, match="issued by ana; regenerate replaces it") as caught:
        portal.tokens.generate("C-1001", by="bo")
    assert caught.value.token == token


@pytest.mark.parametrize("back", [0, 1, 86_400 * 400])
@pytest.mark.parametrize("expired_first", [False, True])
def test_no_form_of_ensure_undoes_a_revoke(
    expired_first: bool, back: int, portal: Portal, clock: FrozenClock, state: State
) -> None:
    """Revoked before or after it expired, seen now or with the clock back: ensure gives nothing."""
    portal.tokens.generate("C-1001", days=1)
    clock.advance(days=2 if expired_first else 0)
    portal.tokens.revoke("C-1001")
    for seconds in (-back, 2 * back, 86_400 * 800):
        clock.advance(seconds=seconds)
        before = state()
        with pytest.raises(AccessRevoked, match="generate a token to give it again") as caught:
            portal.tokens.ensure("C-1001")
        assert caught.value.customer_id == "C-1001"
        (result,) = portal.tokens.ensure_many(["C-1001"])
        assert (result.outcome, result.why) == (Outcome.SKIPPED, Skipped.REVOKED)
        assert state() == before
    portal.tokens.generate("C-1001")
    assert portal.tokens.ensure("C-1001").status_at(clock.now) is TokenStatus.ACTIVE


def test_a_revoke_bites_in_the_next_request(
    portal: Portal, make_portal: Callable[..., Portal], text_of: Callable[..., str]
) -> None:
    """After a revoke in one portal the very next opening in another is refused."""
    other = make_portal()
    portal.tokens.generate("C-1001")
    text = text_of(portal)
    access = other.open(text)
    portal.tokens.revoke("C-1001")
    with pytest.raises(AccessDenied):
        other.open(text)
    with pytest.raises(AccessDenied):
        access.sections()
    portal.tokens.generate("C-1001")
    with pytest.raises(AccessDenied):
        other.open(text)
    assert other.open(text_of(portal)).customer.id == "C-1001"
