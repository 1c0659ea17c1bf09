"""Export and erasure: all of a customer and nothing else; and nothing is left of it."""

from __future__ import annotations

import gc
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import attrs
import pytest

from basis_portal import (
    AccessDenied,
    AuditEntry,
    AuditEvent,
    Customer,
    Edition,
    InvalidValue,
    Portal,
    PortalConfig,
    PortalToken,
    TokenStatus,
)
from basis_portal.domain.mail import Mail, MailStatus
from basis_portal.testing.builders import (
    NOW,
    a_mail,
    a_message,
    a_note,
    a_token,
    an_audit_entry,
    an_invoice,
)
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
State = Callable[[], dict[str, Any]]
TextOf = Callable[..., str]
Trail = Callable[[], list[AuditEntry]]

PARTS = ("tokens", "messages", "notes", "mails", "audit")
SECRETS = (
    "K-7001",
    "sold the company",
    "paid in cash",
    "a difficult one",
    "we understand",
    "INV-9",
    "old@hops.example",
)


class HostCustomers:
    """A host's own customers: none of them is in our storage."""

    def get(self, customer_id: str) -> Customer | None:
        """K-7001 and K-7002; nobody else."""
        return Customer(customer_id, "A") if customer_id in ("K-7001", "K-7002") else None


@pytest.fixture
def hosted(
    portal: Portal, make_portal: MakePortal, text_of: TextOf, clock: FrozenClock, storage: Any
) -> Portal:
    """A portal of a host with customers of its own; K-7001 and K-7002 have all there can be."""
    hosted = make_portal(customers=HostCustomers())
    hosted.settings.save(PortalConfig(enabled=True, allow_messages=True))
    for customer_id in ("K-7001", "K-7002"):
        hosted.tokens.generate(customer_id)
        hosted.tokens.revoke(customer_id, by="ana", reason="sold the company")
        hosted.tokens.generate(customer_id)
        access = hosted.open(text_of(hosted, customer_id))
        access.send_message("We paid in cash.", idempotency_key=f"form-{customer_id}")
        clock.advance(minutes=1)
        hosted.documents.save(an_invoice("INV-9", customer_id=customer_id))
        hosted.messages.reply(customer_id, "we understand", by="ana", document_id="INV-9")
        hosted.documents.delete("INV-9")
        hosted.messages.note(customer_id, "a difficult one", by="ana", document_id="INV-9")
        hosted.preview(customer_id, by="ana")
        sent = {"status": MailStatus.SENT, "address": "old@hops.example"}
        storage.mails.add(
            [
                a_mail(f"E-2-{customer_id}", customer_id=customer_id, run="April", **sent),
                a_mail(f"E-1-{customer_id}", customer_id=customer_id, problem="sold the company"),
            ]
        )
    return hosted


# --- export


def test_an_export_is_whole(hosted: Portal, state: State, clock: FrozenClock) -> None:
    """The export holds every token, message, note, e-mail and entry of it, oldest first."""
    before = state()
    export = hosted.privacy.export("K-7001", by="ana")
    assert list(export) == ["customer_id", "exported_at", *PARTS]
    assert (export["customer_id"], export["exported_at"]) == ("K-7001", clock.now.isoformat())
    assert [one["id"] for one in export["tokens"]] == [t.id for t in before["tokens"]["K-7001"]]
    assert export["tokens"][0]["reason"] == "sold the company"
    assert [one["text"] for one in export["messages"]] == ["We paid in cash.", "we understand"]
    assert [one["author"] for one in export["messages"]] == ["customer", "seller"]
    assert [one["text"] for one in export["notes"]] == ["a difficult one"]
    assert [one["id"] for one in export["mails"]] == ["E-1-K-7001", "E-2-K-7001"]
    assert export["mails"][1]["address"] == "old@hops.example"
    mine = [entry for entry in before["trail"] if entry.customer_id == "K-7001"]
    assert [one["event"] for one in export["audit"]] == [entry.event.value for entry in mine]
    assert export["audit"][1]["detail"] == "sold the company"


def test_an_export_is_json_and_nobody_elses(hosted: Portal, text_of: TextOf) -> None:
    """The export survives JSON unchanged, and holds nothing of another customer and no link."""
    export = hosted.privacy.export("K-7001")
    text = json.dumps(export, allow_nan=False)
    assert json.loads(text) == export
    assert "K-7002" not in text
    assert text_of(hosted, "K-7001").split(".")[1] not in text
    instants = re.findall(r'"(?:at|issued_at|expires_at|ended_at)": "([^"]+)"', text)
    assert instants
    assert all(one.endswith("+00:00") for one in instants)


def test_every_field_is_exported(hosted: Portal) -> None:
    """No field of a record is left out of the export."""
    export = hosted.privacy.export("K-7001")
    fields = {part: set(export[part][0]) for part in PARTS}
    assert fields["tokens"] == {field.name for field in attrs.fields(PortalToken)} | {"last_opened"}
    assert {"id", "at", "by", "read_at", "document_id", "idempotency_key"} <= fields["messages"]
    assert fields["notes"] == {"id", "customer_id", "at", "by", "text", "document_id"}
    assert fields["mails"] == {field.name for field in attrs.fields(Mail)}
    assert fields["audit"] >= {"at", "event", "by", "token_id", "cause", "detail"}


def test_the_last_opening_is_exported(portal: Portal, text_of: TextOf, clock: FrozenClock) -> None:
    """It is kept longer than the trail may be, and staff see it."""
    portal.settings.save(PortalConfig(enabled=True))
    first = portal.tokens.generate("C-1001")
    portal.open(text_of(portal, "C-1001"))
    opened = clock.now
    clock.advance(days=2)
    portal.privacy.prune(audit_before=clock.now - timedelta(days=1))
    portal.tokens.regenerate("C-1001")
    exported = {one["id"]: one["last_opened"] for one in portal.privacy.export("C-1001")["tokens"]}
    assert exported.pop(first.id) == opened.isoformat()
    assert list(exported.values()) == [None]


def test_an_export_is_audited(hosted: Portal, trail: Trail, clock: FrozenClock) -> None:
    """Each export is in the trail with who took it, and in the next export."""
    before = len(trail())
    hosted.privacy.export("K-7001", by="ana")
    exported = AuditEntry(clock.now, AuditEvent.EXPORTED, "ana", "K-7001")
    assert trail()[before:] == [exported]
    assert hosted.privacy.export("K-7001")["audit"][-1]["event"] == "exported"
    assert trail()[-1].by == "system"


def test_a_long_export(portal: Portal, storage: Any) -> None:
    """More than a thousand messages, e-mails and entries are all exported, in order."""

    def many(unit: Any) -> None:
        for number in range(2_100):
            at = NOW + timedelta(seconds=number)
            unit.messages.add(a_message(f"M-{number}", at=at))
            unit.mails.add([a_mail(f"E-{number}", queued_at=at)])
        unit.audit.append([an_audit_entry(detail=f"{number}") for number in range(2_100)])

    storage.transact(many)
    export = portal.privacy.export("C-1001")
    assert [one["id"] for one in export["messages"]] == [f"M-{number}" for number in range(2_100)]
    assert [one["id"] for one in export["mails"]] == [f"E-{number}" for number in range(2_100)]
    assert [one["detail"] for one in export["audit"]] == [str(number) for number in range(2_100)]


def test_an_export_of_nobody(portal: Portal) -> None:
    """Of an id that never was there is nothing to export, and that is audited too."""
    export = portal.privacy.export("nobody")
    assert [export[part] for part in PARTS] == [[]] * len(PARTS)
    assert portal.privacy.export("nobody")["audit"][0]["event"] == "exported"


# --- erasure


def test_an_erasure_leaves_a_pseudonym(
    hosted: Portal, state: State, trail: Trail, clock: FrozenClock
) -> None:
    """What happened stays, under a random name: no reasons, no messages, no notes."""
    before = state()
    pseudonym = hosted.privacy.erase("K-7001", by="ana")
    assert re.fullmatch(r"erased-[0-9a-f]{32}", pseudonym)
    after = state()
    assert "K-7001" not in after["tokens"]
    assert [t.id for t in after["tokens"][pseudonym]] == [t.id for t in before["tokens"]["K-7001"]]
    assert {token.reason for token in after["tokens"][pseudonym]} == {None}
    assert [after[part].get("K-7001", []) for part in ("messages", "notes")] == [[], []]
    mine = [entry for entry in before["trail"] if entry.customer_id == "K-7001"]
    renamed = [entry for entry in after["trail"] if entry.customer_id == pseudonym]
    assert [(e.at, e.event) for e in renamed[:-2]] == [(e.at, e.event) for e in mine]
    assert [entry.event for entry in renamed[-2:]] == [AuditEvent.ENDED, AuditEvent.ERASED]
    assert {entry.detail for entry in renamed} == {None}
    assert trail()[-1] == AuditEntry(clock.now, AuditEvent.ERASED, "ana", pseudonym)


def test_an_erasure_spares_the_others(hosted: Portal, state: State) -> None:
    """Everything of every other customer stays as it was, reasons and all."""
    before = state()
    hosted.privacy.erase("K-7001")
    after = state()
    for part in ("tokens", "messages", "notes"):
        assert after[part]["K-7002"] == before[part]["K-7002"]
    others = [entry for entry in before["trail"] if entry.customer_id != "K-7001"]
    own = {entry.customer_id for entry in after["trail"]} - {"K-7002", None}
    assert [entry for entry in after["trail"] if entry.customer_id not in own] == others
    assert after["settings"] == before["settings"]


def test_an_erasure_removes_emails(hosted: Portal, storage: Any) -> None:
    """What was sent to the customer is forgotten, what waits is not sent; others' e-mails stay."""
    before = storage.mails.of_customer("K-7002")
    hosted.privacy.erase("K-7001")
    assert list(storage.mails.of_customer("K-7001")) == []
    assert list(storage.mails.of_customer("K-7002")) == list(before) != []
    waiting = storage.mails.claim(NOW)
    assert waiting.customer_id == "K-7002"
    assert storage.mails.claim(NOW) is None


def test_an_erasure_ends_the_token(
    hosted: Portal, make_portal: MakePortal, text_of: TextOf, trail: Trail
) -> None:
    """The link of an erased customer is dead, also where it is tried, and for good."""
    text = text_of(hosted, "K-7001")
    access = hosted.open(text)
    pseudonym = hosted.privacy.erase("K-7001", by="ana")
    for attempt in (lambda: hosted.open(text), access.sections, access.messages):
        with pytest.raises(AccessDenied):
            attempt()
    assert trail()[-1].event is AuditEvent.REFUSED
    assert trail()[-1].customer_id == pseudonym
    assert hosted.tokens.get("K-7001") is None
    found = hosted.tokens.get(pseudonym)
    assert found
    assert (found.ended_by, found.status_at(NOW)) == ("ana", TokenStatus.REVOKED)
    assert hosted.open(text_of(hosted, "K-7002")).customer.id == "K-7002"


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_nothing_is_left_in_memory(hosted: Portal, storage: Any) -> None:
    """No text anywhere in the storage names the customer or repeats what it said."""
    found = set(_texts_within(storage))
    assert all(any(secret in text for text in found) for secret in SECRETS)
    hosted.privacy.erase("K-7001")
    hosted.privacy.erase("K-7002")
    left = set(_texts_within(storage))
    assert not [text for text in left if any(secret in text for secret in SECRETS)]


def _texts_within(root: object) -> Iterator[str]:
    """Every text that can be reached from an object, code left out."""
    seen, heap = set(), [root]
    while heap:
        one = heap.pop()
        code = isinstance(one, type | ModuleType | FunctionType | MethodType)
        if id(one) in seen or code:
            continue
        seen.add(id(one))
        if isinstance(one, str):
            yield one
        heap += gc.get_referents(one)


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
def test_nothing_is_left_in_the_file(hosted: Portal, tmp_path: Path) -> None:
    """No row of any table names the customer or repeats what it said."""
    assert all(secret in _dump(tmp_path / "portal.db") for secret in SECRETS)
    hosted.privacy.erase("K-7001")
    assert "K-7001" not in _dump(tmp_path / "portal.db")
    hosted.privacy.erase("K-7002")
    left = _dump(tmp_path / "portal.db")
    assert not [secret for secret in SECRETS if secret in left]
    assert left.count("erased-") > 10


def _dump(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()


def test_an_erasure_without_a_token(portal: Portal, trail: Trail) -> None:
    """Who has no current token, or nothing at all, is erased as well; each time another name."""
    portal.messages.note("C-1001", "a difficult one")
    portal.tokens.generate("C-1002")
    portal.tokens.revoke("C-1002")
    names = {portal.privacy.erase(one) for one in ("C-1001", "C-1002", "nobody", "nobody")}
    assert len(names) == 4
    assert [entry.event for entry in trail()[-4:]] == [AuditEvent.ERASED] * 4
    assert {entry.by for entry in trail()[-4:]} == {"system"}
    assert portal.messages.notes("C-1001") == ()


def test_a_host_may_begin_anew(hosted: Portal, text_of: TextOf) -> None:
    """A customer who is erased and stays a customer can be given a new link; nothing is seen."""
    hosted.privacy.erase("K-7001")
    token = hosted.tokens.generate("K-7001")
    assert token.replaces is None
    access = hosted.open(text_of(hosted, "K-7001"))
    assert list(access.messages()) == []
    assert hosted.tokens.history("K-7001") == (token,)


@pytest.mark.parametrize("closed", [{"edition": Edition.DESKTOP}, {"feature_enabled": False}])
def test_privacy_works_in_every_edition(
    closed: dict[str, Any], hosted: Portal, make_portal: MakePortal, state: State
) -> None:
    """A seller who gave the portal up still owes its customers export and erasure."""
    off = make_portal(customers=HostCustomers(), **closed)
    assert len(off.privacy.export("K-7001")["messages"]) == 2
    pseudonym = off.privacy.erase("K-7001")
    assert set(state()["tokens"]) >= {pseudonym, "K-7002"}
    assert "K-7001" not in state()["tokens"]


@pytest.mark.parametrize("wrong", ["", None, 5, "C\x00"])
def test_wrong_ids_are_neither_exported_nor_erased(
    wrong: Any, hosted: Portal, state: State
) -> None:
    """What can be no id is refused, and nothing changes."""
    before = state()
    for act in (hosted.privacy.export, hosted.privacy.erase):
        with pytest.raises(InvalidValue, match=r"^customer_id "):
            act(wrong)
    assert state() == before


def test_a_message_on_its_way(hosted: Portal, text_of: TextOf, storage: Any) -> None:
    """What a customer sends with a link of before the erasure is refused and not kept."""
    access = hosted.open(text_of(hosted, "K-7001"))
    hosted.privacy.erase("K-7001")
    with pytest.raises(AccessDenied):
        access.send_message("one more")
    assert list(storage.messages.page("K-7001")) == []
    inbox = storage.messages.inbox(unread_only=False)
    assert {one.customer_id for one in inbox} == {"K-7002"}


HELD: dict[str, Callable[[Any], object]] = {
    "a token": lambda s: s.tokens.add([a_token(customer_id="C-9")]),
    "a message": lambda s: s.messages.add(a_message(customer_id="C-9")),
    "a note": lambda s: s.messages.add_note(a_note(customer_id="C-9")),
    "an e-mail": lambda s: s.mails.add([a_mail(customer_id="C-9")]),
    "a line of the trail": lambda s: s.audit.append([an_audit_entry(customer_id="C-9")]),
}


@pytest.mark.parametrize("kind", HELD)
def test_whether_anything_is_held(portal: Portal, storage: Any, trail: Any, kind: str) -> None:
    """Of each kind one is enough, the host need not know the customer, and nobody is told."""
    assert not portal.privacy.holds("C-9")
    HELD[kind](storage)
    before = trail()
    assert portal.privacy.holds("C-9")
    assert not portal.privacy.holds("C-99")
    assert trail() == before
    with pytest.raises(InvalidValue, match="customer_id"):
        portal.privacy.holds("")
