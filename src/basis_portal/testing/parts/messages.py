"""What a storage promises of messages and of the notes of staff."""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs
import pytest
from hypothesis import given

from ...domain.messages import Author, InternalNote, Message
from ...errors import StorageError
from ...repositories import Storage
from ..builders import CUSTOMER_ID, NOW, a_message, a_note
from ..strategies import messages, notes
from .base import (
    ABSENT_IDS,
    EXAMPLES,
    LIMITS,
    SIMILAR_IDS,
    Kit,
    a_new_id,
    hurried_threads,
    in_thread,
    in_threads,
    walk,
)

INSTANT = dt.timedelta(microseconds=1)
HOUR = dt.timedelta(hours=1)


def a_reply(id: str = "R-1", **changes: object) -> Message:
    """A message that staff wrote to the customer."""
    return a_message(id, **{"author": Author.SELLER, "by": "ana", **changes})


def many_messages() -> list[Message]:
    """Messages of two customers and of staff, many at one instant, ids not rising with time."""
    return [
        a_message(
            f"M-{number * 7 % 31:02d}",
            customer_id=("ann", "ben", "ann")[number % 3],
            author=Author.SELLER if number % 5 == 0 else Author.CUSTOMER,
            at=NOW + INSTANT * (number % 4),
            read_at=NOW + HOUR if number % 4 == 1 else None,
        )
        for number in range(31)
    ]


def _key(one: Message | InternalNote) -> tuple[dt.datetime, str]:
    return (one.at, one.id)


def _is_unread(message: Message) -> bool:
    return message.author is Author.CUSTOMER and message.read_at is None


def _whole(storage: Storage, customer_id: str) -> list[Message]:
    return list(storage.messages.page(customer_id, limit=1000))


class MessagesConformance(Kit):
    """Messages stay in their customer's thread, and notes never get among them."""

    # --- reading back -----------------------------------------------------------------

    @given(message=messages())
    @EXAMPLES
    def test_a_message_reads_back_as_written(self, storage: Storage, message: Message) -> None:
        """A message read back equals the one written, by whatever way it is read."""
        message = attrs.evolve(
            message, id=a_new_id(message.id), customer_id=a_new_id(message.customer_id)
        )
        storage.messages.add(message)
        assert list(storage.messages.page(message.customer_id)) == [message]
        if message.idempotency_key is not None:
            key = message.idempotency_key
            assert storage.messages.by_key(message.customer_id, key) == message

    @given(note=notes())
    @EXAMPLES
    def test_a_note_reads_back_as_written(self, storage: Storage, note: InternalNote) -> None:
        """A note read back equals the one written."""
        note = attrs.evolve(note, id=a_new_id(note.id), customer_id=a_new_id(note.customer_id))
        storage.messages.add_note(note)
        assert list(storage.messages.notes(note.customer_id)) == [note]

    @pytest.mark.parametrize("absent", ABSENT_IDS)
    def test_nobody_wrote_from_an_absent_id(self, storage: Storage, absent: str) -> None:
        """An id of no customer, even one that none could have, finds and changes nothing."""
        storage.messages.add(a_message(idempotency_key="form-1"))
        storage.messages.add_note(a_note())
        assert list(storage.messages.page(absent)) == []
        assert list(storage.messages.notes(absent)) == []
        assert list(storage.messages.sent_since(absent, NOW - HOUR)) == []
        assert storage.messages.by_key(absent, "form-1") is None
        assert storage.messages.by_key(CUSTOMER_ID, absent) is None
        assert storage.messages.mark_read(absent, NOW) == 0
        assert storage.messages.erase(absent) == 0
        assert storage.messages.by_key(CUSTOMER_ID, "form-1") is not None

    def test_threads_of_similar_customers_stay_apart(self, storage: Storage) -> None:
        """Customers whose ids look alike have each its own thread and notes."""
        for number, one in enumerate(SIMILAR_IDS):
            storage.messages.add(
                a_message(f"M-{number}", customer_id=one, idempotency_key="the same")
            )
            storage.messages.add_note(a_note(f"N-{number}", customer_id=one))
        for number, one in enumerate(SIMILAR_IDS):
            assert [message.id for message in storage.messages.page(one)] == [f"M-{number}"]
            assert [note.id for note in storage.messages.notes(one)] == [f"N-{number}"]
            found = storage.messages.by_key(one, "the same")
            assert found is not None
            assert found.customer_id == one
            assert list(storage.messages.sent_since(one, NOW - HOUR)) == [NOW]
        assert storage.messages.mark_read(SIMILAR_IDS[0], NOW) == 1
        assert storage.messages.erase(SIMILAR_IDS[0]) == 2
        assert storage.messages.unread_count() == len(SIMILAR_IDS) - 1

    # --- refusals -----------------------------------------------------------------------

    @pytest.mark.parametrize("customer_id", [CUSTOMER_ID, "another"])
    def test_a_taken_message_id_is_refused(self, storage: Storage, customer_id: str) -> None:
        """An id that is taken, by whatever customer, is refused with nothing changed."""
        storage.messages.add(a_message())
        storage.messages.add_note(a_note())
        with pytest.raises(StorageError):
            storage.messages.add(a_message(customer_id=customer_id, text="again"))
        with pytest.raises(StorageError):
            storage.messages.add_note(a_note(customer_id=customer_id, text="again"))
        assert list(storage.messages.page(CUSTOMER_ID)) == [a_message()]
        assert list(storage.messages.notes(CUSTOMER_ID)) == [a_note()]
        assert list(storage.messages.page("another")) == []
        assert list(storage.messages.notes("another")) == []

    def test_an_idempotency_key_is_one_message_of_a_customer(self, storage: Storage) -> None:
        """A customer's key is taken by its first message; other customers have their own keys."""
        first = a_message("M-1", idempotency_key="form-1")
        storage.messages.add(first)
        with pytest.raises(StorageError):
            storage.messages.add(a_message("M-2", idempotency_key="form-1"))
        assert list(storage.messages.page(CUSTOMER_ID)) == [first]
        storage.messages.add(a_message("M-3", customer_id="another", idempotency_key="form-1"))
        storage.messages.add(a_message("M-4", idempotency_key="Form-1"))
        assert storage.messages.by_key(CUSTOMER_ID, "form-1") == first

    def test_of_many_resent_forms_one_is_a_message(self, storage: Storage) -> None:
        """Of threads that add a message with the same key at once one succeeds."""

        def send(id: str, key: str) -> bool:
            try:
                storage.messages.add(a_message(id, idempotency_key=key))
            except StorageError:
                return False
            return True

        with hurried_threads():
            for number in range(10):
                works = [partial(send, f"M-{number}-{n}", f"form-{number}") for n in range(6)]
                assert sum(in_threads(works)) == 1
        assert len(storage.messages.page(CUSTOMER_ID)) == 10

    def test_many_messages_have_no_idempotency_key(self, storage: Storage) -> None:
        """Messages without a key do not stand in each other's way."""
        for number in range(3):
            storage.messages.add(a_message(f"M-{number}"))
        assert len(storage.messages.page(CUSTOMER_ID)) == 3

    # --- lists --------------------------------------------------------------------------

    @pytest.mark.parametrize("limit", LIMITS)
    @pytest.mark.parametrize("customer_id", ["ann", "ben"])
    def test_a_thread_comes_newest_first(
        self, storage: Storage, customer_id: str, limit: int
    ) -> None:
        """A thread is all of one customer's messages, by instant and id, newest first."""
        added = many_messages()
        for message in added:
            storage.messages.add(message)
        found = walk(
            lambda after, limit: storage.messages.page(customer_id, after=after, limit=limit),
            _key,
            limit,
        )
        own = [message for message in added if message.customer_id == customer_id]
        assert found == sorted(own, key=_key, reverse=True)

    @pytest.mark.parametrize("limit", LIMITS)
    @pytest.mark.parametrize("unread_only", [False, True])
    def test_the_inbox_holds_what_customers_wrote(
        self, storage: Storage, unread_only: bool, limit: int
    ) -> None:
        """The inbox is all that customers wrote, or what of it is unread, newest first."""
        added = many_messages()
        for message in added:
            storage.messages.add(message)
        found = walk(
            lambda after, limit: storage.messages.inbox(
                unread_only=unread_only, after=after, limit=limit
            ),
            _key,
            limit,
        )
        expected = [
            message
            for message in added
            if message.author is Author.CUSTOMER and not (unread_only and message.read_at)
        ]
        assert found == sorted(expected, key=_key, reverse=True)

    def test_unread_messages_are_counted(self, storage: Storage) -> None:
        """Unread are messages of customers that have no read mark; replies do not count."""
        assert storage.messages.unread_count() == 0
        for message in many_messages():
            storage.messages.add(message)
        assert storage.messages.unread_count() == len(
            storage.messages.inbox(unread_only=True, limit=1000)
        )
        assert storage.messages.unread_count() > 0

    def test_instants_sent_are_the_customers_own(self, storage: Storage) -> None:
        """The instants since another are those of the customer's messages after it, each one."""
        for message in (
            a_message("M-1", at=NOW),
            a_message("M-4", at=NOW + 2 * INSTANT),
            a_message("M-2", at=NOW + INSTANT),
            a_message("M-3", at=NOW + INSTANT),
            a_message("M-5", at=NOW + INSTANT, customer_id="another"),
            a_reply(at=NOW + INSTANT),
        ):
            storage.messages.add(message)
        after_now = [NOW + INSTANT, NOW + INSTANT, NOW + 2 * INSTANT]
        assert list(storage.messages.sent_since(CUSTOMER_ID, NOW)) == after_now
        assert list(storage.messages.sent_since(CUSTOMER_ID, NOW - INSTANT)) == [NOW, *after_now]
        assert list(storage.messages.sent_since(CUSTOMER_ID, NOW + 2 * INSTANT)) == []

    # --- read marks ---------------------------------------------------------------------

    def test_marking_as_read_marks_what_the_customer_wrote(self, storage: Storage) -> None:
        """The customer's unread messages get the mark; earlier marks and replies stay."""
        before = [
            a_message("M-1"),
            a_message("M-2", read_at=NOW),
            a_reply("R-1"),
            a_message("M-3", customer_id="another"),
        ]
        for message in before:
            storage.messages.add(message)
        assert storage.messages.mark_read(CUSTOMER_ID, NOW + HOUR + INSTANT) == 1
        marked = attrs.evolve(before[0], read_at=NOW + HOUR + INSTANT)
        thread = storage.messages.page(CUSTOMER_ID)
        assert sorted(thread, key=_key) == [marked, before[1], before[2]]
        assert list(storage.messages.page("another")) == [before[3]]
        assert storage.messages.mark_read(CUSTOMER_ID, NOW + 2 * HOUR) == 0
        assert storage.messages.unread_count() == 1

    # --- notes --------------------------------------------------------------------------

    def test_notes_are_never_among_messages(self, storage: Storage) -> None:
        """A note is in no list, count or look-up of messages, not even under a message's id."""
        storage.messages.add(a_message("the same id", text="seen by the customer"))
        storage.messages.add_note(a_note("the same id", text="for staff alone"))
        storage.messages.add_note(a_note("N-2", document_id="INV-1"))
        assert [m.text for m in storage.messages.page(CUSTOMER_ID)] == ["seen by the customer"]
        for unread_only in (False, True):
            assert len(storage.messages.inbox(unread_only=unread_only)) == 1
        assert storage.messages.unread_count() == 1
        assert len(storage.messages.sent_since(CUSTOMER_ID, NOW - HOUR)) == 1
        assert storage.messages.mark_read(CUSTOMER_ID, NOW) == 1
        assert [n.text for n in storage.messages.notes(CUSTOMER_ID)][-1] == "for staff alone"

    def test_notes_come_oldest_first(self, storage: Storage) -> None:
        """Notes on a customer are ordered by instant and id, and are its own."""
        for note in (
            a_note("N-3"),
            a_note("N-1", at=NOW + INSTANT),
            a_note("N-2"),
            a_note("N-4", at=NOW - HOUR),
            a_note("N-5", customer_id="another"),
        ):
            storage.messages.add_note(note)
        found = storage.messages.notes(CUSTOMER_ID)
        assert [note.id for note in found] == ["N-4", "N-2", "N-3", "N-1"]
        assert [note.id for note in storage.messages.notes("another")] == ["N-5"]

    # --- erasure ------------------------------------------------------------------------

    def test_erasure_removes_messages_and_notes(self, storage: Storage) -> None:
        """A customer's messages and notes go for good, and nobody else's."""
        for customer_id in (CUSTOMER_ID, "another"):
            storage.messages.add(
                a_message(f"M-{customer_id}", customer_id=customer_id, idempotency_key="form-1")
            )
            storage.messages.add(a_reply(f"R-{customer_id}", customer_id=customer_id))
            storage.messages.add_note(a_note(f"N-{customer_id}", customer_id=customer_id))
        assert storage.messages.erase(CUSTOMER_ID) == 3
        assert list(storage.messages.page(CUSTOMER_ID)) == []
        assert list(storage.messages.notes(CUSTOMER_ID)) == []
        assert storage.messages.by_key(CUSTOMER_ID, "form-1") is None
        assert len(storage.messages.page("another")) == 2
        assert len(storage.messages.notes("another")) == 1
        assert storage.messages.erase(CUSTOMER_ID) == 0
        storage.messages.add(a_message(idempotency_key="form-1"))

    # --- retention ----------------------------------------------------------------------

    @pytest.mark.parametrize("limit", LIMITS)
    def test_old_messages_go(self, storage: Storage, limit: int) -> None:
        """What is older than an instant goes, messages first, and unread ones stay."""
        written = many_messages()
        noted = [
            a_note(f"N-{number * 7 % 11:02d}", customer_id="ann", at=NOW + INSTANT * (number % 4))
            for number in range(11)
        ]
        for message in written:
            storage.messages.add(message)
        for note in noted:
            storage.messages.add_note(note)
        before = NOW + 3 * INSTANT
        past = sorted((m for m in written if m.at < before and not _is_unread(m)), key=_key)
        old = sorted((note for note in noted if note.at < before), key=_key)
        due: list[Message | InternalNote] = [*past, *old]
        assert storage.messages.prune(NOW, limit=limit) == 0
        while due:
            assert storage.messages.prune(before, limit=limit) == len(due[:limit])
            due = due[limit:]
            left = [one for one in written if one in due or one not in past]
            assert _whole(storage, "ann") + _whole(storage, "ben") == [
                one
                for customer_id in ("ann", "ben")
                for one in sorted(left, key=_key, reverse=True)
                if one.customer_id == customer_id
            ]
            kept = [one for one in noted if one in due or one not in old]
            assert list(storage.messages.notes("ann")) == sorted(kept, key=_key)
        assert storage.messages.prune(before, limit=limit) == 0
        assert storage.messages.unread_count() == sum(map(_is_unread, written))

    def test_a_message_is_seen_by_other_threads(self, storage: Storage) -> None:
        """What one thread wrote the others read at once."""
        storage.messages.add(a_message())
        assert in_thread(lambda: list(storage.messages.page(CUSTOMER_ID))) == [a_message()]
