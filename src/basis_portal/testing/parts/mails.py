"""What a storage promises of e-mails: each is taken once, and one of two outcomes is kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from functools import partial
from itertools import chain, count
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...domain.mail import LINK_KINDS, SETTLED, Mail, MailKind, MailStatus
from ...domain.messages import Message
from ...errors import InvalidValue, StorageError
from ...repositories import Storage, UnitOfWork
from ..builders import CUSTOMER_ID, NOW, a_mail, a_message, token_id
from ..strategies import mails
from .base import (
    ABSENT_IDS,
    EXAMPLES,
    LIMITS,
    RISING_IDS,
    SIMILAR_IDS,
    Kit,
    Running,
    a_new_id,
    hurried_threads,
    in_thread,
    in_threads,
    walk,
)
from .messages import HOUR, INSTANT

QUEUED, SENDING, SENT = MailStatus.QUEUED, MailStatus.SENDING, MailStatus.SENT
SKIPPED = MailStatus.SKIPPED

# A claim may be kept waiting until a transaction has ended, or go on without what that holds;
# this long we wait to see which, and either is right.
_A_MOMENT = 0.2


def many_mails(run: str | None = None) -> list[Mail]:
    """E-mails of all kinds and statuses, most of two customers, ids not rising with time."""
    statuses, kinds = list(MailStatus), list(MailKind)
    return [
        a_mail(
            f"E-{run}-{number * 7 % 37:02d}",
            kind=kinds[number * 3 % 5],
            queued_at=NOW + INSTANT * (number % 4),
            due_at=NOW + INSTANT * (number % 5),
            status=statuses[number % 6],
            customer_id=("ann", "ben", "ann")[number % 3] if run is None else f"C-{number}",
            run=run,
        )
        for number in range(37)
    ]


def _key(mail: Mail) -> tuple[dt.datetime, str]:
    return (mail.queued_at, mail.id)


def _turn(mail: Mail) -> tuple[str, dt.datetime, str]:
    return (mail.run or "", mail.due_at, mail.id)


def _ids(found: Collection[Mail]) -> list[str]:
    return [mail.id for mail in found]


def _claim_all(storage: Storage, now: dt.datetime, run: str | None = None) -> list[Mail]:
    """All that can be claimed at an instant, in the order in which it came."""
    found = []
    while (mail := storage.mails.claim(now, run=run)) is not None:
        found.append(mail)
        assert len(found) < 1000, "there is no end of e-mails to claim"
    return found


def _settled(mail: Mail, **changes: Any) -> Mail:
    """What became of an e-mail: it was sent, where nothing else is said."""
    return attrs.evolve(mail, **{"status": SENT, "settled_at": NOW, **changes})


class MailsConformance(Kit):
    """An e-mail is claimed once, has one outcome, and is added once for each run and customer."""

    # --- reading back -----------------------------------------------------------------

    @given(mail=mails())
    @EXAMPLES
    def test_an_email_reads_back_as_written(self, storage: Storage, mail: Mail) -> None:
        """An e-mail read back equals the one written, by whatever way it is read."""
        mail = attrs.evolve(
            mail,
            id=a_new_id(mail.id),
            customer_id=a_new_id(mail.customer_id or "nobody"),
            run=a_new_id(mail.run or "none"),
        )
        assert list(storage.mails.add([mail])) == [mail.id]
        assert storage.mails.get(mail.id) == mail
        assert mail.customer_id is not None
        assert list(storage.mails.of_customer(mail.customer_id)) == [mail]
        assert list(storage.mails.page(mail.run, mail.status)) == [mail]
        assert storage.mails.latest(mail.customer_id, mail.kind) == mail

    @given(mail=mails(customer_id=st.none(), run=st.none()))
    @EXAMPLES
    def test_an_email_of_nobody_reads_back_as_written(self, storage: Storage, mail: Mail) -> None:
        """What concerns no one customer, and is part of no run, is read back so."""
        mail = attrs.evolve(mail, id=a_new_id(mail.id))
        assert list(storage.mails.add([mail])) == [mail.id]
        assert storage.mails.get(mail.id) == mail

    @given(before=mails(), after=mails())
    @EXAMPLES
    def test_what_became_of_an_email_reads_back(
        self, storage: Storage, before: Mail, after: Mail
    ) -> None:
        """Whatever became of an e-mail, it equals what was stored of it."""
        before = attrs.evolve(before, id=a_new_id(before.id), run=a_new_id(before.run or "none"))
        for_good = ("id", "kind", "queued_at", "customer_id", "by", "run")
        after = attrs.evolve(after, **{name: getattr(before, name) for name in for_good})
        storage.mails.add([before])
        assert storage.mails.change(before, after)
        assert storage.mails.get(before.id) == after
        assert list(storage.mails.page(before.run, after.status)) == [after]
        assert dict(storage.mails.counts(before.run)) == {after.status: 1}

    @pytest.mark.parametrize("absent", ABSENT_IDS)
    def test_nothing_is_sent_to_an_absent_id(self, storage: Storage, absent: str) -> None:
        """An id of no e-mail, customer or run, even an impossible one, finds nothing."""
        added = [a_mail("E-1"), a_mail("E-2", run="R-1"), a_mail("E-3", status=SENT)]
        storage.mails.add(added)
        assert storage.mails.get(absent) is None
        assert storage.mails.claim(NOW + HOUR, run=absent) is None
        assert storage.mails.latest(absent, MailKind.LINK) is None
        assert list(storage.mails.of_customer(absent)) == []
        assert dict(storage.mails.last_sent([absent])) == {}
        assert list(storage.mails.went_out(absent, NOW - HOUR)) == []
        assert dict(storage.mails.counts(absent)) == {}
        assert list(storage.mails.page(absent, QUEUED)) == []
        assert storage.mails.erase(absent) == 0
        assert [storage.mails.get(one.id) for one in added] == added

    def test_emails_of_similar_ids_stay_apart(self, storage: Storage) -> None:
        """E-mails, customers and runs whose ids look alike are not taken for one another."""
        sent = [
            a_mail(one, customer_id=one, run=one, status=SENT, address=f"{number}@x.example")
            for number, one in enumerate(SIMILAR_IDS)
        ]
        assert list(storage.mails.add(sent)) == list(SIMILAR_IDS)
        assert dict(storage.mails.last_sent(SIMILAR_IDS)) == dict(
            zip(SIMILAR_IDS, sent, strict=True)
        )
        for mail in sent:
            assert storage.mails.get(mail.id) == mail
            assert list(storage.mails.of_customer(mail.id)) == [mail]
            assert list(storage.mails.page(mail.run, SENT)) == [mail]
            assert storage.mails.latest(mail.id, MailKind.LINK) == mail
            assert list(storage.mails.went_out(mail.id, NOW - HOUR)) == [NOW]
        assert storage.mails.erase(SIMILAR_IDS[0]) == 1
        assert sum(storage.mails.get(one) is not None for one in SIMILAR_IDS) == len(sent) - 1

    # --- adding -----------------------------------------------------------------------

    @pytest.mark.parametrize("run", [None, "R-2"])
    def test_a_taken_email_id_is_refused(self, storage: Storage, run: str | None) -> None:
        """An id that is taken, by whatever customer and run, is refused, and nothing is added."""
        first = a_mail("E-1", run="R-1")
        storage.mails.add([first])
        taken = a_mail("E-1", customer_id="another", run=run)
        with pytest.raises(StorageError):
            storage.mails.add([a_mail("E-2", customer_id="ann"), taken, a_mail("E-3")])
        assert storage.mails.get("E-1") == first
        assert [storage.mails.get(one) for one in ("E-2", "E-3")] == [None, None]
        assert list(storage.mails.of_customer("another")) == []

    def test_adding_no_emails_does_nothing(self, storage: Storage) -> None:
        """An empty addition is allowed and adds nothing."""
        assert list(storage.mails.add([])) == []
        assert dict(storage.mails.counts(None)) == {}

    def test_a_run_mails_each_customer_once(self, storage: Storage) -> None:
        """What comes second of a run and customer is left out, within an addition and later."""
        assert list(
            storage.mails.add(
                [
                    a_mail("E-1", customer_id="ann", run="R-1"),
                    a_mail("E-2", customer_id="ben", run="R-1"),
                    a_mail("E-3", customer_id="ann", run="R-1", kind=MailKind.REPLY),
                ]
            )
        ) == ["E-1", "E-2"]
        more = [
            a_mail("E-4", customer_id="ann", run="R-1"),
            a_mail("E-5", customer_id="ann", run="R-2"),
            a_mail("E-6", customer_id="ann", run="r-1"),
            a_mail("E-7", customer_id="cyd", run="R-1"),
        ]
        assert list(storage.mails.add(more)) == ["E-5", "E-6", "E-7"]
        assert [storage.mails.get(one) for one in ("E-3", "E-4")] == [None, None]
        assert dict(storage.mails.counts("R-1")) == {QUEUED: 3}

    @pytest.mark.parametrize("status", MailStatus)
    def test_a_run_does_not_mail_again(self, storage: Storage, status: MailStatus) -> None:
        """Whatever became of a run's e-mail, the run has no second one for its customer."""
        first = a_mail("E-1", run="R-1")
        storage.mails.add([first])
        became = a_mail("E-1", run="R-1", status=status, attempts=1)
        assert storage.mails.change(first, became)
        assert list(storage.mails.add([a_mail("E-2", run="R-1")])) == []
        assert list(storage.mails.of_customer(CUSTOMER_ID)) == [became]

    def test_what_is_of_no_run_is_sent_each_time(self, storage: Storage) -> None:
        """E-mails of no run, and those of a run to nobody, do not stand in each other's way."""
        added = [a_mail(f"E-{number}") for number in range(3)]
        added += [a_mail(f"E-{number}", customer_id=None, run="R-1") for number in range(3, 5)]
        assert list(storage.mails.add(added)) == _ids(added)
        assert dict(storage.mails.counts(None)) == {QUEUED: 3}
        assert dict(storage.mails.counts("R-1")) == {QUEUED: 2}

    def test_of_many_who_start_a_run_one_adds(self, storage: Storage) -> None:
        """Of threads that add the same run at once one adds the e-mail of each customer."""
        customers = [f"C-{number}" for number in range(5)]
        numbers = count()

        def start(run: str) -> list[str]:
            batch = [a_mail(f"E-{next(numbers)}", customer_id=one, run=run) for one in customers]
            return list(storage.mails.add(batch))

        with hurried_threads():
            for number in range(5):
                added = in_threads([partial(start, f"R-{number}")] * 4)
                assert sum(map(len, added)) == len(customers)
                found = storage.mails.page(f"R-{number}", QUEUED)
                assert sorted(_ids(found)) == sorted(chain.from_iterable(added))
                assert sorted(str(mail.customer_id) for mail in found) == customers

    # --- claiming ---------------------------------------------------------------------

    def test_claims_come_in_turn(self, storage: Storage) -> None:
        """First what is of no run, then by run, instant and id; each is then being sent."""
        added = [
            *many_mails(),
            *many_mails("run 10"),
            *many_mails("run 9"),
            *many_mails("Run 9"),
        ]
        storage.mails.add(added)
        waiting = sorted((mail for mail in added if mail.status is QUEUED), key=_turn)
        claimed = _claim_all(storage, NOW + HOUR)
        assert claimed == [
            attrs.evolve(mail, status=SENDING, claimed_at=NOW + HOUR, attempts=1)
            for mail in waiting
        ]
        assert [storage.mails.get(mail.id) for mail in claimed] == claimed

    def test_runs_and_emails_take_turns_by_code_point(self, storage: Storage) -> None:
        """Ids are ordered by code point, those of runs and those of e-mails."""
        rising = RISING_IDS[1:]
        storage.mails.add([a_mail(f"1{one}", run=one) for one in reversed(rising)])
        storage.mails.add([a_mail(f"2{one}") for one in reversed(rising)])
        expected = [f"2{one}" for one in rising] + [f"1{one}" for one in rising]
        assert _ids(_claim_all(storage, NOW)) == expected

    def test_nothing_is_claimed_before_it_is_due(self, storage: Storage) -> None:
        """An e-mail is claimed from the instant on at which it is due; what is due goes before."""
        storage.mails.add([a_mail("E-1", due_at=NOW + INSTANT), a_mail("E-2", run="R-1")])
        assert _ids(_claim_all(storage, NOW - INSTANT)) == []
        assert _ids(_claim_all(storage, NOW)) == ["E-2"]
        assert _ids(_claim_all(storage, NOW + INSTANT)) == ["E-1"]

    def test_a_run_is_claimed_by_itself(self, storage: Storage) -> None:
        """With a run only its e-mails are claimed, in turn, and the others go on waiting."""
        added = [*many_mails(), *many_mails("R-1"), *many_mails("R-2")]
        storage.mails.add(added)
        due = [mail for mail in added if mail.status is QUEUED]
        own = sorted((mail for mail in due if mail.run == "R-1"), key=_turn)
        assert _ids(_claim_all(storage, NOW + HOUR, "R-1")) == _ids(own)
        assert storage.mails.claim(NOW + HOUR, run="R-3") is None
        left = sorted((mail for mail in due if mail.run != "R-1"), key=_turn)
        assert _ids(_claim_all(storage, NOW + HOUR)) == _ids(left)

    def test_an_email_put_back_is_claimed_in_its_new_turn(self, storage: Storage) -> None:
        """What waits again is claimed again, not before its new instant, with an attempt more."""
        storage.mails.add([a_mail("E-1"), a_mail("E-2", due_at=NOW + 2 * INSTANT)])
        first = storage.mails.claim(NOW)
        assert first is not None
        later = attrs.evolve(first, status=QUEUED, due_at=NOW + 3 * INSTANT, problem="try later")
        assert storage.mails.change(first, later)
        assert storage.mails.claim(NOW + INSTANT) is None
        again = _claim_all(storage, NOW + HOUR)
        assert [(mail.id, mail.attempts) for mail in again] == [("E-2", 1), ("E-1", 2)]
        assert again[1].problem == "try later"

    def test_each_email_is_claimed_once(self, storage: Storage) -> None:
        """Of workers that claim at once no two get the same e-mail, and each is got by one."""

        def work(run: str | None) -> list[str]:
            return _ids(_claim_all(storage, NOW, run))

        with hurried_threads():
            for number in range(5):
                run = f"R-{number}"
                added = [a_mail(f"{run}/{n}", customer_id=f"C-{n}", run=run) for n in range(24)]
                storage.mails.add(added)
                claimed = in_threads([partial(work, run)] * 3 + [partial(work, None)] * 3)
                assert sorted(chain.from_iterable(claimed)) == sorted(_ids(added))
                assert dict(storage.mails.counts(run)) == {SENDING: len(added)}

    def test_a_claim_that_is_undone_can_be_made_again(self, storage: Storage) -> None:
        """What a transaction claimed that then failed waits as before."""
        storage.mails.add([a_mail()])

        def work(unit: UnitOfWork) -> None:
            assert unit.mails.claim(NOW) is not None
            assert unit.mails.claim(NOW) is None
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            storage.transact(work)
        assert storage.mails.get("E-1") == a_mail()
        assert in_thread(lambda: _ids(_claim_all(storage, NOW))) == ["E-1"]

    # --- outcomes ---------------------------------------------------------------------

    @pytest.mark.parametrize("status", SETTLED)
    def test_of_two_outcomes_the_first_stays(self, storage: Storage, status: MailStatus) -> None:
        """Whoever comes second with what became of an e-mail is told so, and changes nothing."""
        storage.mails.add([a_mail()])
        claimed = storage.mails.claim(NOW)
        assert claimed is not None
        first = _settled(claimed, status=status, token_id=token_id(1), address="a@x.example")
        assert storage.mails.change(claimed, first)
        assert not storage.mails.change(claimed, _settled(claimed, problem="lost"))
        assert storage.mails.get("E-1") == first
        assert storage.mails.claim(NOW) is None

    def test_an_earlier_claim_has_no_say(self, storage: Storage) -> None:
        """A worker whose e-mail was claimed again by another changes nothing of it."""
        storage.mails.add([a_mail()])
        first = storage.mails.claim(NOW)
        assert first is not None
        assert storage.mails.change(first, attrs.evolve(first, status=QUEUED))
        second = storage.mails.claim(NOW + INSTANT)
        assert second is not None
        assert not storage.mails.change(first, _settled(first))
        assert storage.mails.get("E-1") == second
        assert storage.mails.change(second, _settled(second))

    def test_of_many_outcomes_at_once_one_stays(self, storage: Storage) -> None:
        """Of threads that store an outcome of the same e-mail at once one succeeds."""

        def settle(mail: Mail, number: int) -> bool:
            return storage.mails.change(mail, _settled(mail, problem=f"told by {number}"))

        with hurried_threads():
            for number in range(10):
                storage.mails.add([a_mail(f"E-{number}")])
                claimed = storage.mails.claim(NOW)
                assert claimed is not None
                told = in_threads([partial(settle, claimed, n) for n in range(4)])
                assert sum(told) == 1
                found = storage.mails.get(claimed.id)
                assert found is not None
                assert found.problem == f"told by {told.index(True)}"

    def test_what_is_gone_has_no_outcome(self, storage: Storage) -> None:
        """An e-mail that was erased meanwhile does not come back by what became of it."""
        storage.mails.add([a_mail()])
        claimed = storage.mails.claim(NOW)
        assert claimed is not None
        assert storage.mails.erase(CUSTOMER_ID) == 1
        assert not storage.mails.change(claimed, _settled(claimed))
        assert storage.mails.get("E-1") is None

    @pytest.mark.parametrize(
        ("field", "other"),
        [
            ("id", "E-2"),
            ("kind", MailKind.REPLY),
            ("queued_at", NOW + INSTANT),
            ("customer_id", "another"),
            ("customer_id", None),
            ("by", "ben"),
            ("run", "R-2"),
            ("run", None),
        ],
    )
    def test_what_an_email_is_for_stays(self, storage: Storage, field: str, other: Any) -> None:
        """Whom, why, when, by whom and in which run: a change of those is refused."""
        before = a_mail(run="R-1")
        storage.mails.add([before, a_mail("E-2", customer_id="ben", run="R-1")])
        with pytest.raises(InvalidValue):
            storage.mails.change(before, attrs.evolve(before, **{field: other}))
        assert storage.mails.get("E-1") == before
        assert storage.mails.change(before, attrs.evolve(before, about="M-1", problem="later"))

    # --- what is being sent -------------------------------------------------------------

    @pytest.mark.parametrize("limit", LIMITS)
    def test_what_is_sent_for_long_is_found(self, storage: Storage, limit: int) -> None:
        """What is being sent and was claimed before an instant comes by (claimed_at, id)."""
        added = [
            a_mail(
                f"E-{number * 7 % 12:02d}",
                status=(SENDING, SENDING, SENT, QUEUED)[number % 4],
                claimed_at=NOW + INSTANT * (number % 5),
                run="R-1" if number % 3 else None,
                customer_id=f"C-{number}",
            )
            for number in range(12)
        ]
        storage.mails.add(added)
        sending = [mail for mail in added if mail.status is SENDING]
        for cut in (NOW, NOW + 2 * INSTANT, NOW + HOUR):
            expected = sorted(
                (mail for mail in sending if mail.claimed_at and mail.claimed_at < cut),
                key=lambda mail: (mail.claimed_at, mail.id),
            )
            found = storage.mails.claimed_before(cut, limit=limit)
            assert list(found) == expected[:limit]

    # --- the latest -------------------------------------------------------------------

    def test_the_latest_email_is_that_asked_for_last(self, storage: Storage) -> None:
        """Of a customer's e-mails of a kind the one with the last (queued_at, id)."""
        added = many_mails()
        storage.mails.add(added)
        for customer_id in ("ann", "ben", "cyd"):
            for kind in MailKind:
                own = [m for m in added if m.customer_id == customer_id and m.kind is kind]
                found = storage.mails.latest(customer_id, kind)
                assert found == max(own, key=_key, default=None)

    def test_what_was_found_waiting_is_not_claimed_meanwhile(self, storage: Storage) -> None:
        """Who claims what a transaction found waiting sees all that the transaction wrote."""
        storage.mails.add([a_mail(kind=MailKind.MESSAGE)])
        written = a_message()

        def claim() -> tuple[Mail | None, list[Message]]:
            return storage.mails.claim(NOW), list(storage.messages.page(CUSTOMER_ID))

        def work(unit: UnitOfWork) -> Running:
            found = unit.mails.latest(CUSTOMER_ID, MailKind.MESSAGE)
            assert found == a_mail(kind=MailKind.MESSAGE)
            claiming = Running(claim)
            claiming.ends_within(_A_MOMENT)
            unit.messages.add(written)
            assert unit.mails.latest(CUSTOMER_ID, MailKind.MESSAGE) == found
            return claiming

        claimed, seen = storage.transact(work, lock=[CUSTOMER_ID]).result()
        assert claimed is None or (claimed.id, seen) == ("E-1", [written])
        assert len(_claim_all(storage, NOW)) == (claimed is None)

    @pytest.mark.parametrize("is_kept", [True, False])
    def test_what_is_claimed_is_not_found_waiting(self, storage: Storage, is_kept: bool) -> None:
        """Who looks while a claim is made sees it as it ends, or has ended before it does."""
        storage.mails.add([a_mail(kind=MailKind.MESSAGE)])
        looking: list[Running] = []
        ended: list[bool] = []

        def look(unit: UnitOfWork) -> Mail | None:
            return unit.mails.latest(CUSTOMER_ID, MailKind.MESSAGE)

        def claim(unit: UnitOfWork) -> None:
            assert unit.mails.claim(NOW) is not None
            looking.append(Running(lambda: storage.transact(look, lock=[CUSTOMER_ID])))
            ended.append(looking[-1].ends_within(_A_MOMENT))
            if not is_kept:
                raise ZeroDivisionError

        try:
            storage.transact(claim, lock=["another"])
        except ZeroDivisionError:
            assert not is_kept
        found = looking[-1].result()
        assert ended[-1] or found.status is (SENDING if is_kept else QUEUED)

    # --- lists ------------------------------------------------------------------------

    @pytest.mark.parametrize("limit", LIMITS)
    @pytest.mark.parametrize("customer_id", ["ann", "ben"])
    def test_a_customers_emails_come_newest_first(
        self, storage: Storage, customer_id: str, limit: int
    ) -> None:
        """A customer's e-mails are all of its own, by instant and id, newest first."""
        added = many_mails()
        storage.mails.add(added)
        found = walk(
            lambda after, limit: storage.mails.of_customer(customer_id, after=after, limit=limit),
            _key,
            limit,
        )
        own = [mail for mail in added if mail.customer_id == customer_id]
        assert found == sorted(own, key=_key, reverse=True)

    @pytest.mark.parametrize("limit", LIMITS)
    @pytest.mark.parametrize("run", [None, "R-1"])
    def test_a_run_is_read_by_status(self, storage: Storage, run: str | None, limit: int) -> None:
        """Of a run, or of no run, the e-mails with a status by instant and id; all are counted."""
        added = [*many_mails(), *many_mails("R-1"), *many_mails("R-2")]
        storage.mails.add(added)
        counted = {}
        for status in MailStatus:
            fetch = partial(_page, storage, run, status)
            own = [mail for mail in added if mail.run == run and mail.status is status]
            assert walk(fetch, _key, limit) == sorted(own, key=_key)
            counted[status] = len(own)
        assert dict(storage.mails.counts(run)) == counted

    def test_what_waits_is_counted(self, storage: Storage) -> None:
        """Of all runs and of none: how many are queued, and since when the first is due."""
        assert storage.mails.waiting() == (0, None)
        added = [*many_mails(), *many_mails("R-1")]
        storage.mails.add(added)
        due = [mail.due_at for mail in added if mail.status is QUEUED]
        assert storage.mails.waiting() == (len(due), min(due))
        taken = storage.mails.claim(NOW + HOUR)
        assert taken is not None
        assert storage.mails.waiting()[0] == len(due) - 1

    def test_a_status_that_no_email_has_is_not_counted(self, storage: Storage) -> None:
        """Counts follow each change, and what would be 0 is not there."""
        storage.mails.add([a_mail("E-1"), a_mail("E-2")])
        assert dict(storage.mails.counts(None)) == {QUEUED: 2}
        for _ in range(2):
            claimed = storage.mails.claim(NOW)
            assert claimed is not None
            storage.mails.change(claimed, _settled(claimed, status=SKIPPED))
        assert dict(storage.mails.counts(None)) == {SKIPPED: 2}
        storage.mails.erase(CUSTOMER_ID)
        assert dict(storage.mails.counts(None)) == {}

    # --- what went out ------------------------------------------------------------------

    def test_the_last_sent_email_brought_a_link(self, storage: Storage) -> None:
        """Of each customer the last by (settled_at, id) that was sent to bring a link."""
        added = [
            attrs.evolve(mail, settled_at=NOW + INSTANT * (number * 5 % 3))
            if mail.status is SENT
            else mail
            for number, mail in enumerate([*many_mails(), *many_mails("R-1")])
        ]
        storage.mails.add(added)
        sent = [mail for mail in added if mail.status is SENT and mail.kind in LINK_KINDS]
        expected = {
            str(mail.customer_id): mail
            for mail in sorted(sent, key=lambda mail: (mail.settled_at, mail.id))
        }
        wanted = ["ann", "ben", "ann", *(f"C-{number}" for number in range(990))]
        assert len(expected) > 2
        assert dict(storage.mails.last_sent(wanted)) == expected
        assert dict(storage.mails.last_sent(["ann"])) == {"ann": expected["ann"]}
        assert dict(storage.mails.last_sent([])) == {}

    def test_what_went_out_may_have_come(self, storage: Storage) -> None:
        """Claims after an instant of what brings a link and was, is or may have been sent."""
        statuses = list(MailStatus)
        added = [
            a_mail(
                f"E-{number}",
                kind=list(MailKind)[number % 5],
                status=statuses[number % 6],
                claimed_at=NOW + INSTANT * (number % 4),
                customer_id="another" if number % 7 == 0 else CUSTOMER_ID,
            )
            for number in range(60)
        ]
        storage.mails.add([*added, a_mail("never claimed", status=SENT, claimed_at=None)])
        gone = (SENDING, SENT, MailStatus.UNKNOWN)
        own = [
            mail.claimed_at
            for mail in added
            if mail.customer_id == CUSTOMER_ID
            and mail.kind in LINK_KINDS
            and mail.status in gone
            and mail.claimed_at
        ]
        for since in (NOW - INSTANT, NOW, NOW + 2 * INSTANT, NOW + HOUR):
            expected = sorted(at for at in own if at > since)
            assert list(storage.mails.went_out(CUSTOMER_ID, since)) == expected
        assert len(own) > len(set(own)) > 2

    # --- erasure and retention ----------------------------------------------------------

    def test_erasure_removes_emails(self, storage: Storage) -> None:
        """A customer's e-mails go for good, whatever became of them, and nobody else's."""
        added = [*many_mails(), a_mail("nobody's", customer_id=None, kind=MailKind.EXPIRING)]
        storage.mails.add([*added, a_mail("E-1", customer_id="ann", run="R-1")])
        own = [mail for mail in added if mail.customer_id == "ann"]
        assert storage.mails.erase("ann") == len(own) + 1
        assert list(storage.mails.of_customer("ann")) == []
        assert dict(storage.mails.last_sent(["ann"])) == {}
        left = [mail for mail in added if mail.customer_id != "ann"]
        assert [storage.mails.get(mail.id) for mail in left] == left
        waiting = sorted((mail for mail in left if mail.status is QUEUED), key=_turn)
        assert _ids(_claim_all(storage, NOW + HOUR)) == _ids(waiting)
        assert storage.mails.erase("ann") == 0
        assert list(storage.mails.add([a_mail("E-1", customer_id="ann", run="R-1")])) == ["E-1"]

    @pytest.mark.parametrize("limit", LIMITS)
    def test_old_emails_go(self, storage: Storage, limit: int) -> None:
        """What was settled before an instant goes, first what was settled first, up to a limit."""
        settled = [
            a_mail(
                f"E-{number * 7 % 11:02d}",
                status=SETTLED[number % 4],
                settled_at=NOW + INSTANT * (number % 4),
                run="R-1" if number % 2 else None,
                customer_id=f"C-{number}",
            )
            for number in range(11)
        ]
        waiting = [a_mail("waits", queued_at=NOW - HOUR), a_mail("is sent", status=SENDING)]
        storage.mails.add([*settled, *waiting])
        due = sorted(
            (mail for mail in settled if mail.settled_at and mail.settled_at < NOW + 3 * INSTANT),
            key=lambda mail: (mail.settled_at, mail.id),
        )
        assert storage.mails.prune(NOW, limit=limit) == 0
        while due:
            gone = due[:limit]
            assert storage.mails.prune(NOW + 3 * INSTANT, limit=limit) == len(gone)
            due = due[limit:]
            assert [storage.mails.get(mail.id) for mail in gone] == [None] * len(gone)
            assert [storage.mails.get(mail.id) for mail in due] == due
        assert storage.mails.prune(NOW + 3 * INSTANT, limit=limit) == 0
        assert storage.mails.prune(NOW + HOUR) == 2
        assert [storage.mails.get(mail.id) for mail in waiting] == waiting

    def test_an_email_is_seen_by_other_threads(self, storage: Storage) -> None:
        """What one thread wrote the others read at once."""
        storage.mails.add([a_mail()])
        assert in_thread(lambda: storage.mails.get("E-1")) == a_mail()
        claimed = in_thread(lambda: storage.mails.claim(NOW))
        assert storage.mails.get("E-1") == claimed


def _page(
    storage: Storage,
    run: str | None,
    status: MailStatus,
    after: tuple[dt.datetime, str] | None,
    limit: int,
) -> list[Mail]:
    return list(storage.mails.page(run, status, after=after, limit=limit))
