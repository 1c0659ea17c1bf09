"""A customer's id changes: all the portal holds goes to the new one."""

from __future__ import annotations

import attrs
import pytest

from ...domain.audit import AuditEvent
from ...domain.mail import MailStatus
from ...domain.portal_token import EndedAs
from ...errors import ActiveTokenExists, InvalidValue
from ...repositories import Storage
from ..builders import NOW, a_mail, a_message, a_note, a_token, an_audit_entry, token_id
from .base import ABSENT_IDS, SIMILAR_IDS, Kit
from .messages import HOUR
from .tokens import an_ended_token

PARTS = ("tokens", "messages", "mails", "audit")
OLD, NEW = SIMILAR_IDS[:2]


class MovesConformance(Kit):
    """Moves of tokens, messages, notes, e-mails and audit entries."""

    def test_moved_tokens_come_before_those_of_the_new_id(self, storage: Storage) -> None:
        """They stay as they are but for the id; the latest of the new id stays its latest."""
        own = [an_ended_token(token_id(1), customer_id=NEW), a_token(token_id(2), customer_id=NEW)]
        moved = [
            an_ended_token(token_id(4), customer_id=OLD, reason="lost"),
            an_ended_token(token_id(3), customer_id=OLD, ended_as=EndedAs.REPLACED),
        ]
        storage.tokens.add([own[0], moved[0]])
        storage.tokens.add([own[1], moved[1], a_token(token_id(5), customer_id=SIMILAR_IDS[2])])
        for one in (2, 3):
            storage.tokens.mark_opened(token_id(one), NOW, unless_within=HOUR)
        assert storage.tokens.move_customer(OLD, NEW) == 2
        moved = [attrs.evolve(token, customer_id=NEW) for token in moved]
        assert list(storage.tokens.history(NEW)) == [*moved, *own]
        assert list(storage.tokens.history(OLD)) == []
        assert dict(storage.tokens.latest([OLD, NEW])) == {NEW: own[1]}
        assert storage.tokens.last_opened([token_id(2), token_id(3)]).keys() == {
            token_id(2),
            token_id(3),
        }
        assert [token.id for token in storage.tokens.page(now=NOW)] == [token_id(2), token_id(5)]
        again = a_token(token_id(6), customer_id=OLD)
        storage.tokens.add([again])
        assert list(storage.tokens.history(OLD)) == [again]

    def test_where_the_new_id_has_no_token_the_moved_one_counts(self, storage: Storage) -> None:
        """The last one added of the old id is the latest of the new one."""
        moved = [an_ended_token(token_id(number), customer_id=OLD) for number in (2, 1)]
        storage.tokens.add(moved)
        assert storage.tokens.move_customer(OLD, NEW) == 2
        assert storage.tokens.latest([NEW])[NEW] == attrs.evolve(moved[1], customer_id=NEW)

    @pytest.mark.parametrize("has_tokens", [True, False])
    def test_a_current_token_is_not_moved(self, storage: Storage, has_tokens: bool) -> None:
        """Whatever the new id has: it would not be its latest, or a link would change hands."""
        kept = [an_ended_token(token_id(1), customer_id=OLD), a_token(token_id(2), customer_id=OLD)]
        kept += [an_ended_token(token_id(3), customer_id=NEW)] if has_tokens else []
        storage.tokens.add(kept)
        with pytest.raises(ActiveTokenExists):
            storage.tokens.move_customer(OLD, NEW)
        assert [storage.tokens.get(token.id) for token in kept] == kept

    def test_messages_and_notes_are_moved(self, storage: Storage) -> None:
        """With all that is known of them but the keys of their forms, which the new id may have."""
        for number, one in enumerate((OLD, NEW, SIMILAR_IDS[2])):
            storage.messages.add(
                a_message(f"M-{number}", customer_id=one, idempotency_key="the same")
            )
            storage.messages.add_note(a_note(f"N-{number}", customer_id=one))
        assert storage.messages.move_customer(OLD, NEW) == 2
        assert list(storage.messages.page(OLD)) == []
        assert list(storage.messages.notes(OLD)) == []
        moved = a_message("M-0", customer_id=NEW)
        own = a_message("M-1", customer_id=NEW, idempotency_key="the same")
        assert list(storage.messages.page(NEW)) == [own, moved]
        assert [note.id for note in storage.messages.notes(NEW)] == ["N-0", "N-1"]
        assert storage.messages.by_key(NEW, "the same") == own
        assert storage.messages.unread_count() == 3
        assert storage.messages.mark_read(NEW, NOW) == 2

    def test_emails_are_moved(self, storage: Storage) -> None:
        """Of two of one run that of the new id stays; what waits is claimed for the new id."""
        sent = {"status": MailStatus.SENT, "settled_at": NOW, "claimed_at": NOW}
        added = [
            a_mail("E-1", customer_id=OLD, run="April", **sent),
            a_mail("E-2", customer_id=NEW, run="April"),
            a_mail("E-3", customer_id=OLD, run="May"),
            a_mail("E-4", customer_id=OLD),
            a_mail("E-5", customer_id=SIMILAR_IDS[2], run="April"),
        ]
        storage.mails.add(added)
        assert storage.mails.move_customer(OLD, NEW) == 3
        assert storage.mails.get("E-1") is None
        assert list(storage.mails.of_customer(OLD)) == []
        assert {mail.id for mail in storage.mails.of_customer(NEW)} == {"E-2", "E-3", "E-4"}
        assert dict(storage.mails.counts("April")) == {MailStatus.QUEUED: 2}
        claimed = [storage.mails.claim(NOW + HOUR) for _ in range(4)]
        assert [(mail.id, mail.customer_id) for mail in claimed if mail] == [
            ("E-4", NEW),
            ("E-2", NEW),
            ("E-5", SIMILAR_IDS[2]),
            ("E-3", NEW),
        ]
        assert list(storage.mails.add([a_mail("E-6", customer_id=NEW, run="May")])) == []
        assert list(storage.mails.add([a_mail("E-7", customer_id=OLD, run="May")])) == ["E-7"]

    def test_what_becomes_of_a_moved_email_leaves_it_moved(self, storage: Storage) -> None:
        """It was being sent: the outcome is stored, and the e-mail stays with the new id."""
        storage.mails.add([a_mail("e1", customer_id=OLD)])
        claimed = storage.mails.claim(NOW)
        assert claimed is not None
        storage.mails.move_customer(OLD, NEW)
        sent = attrs.evolve(claimed, status=MailStatus.SENT, settled_at=NOW)
        assert storage.mails.change(claimed, sent)
        assert storage.mails.get("e1") == attrs.evolve(sent, customer_id=NEW)
        assert [mail.id for mail in storage.mails.of_customer(NEW)] == ["e1"]
        assert list(storage.mails.of_customer(OLD)) == []

    def test_audit_entries_are_moved(self, storage: Storage) -> None:
        """They keep place, facts and details."""
        entries = [
            an_audit_entry(customer_id=OLD, detail="left the company"),
            an_audit_entry(customer_id=NEW, detail="stays"),
            an_audit_entry(AuditEvent.ENDED, customer_id=OLD),
            an_audit_entry(customer_id=SIMILAR_IDS[2]),
        ]
        storage.audit.append(entries)
        before = storage.audit.page()
        assert storage.audit.move_customer(OLD, NEW) == 2
        assert list(storage.audit.page()) == [
            (position, attrs.evolve(entry, customer_id=NEW) if entry.customer_id == OLD else entry)
            for position, entry in before
        ]
        assert list(storage.audit.page(customer_id=OLD)) == []
        assert len(storage.audit.page(customer_id=NEW)) == 3
        assert storage.audit.last(AuditEvent.ENDED, customer_id=NEW) is not None

    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize("absent", ABSENT_IDS)
    def test_of_an_absent_id_nothing_is_moved(
        self, storage: Storage, part: str, absent: str
    ) -> None:
        """An id of no customer, even one that none could have, finds and changes nothing."""
        storage.tokens.add([a_token(customer_id=NEW)])
        storage.messages.add(a_message(customer_id=NEW, idempotency_key="form-1"))
        storage.mails.add([a_mail(customer_id=NEW, run="April")])
        storage.audit.append([an_audit_entry(customer_id=NEW)])
        assert getattr(storage, part).move_customer(absent, NEW) == 0
        assert storage.tokens.latest([NEW])[NEW].is_current
        assert storage.messages.by_key(NEW, "form-1") is not None
        assert len(storage.mails.of_customer(NEW)) == 1
        assert len(storage.audit.page(customer_id=NEW)) == 1

    @pytest.mark.parametrize("part", PARTS)
    def test_a_move_to_the_same_id_is_refused(self, storage: Storage, part: str) -> None:
        """With nothing changed: it would take form keys away, and e-mails for those of another."""
        storage.messages.add(a_message(customer_id=OLD, idempotency_key="form-1"))
        storage.mails.add([a_mail(customer_id=OLD, run="April")])
        with pytest.raises(InvalidValue):
            getattr(storage, part).move_customer(OLD, OLD)
        assert storage.messages.by_key(OLD, "form-1") is not None
        assert len(storage.mails.of_customer(OLD)) == 1
