"""Tokens of many customers: generate what is missing, revoke all, and give new ones after that."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

pytest.importorskip("flask")

from tests.conftest import Watched
from tests.web.conftest import Failing
from tests.web.desk import Desk, Form
from tests.web.token_pages import XSS, desk_at, latest, portal_over
from werkzeug.test import Client

from basis_portal import (
    Customer,
    Edition,
    EndedAs,
    InvalidValue,
    Portal,
    StorageError,
    TokenStatus,
)
from basis_portal.demo import seller as demo
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock

State = Callable[[], dict[str, Any]]
MISSING, ALL, AGAIN = "/generate-missing", "/revoke-all", "/issue-again"
GENERATE, REVOKE = "Generate missing tokens", "Revoke all tokens"
ISSUE = "Issue new tokens to these customers"
LEAK = {"reason": "the mail server was broken into", "confirm": "REVOKE"}


@pytest.fixture(autouse=True)
def _few_invoices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer who buys almost daily takes a second to make, and is not looked at here."""
    monkeypatch.setattr(demo, "LONG", demo.DOZEN)


@pytest.fixture
def ana(client: Client) -> Desk:
    """A member of staff."""
    return Desk(client)


@pytest.fixture
def ben(client: Client) -> Desk:
    """Another one."""
    return Desk(client, "Ben")


def block(portal: Portal, storage: InMemoryStorage, customer_id: str) -> None:
    """Give a customer no access, in the host."""
    customer = portal.customers.get(customer_id)
    assert customer
    storage.customers.save(attrs.evolve(customer, blocked=True))


def statuses(portal: Portal) -> dict[str, str]:
    """How each customer's latest token stands, by customer id."""
    found = portal.tokens.list(limit=200)
    return {one.customer_id: one.status_at(portal.now()).value for one in found}


# --- generate what is missing -----------------------------------------------------------------


def test_missing_tokens_are_generated_after_a_question(
    ana: Desk, portal: Portal, storage: InMemoryStorage
) -> None:
    """Who has none, or an expired one, gets one; who was revoked or is blocked does not."""
    storage.customers.save(Customer("N-1", "None 1"), Customer("N-2", "None 2", blocked=True))
    before = statuses(portal)
    ask = ana.open(ana.open("/tokens?q=a").links()["Generate missing tokens..."])
    assert ask.heading == ask.title == "Generate missing tokens"
    assert (
        "Generate a token for every customer who has none or whose token has expired? Customers "
        "whose token staff revoked, and blocked ones, are left out. Nothing is e-mailed."
    ) in ask.text
    assert ask.links()["Cancel"] == "/settings/portal/tokens?q=a"
    assert statuses(portal) == before
    page = ana.do(ask.form(GENERATE))
    words = (
        "3 tokens generated, 1 customer left out (revoked), 1 customer left out (blocked), "
        "1 has no e-mail address."
    )
    assert page.status_line == words
    assert page.title == "3 tokens generated - Portal Access Tokens"
    new = {"N-1": "active", demo.BEAN_THERE: "active", demo.AURORA: "active"}
    assert statuses(portal) == {**before, **new}
    assert latest(portal, "N-1").issued_by == "ana"


PLACES = ["q=kopi", "status=expired", "status=active&after=x"]


@pytest.mark.parametrize("place", PLACES)
def test_search_filter_and_page_are_kept(place: str, ana: Desk) -> None:
    """Both pages lead back to where staff were, by Back, by Cancel and after a refusal."""
    back = f"/settings/portal/tokens?{place}"
    for address, button in ((f"{MISSING}?{place}", GENERATE), (f"{ALL}?{place}", REVOKE)):
        page = ana.open(address)
        for shown in (page, ana.send(page.form(button), form="stale")):
            assert shown.links()["Cancel"] == shown.links()["Portal Access Tokens"] == back
    wrong = ana.send(ana.open(f"{ALL}?{place}").form(REVOKE), reason="")
    assert wrong.status == 400
    assert wrong.links()["Cancel"] == wrong.links()["Portal Access Tokens"] == back


def test_the_list_names_its_place(ana: Desk) -> None:
    """What leads away from a list that is searched or filtered takes that along."""
    for place in ("q=kopi", "status=active"):
        links = ana.open(f"/tokens?{place}").links()
        for words in ("Generate missing tokens...", "Check a link", "Revoke all tokens..."):
            assert links[words].endswith(f"?{place}"), words


def test_after_the_act_the_place_is_kept(ana: Desk, portal: Portal) -> None:
    """The result is told where staff were; new tokens can be issued, and it is kept then too."""
    done = ana.send(ana.open(f"{MISSING}?q=kopi").form(GENERATE))
    assert parse_qs(urlsplit(done.location or "").query)["q"] == ["kopi"]
    page = ana.do(ana.open(f"{ALL}?q=kopi").form(REVOKE), **LEAK)
    assert page.links()["Not now"] == "/settings/portal/tokens?q=kopi"
    assert page.links()["Portal Access Tokens"] == "/settings/portal/tokens?q=kopi"
    stale = ana.send(page.form(ISSUE), form="stale")
    assert stale.links()["Not now"] == "/settings/portal/tokens?q=kopi"
    issued = ana.send(stale.form(ISSUE))
    assert parse_qs(urlsplit(issued.location or "").query)["q"] == ["kopi"]
    nothing = ana.do(page.form(ISSUE))
    assert nothing.form("Filter").fields["q"] == "kopi"
    portal.tokens.revoke_all()
    left = ana.open(f"{ALL}?q=kopi")
    assert left.links()["Portal Access Tokens"] == "/settings/portal/tokens?q=kopi"


def test_a_double_click_generates_nothing_twice(ana: Desk, portal: Portal) -> None:
    """Sent again the form issues nothing: everybody has a token by now."""
    form = ana.open(MISSING).form(GENERATE)
    ana.do(form)
    tokens = {one.id for one in portal.tokens.list(limit=200)}
    page = ana.do(form)
    assert page.status_line == "0 tokens generated, 1 customer left out (revoked)."
    assert {one.id for one in portal.tokens.list(limit=200)} == tokens


def test_all_customers_are_gone_through(storage: InMemoryStorage, clock: FrozenClock) -> None:
    """However many pages of customers the host has, all of them get a token."""
    storage.customers.save(*(Customer(f"K-{n}", f"K {n}") for n in range(450)))
    portal = portal_over(storage, clock)
    desk = desk_at(portal)
    page = desk.do(desk.open(MISSING).form(GENERATE))
    assert page.status_line == "450 tokens generated, 450 have no e-mail address."
    assert portal.tokens.count(TokenStatus.ACTIVE) == 450


def test_a_failure_on_the_way_is_not_called_nothing(
    storage: InMemoryStorage,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the storage fails after some tokens the page says how many; pressing again goes on."""
    monkeypatch.setattr("basis_portal.tokens.BATCH", 10)
    storage.customers.save(*(Customer(f"K-{n:02}", f"K {n:02}") for n in range(25)))
    failing = FailsAfter(storage, 2)
    desk = desk_at(portal_over(failing, clock))
    stopped = desk.send(desk.open(MISSING).form(GENERATE))
    assert stopped.status == 503
    assert stopped.alert.startswith(
        "Something went wrong on our side after 20 tokens were generated. "
        "Press the button again to go on. Reference, to be found in the log: "
    )
    assert f"fault {stopped.alert.rsplit(maxsplit=1)[1]} on page generate_missing" in caplog.text
    failing.left = 10
    assert desk.do(stopped.form(GENERATE)).status_line == (
        "5 tokens generated, 5 have no e-mail address."
    )
    failing.left = 0
    storage.customers.save(Customer("L-1", "L"))
    nothing = desk.send(stopped.form(GENERATE))
    assert nothing.status == 503
    assert "Nothing was changed." in nothing.text
    assert nothing.form(GENERATE)


@pytest.mark.parametrize(
    "error", [RuntimeError("the ERP is gone"), InvalidValue.of("Customer.name", "", "is empty")]
)
def test_a_host_that_fails_on_the_way(
    error: Exception,
    storage: InMemoryStorage,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the list of customers raises, it is told how many got a token before."""
    monkeypatch.setattr("basis_portal.tokens.BATCH", 200)
    storage.customers.save(*(Customer(f"K-{n:03}", f"K {n:03}") for n in range(250)))
    watched: Any = Watched(storage)
    desk = desk_at(portal_over(watched, clock))
    form, pages = desk.open(MISSING).form(GENERATE), iter(range(2))

    def fail() -> None:
        if next(pages):
            raise error

    watched.before["customers.search"] = fail
    stopped = desk.send(form)
    assert stopped.status == 500
    assert "after 200 tokens were generated. Press the button again to go on." in stopped.alert
    assert f"fault {stopped.alert.rsplit(maxsplit=1)[1]} on page generate_missing" in caplog.text
    assert str(error) in caplog.text
    del watched.before["customers.search"]
    assert desk.do(stopped.form(GENERATE)).status_line == (
        "50 tokens generated, 50 have no e-mail address."
    )


def test_where_the_page_fails_as_well(
    storage: InMemoryStorage, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of the fault does not say that nothing was changed, either."""
    monkeypatch.setattr("basis_portal.tokens.BATCH", 10)
    storage.customers.save(*(Customer(f"K-{n:02}", f"K {n:02}") for n in range(25)))
    watched: Any = Watched(storage)
    desk = desk_at(portal_over(watched, clock))
    form, batches = desk.open(MISSING).form(GENERATE), iter(range(9))

    def fail() -> None:
        if next(batches):
            watched.before["settings.get"] = fail
            raise StorageError("the disk is gone")

    watched.before["tokens.add"] = fail
    stopped = desk.send(form)
    assert stopped.status == 503
    assert "after 10 tokens were generated. Press the button again to go on." in stopped.text
    assert "Reference, to be found in the log: " in stopped.text
    assert "Nothing was changed" not in stopped.text


def test_a_gate_that_closes_on_the_way(
    storage: InMemoryStorage, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """That the portal is not available any more is said as everywhere, and is no fault."""
    storage.customers.save(*(Customer(f"K-{n}", f"K {n}") for n in range(250)))
    watched: Any = Watched(storage)
    gate = [True]
    desk = desk_at(portal_over(watched, clock, feature_enabled=lambda: gate[0]))
    forms = [desk.open(MISSING).form(GENERATE)]
    watched.after["customers.search"] = lambda: gate.__setitem__(0, False)
    page = desk.send(forms[0])
    assert page.status == 403
    assert "Something went wrong" not in page.text
    assert caplog.text == ""


class FailsAfter:
    """A storage that can be written so many times more.

    Attributes:
        left: how often.
    """

    def __init__(self, inner: Any, left: int) -> None:
        self.inner, self.left = inner, left

    def __getattr__(self, name: str) -> Any:
        """The inner storage's own."""
        return getattr(self.inner, name)

    def transact(self, work: Any, *, lock: Any = ()) -> Any:
        """The inner storage's own, until none is left."""
        if not self.left:
            raise StorageError("disk full")
        self.left -= 1
        return self.inner.transact(work, lock=lock)


# --- revoke all -------------------------------------------------------------------------------


def test_revoke_all_asks_for_a_reason_and_a_word(ana: Desk, portal: Portal) -> None:
    """The page counts what will end; it is done with a reason and the word alone."""
    page = ana.open(ana.open("/tokens").links()["Revoke all tokens..."])
    assert page.heading == page.title == "Revoke all tokens"
    assert "6 tokens, 5 of them active." in page.text
    assert "Type REVOKE to confirm" in page.text
    assert page.links()["Cancel"] == "/settings/portal/tokens"
    done = ana.do(page.form(REVOKE), **LEAK)
    assert done.status_line == "6 links revoked. They show 'Access denied' from now on."
    assert done.title == "6 links revoked - Revoke all tokens"
    assert set(statuses(portal).values()) == {"revoked"}
    token = latest(portal)
    assert (token.ended_by, token.reason) == ("ana", LEAK["reason"])
    assert latest(portal, demo.HARBOUR).reason == "Their bookkeeper has left"
    assert done.form(ISSUE)
    assert "There is no token to revoke." in ana.open(ALL).text


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        (
            {"reason": "", "confirm": ""},
            ["Please give a reason.", "Please type REVOKE to confirm."],
        ),
        ({"reason": "  ", "confirm": "REVOKE"}, ["Please give a reason."]),
        ({"reason": "leak", "confirm": "revoke"}, ["Please type REVOKE to confirm."]),
        ({"reason": f"leak {XSS}", "confirm": XSS}, ["Please type REVOKE to confirm."]),
        (
            {"reason": "x" * 501, "confirm": "REVOKE"},
            ["The reason has 501 characters. The limit is 500."],
        ),
    ],
)
def test_what_is_to_be_corrected(
    typed: dict[str, str], errors: list[str], ana: Desk, state: State
) -> None:
    """Everything wrong is told on top and at its field; what was typed is kept, nothing revoked."""
    before = state()
    page = ana.send(ana.open(ALL).form(REVOKE), **typed)
    assert page.status == 400
    number = "1 thing" if len(errors) == 1 else "2 things"
    assert page.alert == " ".join([f"{number} to correct", *errors])
    assert page.title == f"{number} to correct - Revoke all tokens"
    fields = page.form(REVOKE).fields
    assert {name: fields[name] for name in typed} == typed
    for word in errors:
        assert page.text.count(word) == 2
    assert "<script>alert" not in page.html
    assert state() == before


def test_the_word_may_have_space_around_it(ana: Desk, portal: Portal) -> None:
    """A word pasted with a space is the word."""
    ana.do(ana.open(ALL).form(REVOKE), reason="leak", confirm=" REVOKE\r\n")
    assert not latest(portal).is_current


@pytest.mark.parametrize("closed", [{"edition": Edition.DESKTOP}, {"feature_enabled": False}])
def test_revoke_all_works_whatever_the_edition(
    closed: dict[str, Any], portal: Portal, storage: InMemoryStorage, clock: FrozenClock
) -> None:
    """Where edition or feature gives no portal all links can be revoked, for good."""
    desk = desk_at(portal_over(storage, clock, **closed))
    page = desk.open(desk.open("/tokens").links()["Revoke all tokens..."])
    assert "Every link stops working for good, at once" in page.text
    assert desk.send(page.form(REVOKE), reason="", confirm="REVOKE").status == 400
    done = desk.send(page.form(REVOKE), **LEAK)
    assert done.status == 200
    assert done.status_line == "6 links revoked. They show 'Access denied' from now on."
    assert set(statuses(portal).values()) == {"revoked"}
    assert desk.open(MISSING).status == 403
    shown = desk.open(f"{ALL}?done=revoked&since=0&until=9&mark={'0' * 16}")
    assert (shown.status, shown.heading) == (200, REVOKE)
    assert shown.status_line is None
    assert ISSUE not in shown.text


def test_a_failure_while_revoking(portal: Portal, clock: FrozenClock) -> None:
    """Where the storage fails the page says that links may still work, and keeps what was typed."""
    storage = Failing(portal._context.storage)
    desk = desk_at(portal_over(storage, clock))
    form = desk.open(ALL).form(REVOKE)
    storage.error, storage.only = (lambda: StorageError("disk full")), "transact"
    page = desk.send(form, **LEAK)
    assert page.status == 503
    assert page.alert == (
        "The storage failed. Some links may still work: press the button once more."
    )
    storage.error = None
    done = desk.do(page.form(REVOKE))
    assert done.status_line == "6 links revoked. They show 'Access denied' from now on."
    assert latest(portal).reason == LEAK["reason"]


# --- new tokens after that --------------------------------------------------------------------


def test_new_tokens_go_to_those_of_the_act(
    ana: Desk, portal: Portal, storage: InMemoryStorage, clock: FrozenClock
) -> None:
    """Who was revoked by the act gets a new token; who was revoked for another reason does not."""
    block(portal, storage, demo.ATHENS)
    portal.tokens.revoke(demo.MUELLER, by="ana", reason="left the company")
    clock.advance(seconds=1)
    done = ana.do(ana.open(ALL).form(REVOKE), **LEAK)
    assert "Customers whose link was revoked for another reason are left out" in done.text
    clock.advance(hours=5)
    assert set(statuses(portal).values()) == {"revoked"}
    page = ana.do(done.form(ISSUE))
    assert page.heading == "Portal Access Tokens"
    assert page.status_line == (
        "4 tokens generated, 1 customer left out (blocked), 1 has no e-mail address."
    )
    assert statuses(portal) == {
        demo.KOPI: "active",
        demo.AURORA: "active",
        demo.LUMIERE: "active",
        demo.HAFENKONTOR: "active",
        demo.MUELLER: "revoked",
        demo.HARBOUR: "revoked",
        demo.ATHENS: "revoked",
    }


@pytest.mark.parametrize(
    ("by", "reason", "minutes", "again"),
    [
        ("ana", LEAK["reason"], -11, False),  # before the form was shown
        ("ana", LEAK["reason"], 30, False),  # after the act was done
        ("ana", "another reason", 0, False),
        ("Ben", LEAK["reason"], 0, False),
        ("ana", LEAK["reason"], 0, True),  # the act itself, and what cannot be told from it
    ],
)
def test_whom_the_act_did_not_revoke(
    by: str,
    reason: str,
    minutes: int,
    again: bool,
    ana: Desk,
    portal: Portal,
    clock: FrozenClock,
) -> None:
    """Another time, another reason or another hand is another act: its customers get nothing."""
    clock.advance(minutes=min(minutes, 0))
    if minutes <= 0:
        portal.tokens.revoke(demo.KOPI, by=by, reason=reason)
    clock.advance(minutes=-min(minutes, 0))
    done = ana.do(ana.open(ALL).form(REVOKE), **LEAK)
    if minutes > 0:
        clock.advance(minutes=minutes)
        portal.tokens.generate(demo.KOPI, by="ana")
        portal.tokens.revoke(demo.KOPI, by=by, reason=reason)
    ana.do(done.form(ISSUE))
    assert latest(portal, demo.MUELLER).is_current
    assert latest(portal).is_current is again


def test_the_time_of_the_form_is_not_trusted_beyond_minutes(
    ana: Desk, portal: Portal, clock: FrozenClock
) -> None:
    """A form that lay open over night reaches ten minutes back, not to the evening before."""
    form = ana.open(ALL).form(REVOKE)
    clock.advance(hours=10)
    portal.tokens.revoke(demo.KOPI, by="ana", reason=LEAK["reason"])
    clock.advance(minutes=11)
    done = ana.do(form, **LEAK)
    ana.do(done.form(ISSUE))
    assert latest(portal).ended_as is EndedAs.REVOKED
    assert latest(portal, demo.MUELLER).is_current


@pytest.mark.parametrize("seen", ["", "x", "-1", "9" * 17, "9" * 30, "<b>"])
def test_a_form_without_its_time(seen: str, ana: Desk, portal: Portal) -> None:
    """Where the form does not tell when it was shown the act begins when it is done."""
    done = ana.do(ana.open(ALL).form(REVOKE), **LEAK, seen=seen)
    assert done.status_line == "6 links revoked. They show 'Access denied' from now on."
    ana.do(done.form(ISSUE))
    assert latest(portal).is_current


def test_a_double_click_still_names_all(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """Of a form that is sent twice the second answer names what the first revoked."""
    form = ana.open(ALL).form(REVOKE)
    clock.advance(minutes=1)
    ana.do(form, **LEAK)
    clock.advance(seconds=2)
    second = ana.do(form, **LEAK)
    assert second.status_line == "6 links revoked. They show 'Access denied' from now on."
    clock.advance(minutes=1)
    page = ana.do(second.form(ISSUE))
    assert page.status_line == "6 tokens generated, 1 has no e-mail address."
    tokens = {one.id for one in portal.tokens.list(limit=200)}
    again = ana.do(second.form(ISSUE))
    assert again.status_line == "0 tokens generated."
    assert {one.id for one in portal.tokens.list(limit=200)} == tokens


def test_a_link_a_colleague_made_meanwhile_stays(ana: Desk, ben: Desk, portal: Portal) -> None:
    """Who got a new token by hand since the act keeps it."""
    done = ana.do(ana.open(ALL).form(REVOKE), **LEAK)
    token = portal.tokens.generate(demo.KOPI, by="Ben")
    page = ana.do(done.form(ISSUE))
    assert page.status_line == "5 tokens generated, 1 has no e-mail address."
    assert latest(portal) == token


def test_the_page_can_be_opened_later(ana: Desk, ben: Desk, portal: Portal) -> None:
    """The address of the answer holds no text; it serves later, and a colleague as well."""
    answer = ana.send(ana.open(ALL).form(REVOKE), **LEAK)
    assert answer.location
    query = parse_qs(urlsplit(answer.location).query)
    assert query["done"] == ["revoked"]
    assert all(re.fullmatch("[0-9]{16}", query[name][0]) for name in ("since", "until"))
    assert re.fullmatch("[0-9a-f]{16}", query["mark"][0])
    assert set(query) == {"done", "since", "until", "mark"}
    ben.do(ben.open(answer.location).form(ISSUE))
    assert latest(portal).issued_by == "Ben"
    page = ana.open(answer.location)
    assert page.status_line == (
        "No link is left that this revoked: there was none, or new ones have been issued."
    )
    assert ISSUE not in page.text


@pytest.mark.parametrize(
    "change",
    [{"since": "x"}, {"until": ""}, {"mark": None}, {"mark": "0" * 15}, {"since": "9" * 18}],
)
def test_what_names_no_act(
    change: dict[str, str | None], ana: Desk, portal: Portal, state: State
) -> None:
    """A form that names no act issues nothing; an address that names none shows the question."""
    done = ana.do(ana.open(ALL).form(REVOKE), **LEAK)
    before = state()
    assert ana.send(done.form(ISSUE), **change).status == 404
    assert state() == before
    page = ana.open(
        ALL, query_string={"done": "revoked", **{k: v or "" for k, v in change.items()}}
    )
    assert page.status_line is None


def test_an_act_that_was_none(ana: Desk, portal: Portal, state: State) -> None:
    """An act that nobody did has no customers."""
    before = state()
    act = {"since": "0", "until": "9" * 16, "mark": "0" * 16}
    page = ana.open(ALL, query_string={"done": "revoked", **act})
    assert ISSUE not in page.text
    value = ana.open(MISSING).form(GENERATE).fields["form"]
    answer = ana.open(AGAIN, "POST", data={"form": value, **act})
    assert answer.location == (
        "/settings/portal/tokens?done=issued&issued=0&revoked=0&blocked=0&bare=0"
    )
    assert state() == before


def test_issuing_that_stops_goes_on(
    storage: InMemoryStorage, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the storage fails on the way the page says so; pressing again issues the rest."""
    monkeypatch.setattr("basis_portal.web.staff.acts.PAGE", 10)
    storage.customers.save(*(Customer(f"K-{n:02}", f"K {n:02}") for n in range(25)))
    failing = FailsAfter(storage, 10)
    portal = portal_over(failing, clock)
    desk = desk_at(portal)
    desk.do(desk.open(MISSING).form(GENERATE))
    done = desk.do(desk.open(ALL).form(REVOKE), **LEAK)
    failing.left = 2
    stopped = desk.send(done.form(ISSUE))
    assert stopped.status == 503
    assert "after 20 tokens were generated. Press the button again" in stopped.alert
    failing.left = 0
    assert desk.send(stopped.form(ISSUE)).status == 503
    failing.left = 5
    assert desk.do(stopped.form(ISSUE)).status_line == (
        "5 tokens generated, 5 have no e-mail address."
    )
    assert portal.tokens.count(TokenStatus.ACTIVE) == 25


# --- forms from elsewhere, and those who may only look ----------------------------------------


def forms_of(desk: Desk) -> dict[str, Form]:
    """The three forms, each ready to be sent."""
    missing, revoke = desk.open(MISSING).form(GENERATE), desk.open(ALL).form(REVOKE)
    revoke.fields |= LEAK
    act = {"since": "0", "until": "9" * 16, "mark": "0" * 16}
    again = Form("post", f"/settings/portal{AGAIN}", {"form": missing.fields["form"], **act})
    return {MISSING: missing, ALL: revoke, AGAIN: again}


@pytest.mark.parametrize("which", [MISSING, ALL, AGAIN])
@pytest.mark.parametrize("value", [None, "", "x", "of Ben"])
def test_a_form_value_that_does_not_verify(
    value: str | None, which: str, ana: Desk, ben: Desk, state: State
) -> None:
    """Without the value, or with that of somebody else, nothing is done, and nothing is lost."""
    form = forms_of(ana)[which]
    given = forms_of(ben)[which].fields["form"] if value == "of Ben" else value
    before = state()
    page = ana.send(form, form=given)
    assert page.status == 403
    assert page.alert.endswith("once more.")
    if which == ALL:
        again = page.form(REVOKE)
        assert {**again.fields, "form": given} == {**form.fields, "form": given}
    assert state() == before


@pytest.mark.parametrize("which", [MISSING, ALL, AGAIN])
def test_a_form_of_another_site_or_of_a_reader(
    which: str, ana: Desk, client: Client, state: State
) -> None:
    """What comes from another site, or from who may only look, is refused."""
    form = forms_of(ana)[which]
    before = state()
    assert ana.send(form, {"Sec-Fetch-Site": "cross-site"}).status == 403
    reader = Desk(client, "reader")
    assert reader.send(form).status == 403
    if which != AGAIN:
        assert reader.open(which).status == 403
    assert state() == before


def test_questions_change_nothing(ana: Desk, state: State) -> None:
    """To be asked changes no row."""
    before = state()
    for page in (
        MISSING,
        ALL,
        f"{ALL}?done=revoked&since=0&until=9999999999999999&mark={'0' * 16}",
    ):
        for method in ("GET", "HEAD"):
            assert ana.open(page, method).status == 200
    assert ana.open(AGAIN).status == 405
    assert state() == before
