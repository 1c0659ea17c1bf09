"""What a storage promises of the audit trail."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from functools import partial

import attrs
import pytest
from hypothesis import given

from ...domain.audit import AuditEntry, AuditEvent, Cause
from ...errors import StorageError
from ...repositories import Storage
from ..builders import CUSTOMER_ID, NOW, an_audit_entry, token_id
from ..strategies import audit_entries
from .base import ABSENT_IDS, EXAMPLES, LIMITS, SIMILAR_IDS, Kit, hurried_threads, in_threads, walk

INSTANT = dt.timedelta(microseconds=1)
_THREADS, _ROUNDS = 6, 10
_EVENTS = (AuditEvent.OPENED, AuditEvent.REFUSED, AuditEvent.PREVIEWED)


class _Broken(Exception):
    """Raised by a collection that cannot be read to its end."""


class _BreaksOff(Sequence[AuditEntry]):
    """Two entries of which the second cannot be read."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int | slice) -> AuditEntry:  # type: ignore[override]
        if place == 0:
            return an_audit_entry(detail="from half an addition")
        raise _Broken if place == 1 else IndexError


def many_entries() -> list[AuditEntry]:
    """Entries of several events, customers, tokens, staff and causes; the clock goes back."""
    return [
        an_audit_entry(
            _EVENTS[number % 3],
            at=NOW + INSTANT * (number * 11 % 37),
            customer_id=("ann", "ben", None)[number % 5 % 3],
            token_id=(token_id(1), token_id(2), None)[number % 4 % 3],
            by=("ana", None)[number % 2],
            cause=(Cause.REVOKED, Cause.EXPIRED, None, None)[number % 7 % 4],
            detail=f"number {number}",
        )
        for number in range(37)
    ]


class AuditConformance(Kit):
    """The trail keeps each entry as it was, in the order in which they came."""

    @given(entry=audit_entries())
    @EXAMPLES
    def test_an_audit_entry_reads_back_as_written(
        self, storage: Storage, entry: AuditEntry
    ) -> None:
        """An entry read back equals the one written, and is the newest."""
        storage.audit.append([entry])
        assert storage.audit.page(limit=1)[0][1] == entry
        if entry.customer_id is not None:
            assert storage.audit.page(customer_id=entry.customer_id, limit=1)[0][1] == entry

    def test_positions_rise(self, storage: Storage) -> None:
        """Entries stand in the order they were added, of one addition too; positions rise."""
        assert list(storage.audit.page()) == []
        added = many_entries()
        for start in range(0, len(added), 5):
            storage.audit.append(added[start : start + 5])
        found = list(storage.audit.page(limit=1000))
        assert [entry for _, entry in reversed(found)] == added
        positions = [position for position, _ in found]
        assert positions == sorted(set(positions), reverse=True)

    @pytest.mark.parametrize("limit", LIMITS)
    @pytest.mark.parametrize("customer_id", [None, "ann", "ben"])
    def test_the_trail_comes_newest_first(
        self, storage: Storage, customer_id: str | None, limit: int
    ) -> None:
        """The trail, whole or of one customer, comes newest first, whatever the page length."""
        added = many_entries()
        storage.audit.append(added)
        found = walk(
            lambda after, limit: storage.audit.page(
                customer_id=customer_id, after=after, limit=limit
            ),
            lambda placed: placed[0],
            limit,
        )
        own = [entry for entry in added if customer_id in (None, entry.customer_id)]
        assert [entry for _, entry in found] == own[::-1]

    def test_equal_entries_are_two_entries(self, storage: Storage) -> None:
        """The same entry added twice stands twice in the trail."""
        storage.audit.append([an_audit_entry(), an_audit_entry()])
        assert [entry for _, entry in storage.audit.page()] == [an_audit_entry()] * 2

    def test_an_addition_that_breaks_off_adds_nothing(self, storage: Storage) -> None:
        """Where not all entries of an addition can be written none is."""
        storage.audit.append([])
        storage.audit.append([an_audit_entry()])
        with pytest.raises((_Broken, StorageError)):
            storage.audit.append(_BreaksOff())
        assert [entry for _, entry in storage.audit.page()] == [an_audit_entry()]

    @pytest.mark.parametrize("event", [*_EVENTS, AuditEvent.ERASED])
    def test_the_last_entry_is_that_appended_last(
        self, storage: Storage, event: AuditEvent
    ) -> None:
        """The last instant is that of the matching entry appended last, whatever its clock said."""
        added = many_entries()
        storage.audit.append(added)
        for customer_id, token, by, cause in itertools.product(
            (None, "ann", "ben", "absent"),
            (None, token_id(1), token_id(2)),
            (None, "ana", "ben"),
            (None, Cause.REVOKED, Cause.EXPIRED, Cause.FAULT),
        ):
            instants = [
                entry.at
                for entry in added
                if entry.event is event
                and customer_id in (None, entry.customer_id)
                and token in (None, entry.token_id)
                and by in (None, entry.by)
                and cause in (None, entry.cause)
            ]
            found = storage.audit.last(
                event, customer_id=customer_id, token_id=token, by=by, cause=cause
            )
            assert found == (instants[-1] if instants else None)

    @pytest.mark.parametrize("absent", ABSENT_IDS)
    def test_nothing_happened_to_an_absent_id(self, storage: Storage, absent: str) -> None:
        """An id of no customer, even one that none could have, finds and changes nothing."""
        storage.audit.append([an_audit_entry()])
        assert list(storage.audit.page(customer_id=absent)) == []
        assert storage.audit.last(AuditEvent.ISSUED, customer_id=absent) is None
        assert storage.audit.last(AuditEvent.ISSUED, token_id=absent) is None
        assert storage.audit.rename_customer(absent, "erased") == 0
        assert [entry for _, entry in storage.audit.page()] == [an_audit_entry()]

    def test_trails_of_similar_customers_stay_apart(self, storage: Storage) -> None:
        """Customers whose ids look alike have each its own entries."""
        own = [an_audit_entry(customer_id=one, detail=one) for one in SIMILAR_IDS]
        storage.audit.append(own)
        for entry in own:
            found = storage.audit.page(customer_id=entry.customer_id)
            assert [entry for _, entry in found] == [entry]
        assert storage.audit.rename_customer(SIMILAR_IDS[0], "erased") == 1

    def test_renamed_entries_lose_id_and_details(self, storage: Storage) -> None:
        """A renamed customer's entries keep place and facts, with a new id and no details."""
        entries = [
            an_audit_entry(detail="left the company"),
            an_audit_entry(customer_id="another", detail="stays"),
            an_audit_entry(AuditEvent.ENDED, cause=Cause.REVOKED),
        ]
        storage.audit.append(entries)
        before = storage.audit.page()
        assert storage.audit.rename_customer(CUSTOMER_ID, "erased") == 2
        after = storage.audit.page()
        assert [position for position, _ in after] == [position for position, _ in before]
        assert list(storage.audit.page(customer_id=CUSTOMER_ID)) == []
        renamed = [entry for _, entry in storage.audit.page(customer_id="erased")]
        assert not any(entry.detail for entry in renamed)
        assert [attrs.evolve(entry, detail=None) for entry in renamed] == [
            attrs.evolve(entry, customer_id="erased", detail=None)
            for entry in (entries[2], entries[0])
        ]
        assert after[1][1] == entries[1]

    def test_old_entries_go(self, storage: Storage) -> None:
        """Entries older than an instant go, the first appended first; no position comes again."""
        hours = [5, 1, 2, 9, 3]
        entries = [an_audit_entry(at=NOW + dt.timedelta(hours=hour)) for hour in hours]
        storage.audit.append(entries)
        last = storage.audit.page()[0][0]
        assert storage.audit.prune(NOW) == 0
        assert storage.audit.prune(NOW + dt.timedelta(hours=3), limit=1) == 1
        kept = [entry for _, entry in storage.audit.page()]
        assert kept == [entries[4], entries[3], entries[2], entries[0]]
        assert storage.audit.prune(NOW + dt.timedelta(hours=3)) == 1
        assert [entry for _, entry in storage.audit.page()] == [entries[4], entries[3], entries[0]]
        assert storage.audit.prune(NOW + dt.timedelta(hours=10)) == 3
        storage.audit.append([entries[0]])
        ((position, entry),) = storage.audit.page()
        assert (position > last, entry) == (True, entries[0])

    def test_no_entry_is_lost_among_threads(self, storage: Storage) -> None:
        """Entries that several threads add at once are all there, each at its own position."""

        def append(by: str) -> None:
            storage.audit.append([an_audit_entry(by=by)] * 2)

        with hurried_threads():
            for _ in range(_ROUNDS):
                in_threads([partial(append, str(number)) for number in range(_THREADS)])
        found = storage.audit.page(limit=1000)
        assert len(found) == len({position for position, _ in found}) == 2 * _THREADS * _ROUNDS
