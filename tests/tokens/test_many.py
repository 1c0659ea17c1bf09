"""Many customers at once: in order, by the thousand, and what was yielded is committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from basis_portal import (
    Customer,
    Edition,
    InvalidValue,
    IssueResult,
    Outcome,
    Portal,
    PortalConfig,
    PortalNotAvailable,
    Skipped,
    StorageError,
    TokenStatus,
)
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
IDS = [f"K-{number:04}" for number in range(2_500)]


@pytest.fixture
def crowd(portal: Portal, storage: Any) -> Portal:
    """The portal with 2,500 customers more."""
    storage.customers.save(*(Customer(one, f"Customer {one}") for one in IDS))
    return portal


def active(portal: Portal) -> int:
    """How many customers have an active token."""
    return portal.tokens.count(TokenStatus.ACTIVE)


def test_results_tell_who_got_what(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """In the order given: issued, existing, expired and so issued, and each reason to skip."""
    storage.customers.save(*(Customer(one, one) for one in ("new", "old", "expired", "revoked")))
    kept = portal.tokens.generate("old", days=365)
    expired = portal.tokens.generate("expired", days=1)
    portal.tokens.generate("revoked")
    portal.tokens.revoke("revoked")
    clock.advance(days=1)
    asked = ["revoked", "C-1003", "expired", "nobody", "old", "new"]
    results = list(portal.tokens.ensure_many(iter(asked), by="ana"))
    assert [result.customer_id for result in results] == asked
    assert [(result.outcome, result.why) for result in results] == [
        (Outcome.SKIPPED, Skipped.REVOKED),
        (Outcome.SKIPPED, Skipped.BLOCKED),
        (Outcome.ISSUED, None),
        (Outcome.SKIPPED, Skipped.UNKNOWN),
        (Outcome.EXISTING, None),
        (Outcome.ISSUED, None),
    ]
    customers = [result.customer and result.customer.id for result in results]
    assert customers == ["revoked", "C-1003", "expired", None, "old", "new"]
    tokens = {result.customer_id: result.token for result in results if result.token}
    assert tokens == {one: portal.tokens.get(one) for one in ("expired", "old", "new")}
    assert tokens["old"] == kept
    assert tokens["expired"].replaces == expired.id
    assert tokens["new"].issued_by == "ana"


def test_regenerating_many(portal: Portal, storage: Any) -> None:
    """Every welcome customer gets a new token, also who was revoked; others are skipped."""
    storage.customers.save(*(Customer(one, one) for one in ("new", "old", "revoked")))
    old = portal.tokens.generate("old")
    portal.tokens.generate("revoked")
    portal.tokens.revoke("revoked")
    asked = ["revoked", "nobody", "old", "C-1003", "new"]
    results = list(portal.tokens.regenerate_many(asked, by="ana"))
    assert [(result.customer_id, result.outcome, result.why) for result in results] == [
        ("revoked", Outcome.ISSUED, None),
        ("nobody", Outcome.SKIPPED, Skipped.UNKNOWN),
        ("old", Outcome.ISSUED, None),
        ("C-1003", Outcome.SKIPPED, Skipped.BLOCKED),
        ("new", Outcome.ISSUED, None),
    ]
    assert results[2].token
    assert results[2].token.replaces == old.id
    assert len(portal.tokens.history("old")) == 2


def test_repeating_is_harmless(portal: Portal, state: Callable[[], Any]) -> None:
    """A second `ensure_many` finds what the first one made, and changes nothing."""
    first = list(portal.tokens.ensure_many(["C-1001", "C-1002"]))
    before = state()
    second = list(portal.tokens.ensure_many(["C-1001", "C-1002"]))
    assert [result.outcome for result in first] == [Outcome.ISSUED] * 2
    assert [result.outcome for result in second] == [Outcome.EXISTING] * 2
    assert [result.token for result in second] == [result.token for result in first]
    assert state() == before


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
def test_an_id_asked_for_again(verb: str, portal: Portal) -> None:
    """An id that comes twice in a batch gets one token; the second result finds the first."""
    portal.tokens.generate("C-1002")
    asked = ["C-1001", "C-1002", "C-1001", "C-1003", "C-1003", "C-1001"]
    results = list(getattr(portal.tokens, verb)(asked))
    assert [result.customer_id for result in results] == asked
    mine = [result for result in results if result.customer_id == "C-1001"]
    assert [result.outcome for result in mine] == [Outcome.ISSUED, "existing", "existing"]
    assert {result.token for result in mine} == {portal.tokens.get("C-1001")}
    assert len(portal.tokens.history("C-1001")) == 1


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
def test_an_id_asked_for_again_a_thousand_later(verb: str, crowd: Portal) -> None:
    """Also in a later batch an id that comes again keeps the token it was given first."""
    asked = [*IDS[:1_500], IDS[0], IDS[0], "C-1003"]
    results = list(getattr(crowd.tokens, verb)(asked))
    first, *again = (result for result in results if result.customer_id == IDS[0])
    assert [result.outcome for result in again] == [Outcome.EXISTING] * 2
    assert {result.token for result in again} == {first.token}
    assert len(crowd.tokens.history(IDS[0])) == 1
    assert len(results) == len(asked)


def test_a_revoke_between_batches_stands(crowd: Portal) -> None:
    """Who is revoked while `regenerate_many` runs is not given a third token by coming again."""
    results = crowd.tokens.regenerate_many([*IDS[:1_000], IDS[0]])
    list(islice(results, 1_000))
    crowd.tokens.revoke(IDS[0])
    (again,) = results
    assert (again.outcome, again.why) == (Outcome.SKIPPED, Skipped.REVOKED)
    assert len(crowd.tokens.history(IDS[0])) == 1


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
def test_batches_are_committed_before_they_are_yielded(verb: str, crowd: Portal) -> None:
    """2,500 customers are three commits; what a result says is already so for everybody else."""
    taken: list[str] = []
    results = getattr(crowd.tokens, verb)(_noting(IDS, taken))
    assert (active(crowd), taken) == (0, [])
    steps = []
    for number, result in enumerate(results):
        assert isinstance(result, IssueResult)
        if number % 500 == 0:
            steps.append((number, active(crowd), len(taken)))
            assert crowd.tokens.get(result.customer_id) == result.token
    assert steps == [
        (0, 1_000, 1_000),
        (500, 1_000, 1_000),
        (1_000, 2_000, 2_000),
        (1_500, 2_000, 2_000),
        (2_000, 2_500, 2_500),
    ]


def _noting(ids: list[str], taken: list[str]) -> Iterator[str]:
    for one in ids:
        taken.append(one)
        yield one


def test_every_token_of_a_batch_is_audited(crowd: Portal, trail: Callable[[], Any]) -> None:
    """Each of 2,500 tokens issued, and issued anew, is in the trail, once."""
    before = len(trail())
    assert len(list(crowd.tokens.ensure_many(IDS, by="ana"))) == 2_500
    assert len(list(crowd.tokens.regenerate_many(IDS, by="bo"))) == 2_500
    entries = trail()[before:]
    assert Counter((entry.event, entry.cause, entry.by) for entry in entries) == {
        ("issued", None, "ana"): 2_500,
        ("issued", None, "bo"): 2_500,
        ("ended", "replaced", "bo"): 2_500,
    }
    for one in (IDS[0], IDS[999], IDS[1_000], IDS[-1]):
        first, second = crowd.tokens.history(one)
        mine = [entry.token_id for entry in entries if entry.customer_id == one]
        assert mine == [first.id, first.id, second.id]
        assert second.replaces == first.id


def test_who_stops_listening_stops_the_work(crowd: Portal) -> None:
    """Where the caller goes away after 1,500 results two thousand are issued, and no more."""
    results = crowd.tokens.ensure_many(IDS)
    assert len(list(islice(results, 1_500))) == 1_500
    results.close()  # type: ignore[attr-defined]
    assert active(crowd) == 2_000
    outcomes = Counter(result.outcome for result in crowd.tokens.ensure_many(IDS))
    assert outcomes == {Outcome.EXISTING: 2_000, Outcome.ISSUED: 500}


def test_ids_that_fail_to_come(crowd: Portal, state: Callable[[], Any]) -> None:
    """Where the caller's iterable fails, what was yielded before is committed, the rest is not."""

    def broken() -> Iterator[str]:
        yield from IDS[:1_700]
        raise OSError("the file ended")

    seen: list[IssueResult] = []
    with pytest.raises(OSError, match="the file ended"):
        seen.extend(crowd.tokens.ensure_many(broken()))
    assert len(seen) == 1_000
    assert active(crowd) == 1_000
    assert crowd.tokens.get(IDS[1_000]) is None


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
def test_a_storage_that_fails_midway(
    verb: str, crowd: Portal, watched: Any, make_portal: MakePortal
) -> None:
    """A batch that fails leaves nothing; the two before it stay, and a repetition finishes."""
    over, seen = make_portal(watched), list[str]()

    def full() -> None:
        if watched.calls.count("audit.append") == 3:
            raise StorageError("the disk is full")

    watched.before["audit.append"] = full
    with pytest.raises(StorageError, match="disk is full"):
        seen.extend(result.customer_id for result in getattr(over.tokens, verb)(IDS))
    assert seen == IDS[:2_000]
    assert active(crowd) == 2_000
    assert crowd.tokens.get(IDS[2_000]) is None
    del watched.before["audit.append"]
    assert len(list(over.tokens.ensure_many(IDS))) == 2_500
    assert active(crowd) == 2_500


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
@pytest.mark.parametrize("wrong", ["", "C\x00", None, 5, b"C-1001", "x" * 256])
def test_an_id_that_is_none(verb: str, wrong: Any, crowd: Portal) -> None:
    """A wrong id stops the work by name: its batch leaves nothing, the one before it stays."""
    asked, seen = [*IDS[:1_000], "C-1001", wrong, "C-1002"], list[str]()
    with pytest.raises(InvalidValue, match=r"^customer_ids "):
        seen.extend(result.customer_id for result in getattr(crowd.tokens, verb)(asked))
    assert seen == IDS[:1_000]
    assert active(crowd) == 1_000
    assert crowd.tokens.get("C-1001") is None


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
@pytest.mark.parametrize("wrong", ["C-1001", b"C-1001", None, 5])
def test_ids_must_come_in_an_iterable(verb: str, wrong: Any, portal: Portal) -> None:
    """A bare id, which would go letter by letter, and what is no iterable are refused at once."""
    with pytest.raises(InvalidValue) as caught:
        getattr(portal.tokens, verb)(wrong)
    rule = "must be an iterable of ids, such as a list"
    assert str(caught.value) == f"customer_ids {rule}, not {wrong!r}"
    assert caught.value.field == "customer_ids"
    for right in (["C-1001"], ("C-1001",), {"C-1001"}, {"C-1001": 1}, iter(["C-1001"])):
        assert [one.customer_id for one in getattr(portal.tokens, verb)(right)] == ["C-1001"]
    assert list(getattr(portal.tokens, verb)([])) == []


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
def test_the_gate_closes_midway(verb: str, crowd: Portal, make_portal: MakePortal) -> None:
    """Where the feature is switched off while it works, the next batch is refused."""
    switch = {"on": True}
    gated = make_portal(feature_enabled=lambda: switch["on"])
    results = getattr(gated.tokens, verb)(IDS)
    assert next(results).outcome is Outcome.ISSUED
    switch["on"] = False
    with pytest.raises(PortalNotAvailable):
        list(results)
    assert active(crowd) == 1_000


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
def test_refused_before_anything_is_iterated(verb: str, make_portal: MakePortal) -> None:
    """Edition and names are looked at when it is called, not when it is iterated."""
    with pytest.raises(PortalNotAvailable):
        getattr(make_portal(edition=Edition.DESKTOP).tokens, verb)(["C-1001"])


def test_all_of_a_batch_expire_by_the_settings(crowd: Portal, clock: FrozenClock) -> None:
    """The days of the settings hold for tokens issued in bulk, read anew for every batch."""
    crowd.settings.save(PortalConfig(enabled=True, token_expiry_days=5))
    results = crowd.tokens.ensure_many(IDS[:1_001])
    first = next(results)
    crowd.settings.save(PortalConfig(enabled=True, token_expiry_days=6))
    *_, last = results
    assert first.token
    assert last.token
    assert first.token.expires_at == clock.now + timedelta(days=5)
    assert last.token.expires_at == clock.now + timedelta(days=6)


def test_revoke_all_ends_every_token(
    crowd: Portal, clock: FrozenClock, trail: Callable[[], Any], text_of: Callable[..., str]
) -> None:
    """Over 1,000 tokens, expired ones too, end with who and why; repeating it does nothing."""
    crowd.tokens.generate("C-1001", days=1)
    clock.advance(days=1)
    list(crowd.tokens.ensure_many(IDS))
    crowd.tokens.revoke(IDS[0], by="bo", reason="before")
    before = len(trail())
    assert crowd.tokens.revoke_all(by="ana", reason="laptop stolen") == 2_500
    entries = trail()[before:]
    assert {(e.event, e.cause, e.by, e.detail) for e in entries} == {
        ("ended", "revoked", "ana", "laptop stolen")
    }
    assert {entry.customer_id for entry in entries} == {"C-1001", *IDS[1:]}
    assert len(entries) == 2_500
    counts = {status: crowd.tokens.count(status) for status in TokenStatus}
    assert counts == {"active": 0, "expired": 0, "revoked": 2_501, "replaced": 0}
    assert crowd.tokens.revoke_all(by="ana", reason="laptop stolen") == 0
    assert len(trail()) == before + 2_500
    first = crowd.tokens.get(IDS[0])
    assert first
    assert (first.ended_by, first.reason) == ("bo", "before")


def test_revoke_all_passes_each_customer_once(
    crowd: Portal, watched: Any, make_portal: MakePortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches, each locked; who is given a new link meanwhile keeps it."""
    monkeypatch.setattr("basis_portal.tokens.BATCH", 2)
    list(crowd.tokens.ensure_many(IDS[:5]))

    def colleague() -> None:
        if watched.calls.count("tokens.current_page") == 2:
            crowd.tokens.generate(IDS[0])

    watched.before["tokens.current_page"] = colleague
    assert make_portal(watched).tokens.revoke_all() == 5
    assert active(crowd) == 1
    pages = [
        (given["after"], given["limit"])
        for call, given in zip(watched.calls, watched.given, strict=True)
        if call == "tokens.current_page"
    ]
    assert pages == [(None, 2), (IDS[1], 2), (IDS[3], 2), (IDS[4], 2)]
    assert watched.locks == [IDS[:2], IDS[2:4], IDS[4:5]]


@pytest.mark.parametrize("verb", ["ensure_many", "regenerate_many"])
def test_a_batch_locks_those_who_may_get_one(
    verb: str, portal: Portal, watched: Any, make_portal: MakePortal
) -> None:
    """Each once and nobody else; where there is nobody, nothing is begun."""
    many = getattr(make_portal(watched).tokens, verb)
    list(many(["C-1002", "C-1003", "C-1001", "C-9999", "C-1002"]))
    assert watched.locks == [["C-1002", "C-1001"]]
    list(many(["C-1003", "C-9999"]))
    assert len(watched.locks) == 1


def test_the_way_back_from_revoke_all(crowd: Portal) -> None:
    """After `revoke_all` no `ensure_many` gives access again; `regenerate_many` does."""
    list(crowd.tokens.ensure_many(IDS[:3]))
    crowd.tokens.revoke_all()
    skipped = [result.why for result in crowd.tokens.ensure_many(IDS[:3])]
    assert skipped == [Skipped.REVOKED] * 3
    issued = [result.outcome for result in crowd.tokens.regenerate_many(IDS[:3])]
    assert issued == [Outcome.ISSUED] * 3


def test_a_wrong_answer_of_the_host_gives_nobody_access(
    portal: Portal, make_portal: MakePortal
) -> None:
    """Where the host hands out another customer than asked for, the id counts as unknown."""

    class Confused:
        def get_many(self, customer_ids: Any) -> dict[str, Customer]:
            return {one: Customer("C-1002", "Teh Melati") for one in customer_ids}

    confused = make_portal(customers=Confused())
    results = list(confused.tokens.ensure_many(["C-1001", "C-1002"]))
    assert [(one.why, one.customer and one.customer.id) for one in results] == [
        (Skipped.UNKNOWN, None),
        (None, "C-1002"),
    ]
    assert portal.tokens.get("C-1001") is None
