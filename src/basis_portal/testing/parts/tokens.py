"""What a storage promises of single tokens: adding, ending, opening, renaming."""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs
import pytest
from hypothesis import given

from ...domain.portal_token import EndedAs, PortalToken
from ...errors import ActiveTokenExists, StorageError
from ...repositories import Storage
from ..builders import NOW, a_token, token_id
from ..strategies import tokens
from .base import (
    ABSENT_IDS,
    EXAMPLES,
    SIMILAR_IDS,
    Kit,
    a_new_id,
    a_new_token_id,
    hurried_threads,
    in_threads,
)

HOUR = dt.timedelta(hours=1)
INSTANT = dt.timedelta(microseconds=1)
_THREADS, _ROUNDS = 8, 50


def an_ended_token(id: str, **changes: object) -> PortalToken:
    """A token that staff revoked an hour after its issue."""
    ended = {"ended_at": NOW + HOUR, "ended_by": "ben", "ended_as": EndedAs.REVOKED}
    return a_token(id, **{**ended, "reason": "lost", **changes})


class TokensConformance(Kit):
    """Tokens are kept as they are, and a customer never has two current ones."""

    # --- reading back -----------------------------------------------------------------

    @given(token=tokens())
    @EXAMPLES
    def test_a_token_reads_back_as_written(self, storage: Storage, token: PortalToken) -> None:
        """A token read back equals the one written, by whatever way it is read."""
        token = attrs.evolve(token, id=a_new_token_id(), customer_id=a_new_id(token.customer_id))
        storage.tokens.add([token])
        assert storage.tokens.get(token.id) == token
        assert storage.tokens.latest([token.customer_id]) == {token.customer_id: token}
        assert list(storage.tokens.history(token.customer_id)) == [token]
        assert storage.opening(token.id).token == token

    @pytest.mark.parametrize("absent", ABSENT_IDS)
    def test_no_token_has_an_absent_id(self, storage: Storage, absent: str) -> None:
        """An id of no token, even one that none could have, finds nothing."""
        storage.tokens.add([a_token()])
        assert storage.tokens.get(absent) is None
        assert storage.opening(absent).token is None
        assert list(storage.tokens.history(absent)) == []
        assert storage.tokens.latest([absent]) == {}
        assert storage.tokens.last_opened([absent]) == {}
        assert list(storage.tokens.end([absent], at=NOW, by="ben", how=EndedAs.REVOKED)) == []
        assert storage.tokens.mark_opened(absent, NOW, unless_within=HOUR) is False
        assert storage.tokens.get(token_id(1)) == a_token()

    def test_ids_of_tokens_tell_case_apart(self, storage: Storage) -> None:
        """Two ids that differ in case alone are two tokens."""
        lower, upper = a_token("a" * 22, customer_id="a"), a_token("A" * 22, customer_id="A")
        storage.tokens.add([lower, upper])
        assert storage.tokens.get("a" * 22) == lower
        assert storage.tokens.get("A" * 22) == upper

    def test_tokens_of_similar_customers_stay_apart(self, storage: Storage) -> None:
        """Customers whose ids look alike have each its own tokens and nobody else's."""
        own = {one: a_token(token_id(n), customer_id=one) for n, one in enumerate(SIMILAR_IDS)}
        storage.tokens.add(list(own.values()))
        for one, token in own.items():
            assert list(storage.tokens.history(one)) == [token]
            assert storage.tokens.latest([one]) == {one: token}
        storage.tokens.rename_customer(SIMILAR_IDS[0], "renamed")
        assert all(storage.tokens.history(one) for one in SIMILAR_IDS[1:])

    # --- one current token --------------------------------------------------------------

    def test_a_second_current_token_is_refused(self, storage: Storage) -> None:
        """A current token beside another is refused, until the first has ended."""
        first, second = a_token(token_id(1)), a_token(token_id(2))
        storage.tokens.add([first])
        with pytest.raises(ActiveTokenExists):
            storage.tokens.add([second])
        assert list(storage.tokens.history(first.customer_id)) == [first]
        storage.tokens.end([first.id], at=NOW, by="ana", how=EndedAs.REPLACED)
        storage.tokens.add([second])
        assert storage.tokens.latest([first.customer_id])[first.customer_id] == second

    def test_an_expired_token_is_still_current(self, storage: Storage) -> None:
        """A token long expired stays current: a second one is refused until it is ended."""
        old = dt.timedelta(days=3000)
        storage.tokens.add([a_token(issued_at=NOW - old - HOUR, expires_at=NOW - old)])
        with pytest.raises(ActiveTokenExists):
            storage.tokens.add([a_token(token_id(2))])
        storage.tokens.add([a_token(token_id(2), customer_id="another")])

    def test_two_current_tokens_in_one_addition_are_refused(self, storage: Storage) -> None:
        """Two current tokens of a customer in one addition are refused, both of them."""
        with pytest.raises(ActiveTokenExists):
            storage.tokens.add([a_token(token_id(1)), a_token(token_id(2))])
        assert list(storage.tokens.history(a_token().customer_id)) == []
        storage.tokens.add([an_ended_token(token_id(1)), a_token(token_id(2))])
        assert len(storage.tokens.history(a_token().customer_id)) == 2

    def test_ended_tokens_stand_beside_a_current_one(self, storage: Storage) -> None:
        """Tokens that have ended may be added while there is a current one."""
        storage.tokens.add([a_token(token_id(1))])
        storage.tokens.add([an_ended_token(token_id(2)), an_ended_token(token_id(3))])
        assert len(storage.tokens.history(a_token().customer_id)) == 3

    def test_many_threads_leave_one_current_token(self, storage: Storage) -> None:
        """Threads that replace a customer's token at once leave one current, and lose none."""

        def replace() -> str:
            new = a_token(a_new_token_id(), customer_id=customer_id)

            def work(_: object) -> str:
                latest = storage.tokens.latest([customer_id]).get(customer_id)
                if latest is not None:
                    storage.tokens.end([latest.id], at=NOW, by="ana", how=EndedAs.REPLACED)
                storage.tokens.add([new])
                return new.id

            return storage.transact(work, lock=[customer_id])

        with hurried_threads():
            for number in range(_ROUNDS):
                customer_id = f"customer {number}"
                added = in_threads([replace] * _THREADS)
                history = storage.tokens.history(customer_id)
                assert sorted(token.id for token in history) == sorted(added)
                assert [token.is_current for token in history] == [False] * 7 + [True]

    def test_of_many_threads_that_add_at_once_one_succeeds(self, storage: Storage) -> None:
        """Of threads that add a first token without any lock one succeeds, others are refused."""

        def add() -> bool:
            try:
                storage.tokens.add([a_token(a_new_token_id(), customer_id=customer_id)])
            except ActiveTokenExists:
                return False
            return True

        with hurried_threads():
            for number in range(_ROUNDS):
                customer_id = f"customer {number}"
                assert sum(in_threads([add] * _THREADS)) == 1
                assert len(storage.tokens.history(customer_id)) == 1

    # --- all or none --------------------------------------------------------------------

    def test_a_taken_token_id_is_refused(self, storage: Storage) -> None:
        """An id that is taken, by whatever customer, is refused with nothing changed."""
        storage.tokens.add([an_ended_token(token_id(1))])
        for customer_id in (a_token().customer_id, "another"):
            with pytest.raises(StorageError):
                storage.tokens.add([a_token(token_id(1), customer_id=customer_id)])
        assert storage.tokens.get(token_id(1)) == an_ended_token(token_id(1))
        assert list(storage.tokens.history("another")) == []

    def test_an_id_twice_in_one_addition_is_refused(self, storage: Storage) -> None:
        """An id that stands twice in one addition is refused with nothing changed."""
        with pytest.raises(StorageError):
            storage.tokens.add([a_token(), a_token(customer_id="another")])
        assert storage.tokens.get(token_id(1)) is None

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_an_addition_that_fails_adds_nothing(self, storage: Storage, place: int) -> None:
        """Where one token of an addition is refused, wherever it stands, none is added."""
        storage.tokens.add([a_token(token_id(9), customer_id="taken")])
        batch = [a_token(token_id(n), customer_id=f"free {n}") for n in (1, 2)]
        batch.insert(place, a_token(token_id(3), customer_id="taken"))
        with pytest.raises(ActiveTokenExists):
            storage.tokens.add(batch)
        assert [storage.tokens.get(token.id) for token in batch] == [None, None, None]
        batch.pop(place)
        storage.tokens.add(batch)
        assert [storage.tokens.get(token.id) for token in batch] == batch

    def test_adding_no_tokens_does_nothing(self, storage: Storage) -> None:
        """Empty collections are no error."""
        storage.tokens.add([])
        assert list(storage.tokens.end([], at=NOW, by="ana", how=EndedAs.REVOKED)) == []
        assert storage.tokens.latest([]) == {}
        assert storage.tokens.last_opened([]) == {}

    # --- ending -------------------------------------------------------------------------

    @pytest.mark.parametrize("how", list(EndedAs))
    @pytest.mark.parametrize("reason", [None, "", "left the company"])
    def test_an_ended_token_says_who_when_and_why(
        self, storage: Storage, how: EndedAs, reason: str | None
    ) -> None:
        """A token is ended with all that was said, and read back so."""
        storage.tokens.add([a_token()])
        at = NOW + HOUR + INSTANT
        ended = storage.tokens.end([token_id(1)], at=at, by="ben", how=how, reason=reason)
        expected = attrs.evolve(a_token(), ended_at=at, ended_by="ben", ended_as=how, reason=reason)
        assert list(ended) == [expected]
        assert storage.tokens.get(token_id(1)) == expected
        assert storage.opening(token_id(1)).token == expected

    def test_a_token_keeps_its_first_end(self, storage: Storage) -> None:
        """Ending a token again changes nothing: who, when, how and why stand as they were."""
        storage.tokens.add([a_token()])
        storage.tokens.end([token_id(1)], at=NOW, by="ana", how=EndedAs.REVOKED, reason="first")
        before = storage.tokens.get(token_id(1))
        again = storage.tokens.end(
            [token_id(1)], at=NOW + HOUR, by="ben", how=EndedAs.REPLACED, reason="second"
        )
        assert list(again) == []
        assert storage.tokens.get(token_id(1)) == before
        assert before is not None
        assert before.reason == "first"

    def test_of_those_who_end_a_token_at_once_one_did(self, storage: Storage) -> None:
        """Only one is told that it ended the token, and what it said is what stands."""

        def end(one: str, by: str, how: EndedAs) -> PortalToken | None:
            ended = storage.tokens.end([one], at=NOW, by=by, how=how)
            return ended[0] if ended else None

        with hurried_threads():
            for number in range(_ROUNDS):
                one = token_id(number)
                storage.tokens.add([a_token(one, customer_id=f"C-{number}")])
                works = [
                    partial(end, one, f"staff {n}", how)
                    for n, how in enumerate([EndedAs.REVOKED, EndedAs.REPLACED] * 2)
                ]
                ended = [token for token in in_threads(works) if token is not None]
                assert ended == [storage.tokens.get(one)]

    def test_ended_tokens_come_by_id(self, storage: Storage) -> None:
        """Of many ids, repeated, unknown and ended ones among them, those ended come by id."""
        ids = [token_id(n) for n in (7, 3, 12, 5)]
        storage.tokens.add([a_token(one, customer_id=f"of {one}") for one in ids])
        storage.tokens.add([an_ended_token(token_id(4), customer_id="x")])
        asked = {*ids, token_id(4), token_id(99)}
        ended = storage.tokens.end(asked, at=NOW, by="ana", how=EndedAs.REVOKED)
        assert [token.id for token in ended] == sorted(ids)
        assert storage.tokens.get(token_id(4)) == an_ended_token(token_id(4), customer_id="x")

    def test_an_expired_token_can_be_ended(self, storage: Storage) -> None:
        """A token that has expired is ended like any other."""
        storage.tokens.add([a_token()])
        late = a_token().expires_at + HOUR
        assert len(storage.tokens.end([token_id(1)], at=late, by="ana", how=EndedAs.REPLACED)) == 1

    def test_a_thousand_tokens_are_ended_at_once(self, storage: Storage) -> None:
        """A thousand ids at once are no more than a storage can take."""
        batch = [a_token(token_id(n), customer_id=f"C-{n}") for n in range(1000)]
        storage.tokens.add(batch)
        ids = [token.id for token in batch]
        assert storage.tokens.latest([token.customer_id for token in batch]) == {
            token.customer_id: token for token in batch
        }
        assert storage.tokens.last_opened(ids) == {}
        assert len(storage.tokens.end(ids, at=NOW, by="ana", how=EndedAs.REVOKED)) == 1000

    # --- openings -----------------------------------------------------------------------

    @pytest.mark.parametrize("sign", [1, -1])
    def test_an_opening_soon_after_another_is_not_noted(self, storage: Storage, sign: int) -> None:
        """Within the hour, before or after, an opening is not noted; from the hour on it is."""
        storage.tokens.add([a_token()])
        assert storage.tokens.mark_opened(token_id(1), NOW, unless_within=HOUR) is True
        near, far = NOW + sign * (HOUR - INSTANT), NOW + sign * HOUR
        assert storage.tokens.mark_opened(token_id(1), near, unless_within=HOUR) is False
        assert storage.tokens.last_opened([token_id(1)]) == {token_id(1): NOW}
        assert storage.tokens.mark_opened(token_id(1), far, unless_within=HOUR) is True
        assert storage.tokens.last_opened([token_id(1)]) == {token_id(1): far}
        assert storage.opening(token_id(1)).opened_at == far

    def test_without_a_span_each_opening_is_noted(self, storage: Storage) -> None:
        """With a span of zero the same instant is noted again."""
        storage.tokens.add([a_token()])
        for _ in range(2):
            assert storage.tokens.mark_opened(token_id(1), NOW, unless_within=dt.timedelta(0))

    def test_of_many_openings_at_once_one_is_noted(self, storage: Storage) -> None:
        """Of threads that open a token at the same instant one notes it, the others do not."""
        storage.tokens.add([a_token()])

        def open_it(at: dt.datetime) -> bool:
            return storage.tokens.mark_opened(token_id(1), at, unless_within=HOUR)

        with hurried_threads():
            for number in range(10):
                works = [partial(open_it, NOW + number * HOUR)] * _THREADS
                assert sum(in_threads(works)) == 1

    def test_openings_are_of_their_token_alone(self, storage: Storage) -> None:
        """An opening is noted of one token, changes no token, and unopened ones have none."""
        added = [a_token(token_id(n), customer_id=f"C-{n}") for n in (1, 2, 3)]
        storage.tokens.add(added)
        storage.tokens.mark_opened(token_id(1), NOW, unless_within=HOUR)
        storage.tokens.mark_opened(token_id(3), NOW + INSTANT, unless_within=HOUR)
        asked = [token_id(n) for n in (1, 2, 3, 4)]
        opened = {token_id(1): NOW, token_id(3): NOW + INSTANT}
        assert storage.tokens.last_opened(asked) == opened
        assert storage.tokens.last_opened(asked[1:2]) == {}
        assert [storage.tokens.get(one) for one in asked[:3]] == added

    def test_an_opening_is_all_in_one(self, storage: Storage) -> None:
        """What a link needs comes at once: settings, token, last opening; no customer saved."""
        storage.tokens.add([a_token()])
        found = storage.opening(token_id(1))
        assert (found.token, found.opened_at, found.customer) == (a_token(), None, None)
        assert found.settings == storage.settings.get()
        assert storage.opening(token_id(2)).settings == storage.settings.get()

    # --- erasure ------------------------------------------------------------------------

    def test_renamed_tokens_keep_all_but_id_and_reason(self, storage: Storage) -> None:
        """A renamed customer's tokens go to the new id in their order, without reasons."""
        tokens = [an_ended_token(token_id(5)), a_token(token_id(2))]
        storage.tokens.add([*tokens, a_token(token_id(1), customer_id="another")])
        storage.tokens.mark_opened(token_id(2), NOW, unless_within=HOUR)
        assert storage.tokens.rename_customer(tokens[0].customer_id, "erased") == 2
        renamed = list(storage.tokens.history("erased"))
        assert not any(token.reason for token in renamed)
        reasonless = [attrs.evolve(t, reason=None) for t in renamed]
        assert reasonless == [attrs.evolve(t, customer_id="erased", reason=None) for t in tokens]
        assert list(storage.tokens.history(tokens[0].customer_id)) == []
        assert storage.tokens.latest(["erased"])["erased"].id == token_id(2)
        assert storage.tokens.last_opened([token_id(2)]) == {token_id(2): NOW}
        assert len(storage.tokens.history("another")) == 1

    def test_a_rename_never_makes_two_current_tokens(self, storage: Storage) -> None:
        """Where both have a current token the rename is refused and changes nothing."""
        both = [an_ended_token(token_id(3)), a_token(), a_token(token_id(2), customer_id="b")]
        storage.tokens.add(both)
        with pytest.raises(ActiveTokenExists):
            storage.tokens.rename_customer(a_token().customer_id, "b")
        assert [storage.tokens.get(token.id) for token in both] == both
        storage.tokens.end([token_id(2)], at=NOW, by="ana", how=EndedAs.REVOKED)
        assert storage.tokens.rename_customer(a_token().customer_id, "b") == 2
        assert len(storage.tokens.history("b")) == 3

    # --- retention ----------------------------------------------------------------------

    def test_old_tokens_go_and_the_latest_stays(self, storage: Storage) -> None:
        """Tokens that ended before an instant go, the first ended first; the latest never does."""
        ended = [
            an_ended_token(token_id(number), ended_at=NOW + number * HOUR, customer_id=one)
            for number, one in enumerate(["a", "a", "b", "a", "b", "c"], start=1)
        ]
        storage.tokens.add([*ended, a_token(token_id(7), customer_id="b")])
        assert storage.tokens.prune(NOW + HOUR) == 0
        assert storage.tokens.prune(NOW + 5 * HOUR, limit=1) == 1
        assert storage.tokens.get(token_id(1)) is None
        assert storage.tokens.get(token_id(2)) == ended[1]
        assert storage.tokens.prune(NOW + 5 * HOUR) == 2
        assert storage.tokens.prune(NOW + 5 * HOUR) == 0
        assert [len(storage.tokens.history(one)) for one in "abc"] == [1, 2, 1]
        assert storage.tokens.prune(NOW + 100 * HOUR) == 1
        latest = storage.tokens.latest(["a", "b", "c"])
        assert {one: token.id for one, token in latest.items()} == {
            "a": token_id(4),
            "b": token_id(7),
            "c": token_id(6),
        }
        assert storage.tokens.history("b") == [storage.tokens.get(token_id(7))]

    def test_renaming_nobody_changes_nothing(self, storage: Storage) -> None:
        """A customer without tokens has none to rename."""
        storage.tokens.add([a_token()])
        assert storage.tokens.rename_customer("absent", "b") == 0
        assert storage.tokens.get(token_id(1)) == a_token()
