"""The portal as a host makes it: its arguments, its gate, and what stays open when it is closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from tests.depth import label

from basis_portal import (
    AccessDenied,
    AllocationRule,
    Customer,
    CustomerBlocked,
    CustomerNotFound,
    DocumentVisibility,
    Edition,
    InvalidValue,
    Portal,
    PortalConfig,
    PortalNotAvailable,
    TokenStatus,
)
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
State = Callable[[], dict[str, Any]]
TextOf = Callable[..., str]


# --- arguments


@pytest.mark.parametrize(
    "base_url",
    [
        "https://erp.example.com",
        "https://erp.example.com/",
        "https://erp.example.com/portal",
        "https://erp.example.com:8443/a/b/",
        "HTTPS://ERP.example.com/portal",
        "https://xn--bcher-kva.example/portal",
        "https://[2001:db8::1]/portal",
        "http://localhost",
        "http://localhost:8000/portal/",
        "http://127.0.0.1:5000/portal",
        "http://[::1]:5000",
    ],
)
@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_links_begin_with_the_base_url(
    base_url: str, portal: Portal, make_portal: MakePortal
) -> None:
    """With https anywhere, http on loopback: a link is the address, one slash and the text."""
    there = make_portal(base_url=base_url)
    portal.tokens.generate("C-1001")
    link = there.tokens.link("C-1001")
    text = link.removeprefix(base_url.rstrip("/") + "/")
    assert len(text) == 66
    assert portal.open(text).customer.id == "C-1001"


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "/portal",
        "erp.example.com/portal",
        "//erp.example.com/portal",
        "http://erp.example.com/portal",
        "http://localhost.example.com/portal",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0:8000",
        "http://128.0.0.1",
        "ftp://erp.example.com",
        "javascript:alert(1)",
        "https://",
        "https:///portal",
        "https://:8000/portal",
        "https://ana:secret@erp.example.com/portal",
        "https://@erp.example.com/portal",
        "https://erp.example.com/portal?a=b",
        "https://erp.example.com/portal?",
        "https://erp.example.com/portal#",
        "https://erp.example.com:port/portal",
        "https://erp.example.com:99999/portal",
        "https://[2001:db8::1/portal",
        "https://erp.example.com/my portal",
        "https://erp.example.com/portal\n",
        "\thttps://erp.example.com/portal",
        "https://erp.example.com/p\x00",
        "https://bücher.example/portal",
        'https://erp.example.com/"><script>',
        "https://erp.example.com\\@evil.example",
        None,
        5,
        b"https://erp.example.com/portal",
        ["https://erp.example.com/portal"],
    ],
)
@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_wrong_base_urls_are_refused(base_url: Any, make_portal: MakePortal) -> None:
    """No host, no https, a query, a user, or what breaks out of an address: refused by name."""
    with pytest.raises(InvalidValue, match=r"^base_url must be ") as caught:
        make_portal(base_url=base_url)
    assert caught.value.field == "base_url"


class Nothing:
    """No storage of customers, documents or ledger: what a host keeps elsewhere."""

    def __init__(self, inner: Any) -> None:
        self.tenant, self.settings = inner.tenant, inner.settings


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"edition": "server"}, "edition must be one of Edition.DESKTOP, "),
    ({"edition": None}, "edition must be one of Edition.DESKTOP"),
    ({"feature_enabled": 1}, "feature_enabled must be a bool, not 1"),
    ({"feature_enabled": None}, "feature_enabled must be a bool, not None"),
    ({"clock": None}, "clock must be a callable giving an aware datetime, not None"),
    ({"clock": "now"}, "clock must be a callable giving an aware datetime, not 'now'"),
    ({"timezone": "Berlin"}, "timezone must be an IANA time zone"),
    ({"timezone": ""}, "timezone must be an IANA time zone"),
    ({"timezone": None}, "timezone must be an IANA time zone"),
    ({"timezone": "../../etc/passwd"}, "timezone must be an IANA time zone"),
    ({"timezone": "Europe/\ud800"}, "timezone must be an IANA time zone"),
    ({"timezone": dt.UTC}, "timezone must be an IANA time zone"),
    ({"visibility": "all"}, "visibility must be a DocumentVisibility, not 'all'"),
    ({"visibility": DocumentVisibility}, "visibility must be a DocumentVisibility"),
    ({"allocation_rule": "fifo"}, "allocation_rule must be one of AllocationRule."),
    ({"aging_edges": []}, "aging_edges"),
    ({"aging_edges": [30, 30]}, "aging_edges"),
    ({"aging_edges": 30}, "aging_edges"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=label)
@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_wrong_arguments_are_refused(
    given: dict[str, Any], message: str, make_portal: MakePortal
) -> None:
    """What breaks a rule of the constructor is refused by name, before anything is used."""
    with pytest.raises(InvalidValue) as caught:
        make_portal(**given)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["customers", "documents", "ledger"])
def test_what_a_storage_does_not_keep_must_be_given(
    name: str, storage: Any, make_portal: MakePortal
) -> None:
    """With a storage of state alone the host gives its own three repositories."""
    given = {one: getattr(storage, one) for one in ("customers", "documents", "ledger")}
    assert make_portal(Nothing(storage), **given).customers is storage.customers
    del given[name]
    with pytest.raises(InvalidValue, match=f"^{name} must be given") as caught:
        make_portal(Nothing(storage), **given)
    assert caught.value.field == name


def test_the_repositories_in_use(storage: Any, make_portal: MakePortal) -> None:
    """A host's repositories stand before the storage's own."""
    other = InMemoryStorage()
    own, given = make_portal(), make_portal(customers=other.customers, ledger=other.ledger)
    assert (own.customers, own.documents, own.ledger) == (
        storage.customers,
        storage.documents,
        storage.ledger,
    )
    assert given.customers is other.customers
    assert given.documents is storage.documents
    assert given.ledger is other.ledger


@pytest.mark.parametrize(
    ("timezone", "day"),
    [("UTC", "2025-01-15"), ("Asia/Jakarta", "2025-01-16"), ("America/New_York", "2025-01-15")],
)
def test_today_is_the_sellers_date(
    timezone: str, day: str, make_portal: MakePortal, clock: FrozenClock
) -> None:
    """At 20:00 UTC it is tomorrow already in Jakarta."""
    clock.set(dt.datetime(2025, 1, 15, 20, 0, tzinfo=dt.UTC))
    assert make_portal(timezone=timezone).today() == dt.date.fromisoformat(day)


def test_a_portal_as_the_design_writes_it(storage: Any, secret_key: str) -> None:
    """Storage, keys and address are enough: server edition, feature on, the machine's clock."""
    storage.customers.save(Customer(id="C-1001", name="Kopi Nusantara"))
    portal = Portal(storage, secret_keys=[secret_key], base_url="https://erp.example.com/portal")
    portal.settings.save(PortalConfig(enabled=True))
    token = portal.tokens.generate("C-1001")
    assert abs(token.issued_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert portal.open(portal.tokens.link("C-1001").rsplit("/", 1)[1]).customer.id == "C-1001"


def test_every_argument_at_once(storage: Any, make_portal: MakePortal) -> None:
    """All arguments may be given, callables for edition and feature."""
    portal = make_portal(
        edition=lambda: Edition.CLOUD,
        feature_enabled=lambda: True,
        timezone="Europe/Berlin",
        customers=storage.customers,
        documents=storage.documents,
        ledger=storage.ledger,
        visibility=DocumentVisibility(),
        allocation_rule=AllocationRule.FIFO,
        aging_edges=(7, 14),
    )
    assert portal.settings.get().version == 0


# --- the gate


def _fails() -> Any:
    raise RuntimeError("the licence server is down")


CLOSED: dict[str, dict[str, Any]] = {
    "desktop": {"edition": Edition.DESKTOP},
    "desktop, asked": {"edition": lambda: Edition.DESKTOP},
    "feature off": {"feature_enabled": False},
    "feature off, asked": {"feature_enabled": lambda: False},
    "edition fails": {"edition": _fails},
    "feature fails": {"feature_enabled": _fails},
    "edition is text": {"edition": lambda: "server"},
    "edition is None": {"edition": lambda: None},
    "feature is 1": {"feature_enabled": lambda: 1},
    "feature is text": {"feature_enabled": lambda: "yes"},
}
MANAGEMENT: dict[str, Callable[[Portal], object]] = {
    "generate": lambda p: p.tokens.generate("C-1001"),
    "regenerate": lambda p: p.tokens.regenerate("C-1001"),
    "ensure": lambda p: p.tokens.ensure("C-1001"),
    "link": lambda p: p.tokens.link("C-1001"),
    "get": lambda p: p.tokens.get("C-1001"),
    "latest": lambda p: p.tokens.latest(["C-1001"]),
    "ensure_many": lambda p: p.tokens.ensure_many(["C-1001"]),
    "regenerate_many": lambda p: p.tokens.regenerate_many(["C-1001"]),
    "list": lambda p: p.tokens.list(),
    "count": lambda p: p.tokens.count(TokenStatus.ACTIVE),
    "history": lambda p: p.tokens.history("C-1001"),
    "last_opened": lambda p: p.tokens.last_opened([]),
    "check": lambda p: p.tokens.check("x"),
    "settings.get": lambda p: p.settings.get(),
    "settings.save": lambda p: p.settings.save(PortalConfig()),
    "messages.list": lambda p: p.messages.list(),
    "unread_count": lambda p: p.messages.unread_count(),
    "thread": lambda p: p.messages.thread("C-1001"),
    "notes": lambda p: p.messages.notes("C-1001"),
    "reply": lambda p: p.messages.reply("C-1001", "Hello"),
    "note": lambda p: p.messages.note("C-1001", "Hello"),
    "mark_read": lambda p: p.messages.mark_read("C-1001"),
    "audit": lambda p: p.audit.list(),
    "preview": lambda p: p.preview("C-1001"),
    "open": lambda p: p.open("x"),
}


@pytest.mark.parametrize("closed", CLOSED.values(), ids=CLOSED)
def test_a_closed_gate(
    closed: dict[str, Any],
    portal: Portal,
    make_portal: MakePortal,
    watched: Any,
    state: State,
    text_of: TextOf,
) -> None:
    """Where edition or feature give no portal nothing is managed, shown or read."""
    portal.tokens.generate("C-1001")
    text = text_of(portal)
    before = state()
    off = make_portal(watched, **closed)
    opening: Callable[[Portal], object] = lambda p: p.open(text)  # noqa: E731
    for act in (*MANAGEMENT.values(), opening):
        with pytest.raises(PortalNotAvailable, match="Portal not available"):
            act(off)
    assert watched.calls == []
    assert state() == before


@pytest.mark.parametrize("closed", CLOSED.values(), ids=CLOSED)
def test_what_works_with_the_gate_closed(
    closed: dict[str, Any], portal: Portal, make_portal: MakePortal
) -> None:
    """Revoke, revoke_all, export and erase work always."""
    for customer_id in ("C-1001", "C-1002"):
        portal.tokens.generate(customer_id)
    off = make_portal(**closed)
    ended = off.tokens.revoke("C-1001")
    assert ended
    assert not ended.is_current
    assert off.tokens.revoke_all() == 1
    assert len(off.privacy.export("C-1001")["tokens"]) == 1
    assert off.privacy.erase("C-1001").startswith("erased-")


@pytest.mark.parametrize("act", MANAGEMENT.values(), ids=MANAGEMENT)
def test_the_gate_open(act: Callable[[Portal], object], portal: Portal) -> None:
    """With the server edition and the feature on each of them does its work."""
    portal.tokens.ensure("C-1001")
    if act in (MANAGEMENT["generate"], MANAGEMENT["open"]):
        portal.tokens.revoke("C-1001")
    if act is MANAGEMENT["open"]:
        with pytest.raises(AccessDenied):
            act(portal)
    else:
        act(portal)


@pytest.mark.parametrize("why", [*CLOSED, None])
def test_what_closes_the_gate_is_told(why: str | None, make_portal: MakePortal) -> None:
    """Staff are told whether it is the edition or the feature; the edition where it is both."""
    closed = CLOSED[why] if why else {}
    cause = next(iter(closed), "").removesuffix("_enabled") or None
    assert make_portal(**closed).unavailable_because() == cause
    if closed:
        both = {"edition": Edition.DESKTOP, "feature_enabled": False, **closed}
        assert make_portal(**both).unavailable_because() == "edition"


def test_a_failing_gate_is_logged(
    make_portal: MakePortal, portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    """A gate that fails counts as closed, and the log has the reason."""
    with pytest.raises(PortalNotAvailable) as caught:
        make_portal(edition=_fails).tokens.list()
    assert "licence" not in str(caught.value)
    assert "the feature gate failed and counts as closed" in caplog.text
    assert "the licence server is down" in caplog.text


def test_the_gate_is_asked_at_each_use(
    portal: Portal, make_portal: MakePortal, text_of: TextOf
) -> None:
    """A callable is read each time: closed and opened again, links and access follow at once."""
    gate: dict[str, Any] = {"edition": Edition.CLOUD, "on": True}
    gated = make_portal(edition=lambda: gate["edition"], feature_enabled=lambda: gate["on"])
    portal.tokens.generate("C-1001")
    text = text_of(portal)
    access = gated.open(text)
    for key, closed in (("edition", Edition.DESKTOP), ("on", False)):
        before, gate[key] = gate[key], closed
        for act in (lambda: gated.open(text), access.sections, gated.tokens.list):
            with pytest.raises(PortalNotAvailable):
                act()
        gate[key] = before
        assert gated.open(text).sections() == access.sections()


# --- preview


def test_a_preview(portal: Portal, make_portal: MakePortal, state: State) -> None:
    """Staff see what the customer would see: without a token, also with the portal off."""
    portal.settings.save(PortalConfig())
    preview = portal.preview("C-1001", by="ana")
    assert preview.is_preview
    assert preview.expires_at is None
    assert preview.customer.name == "Kopi Nusantara"
    assert state()["tokens"]["C-1001"] == []
    before = state()
    for customer_id, error in (("C-1003", CustomerBlocked), ("C-9999", CustomerNotFound)):
        with pytest.raises(error, match=customer_id):
            portal.preview(customer_id)
    assert state() == before


def test_a_preview_of_a_confused_host(make_portal: MakePortal, state: State) -> None:
    """Where the host hands out another customer than asked for, that one is not shown."""

    class Confused:
        def get(self, customer_id: str) -> Customer:
            return Customer("C-1002", "Teh Melati")

    confused, before = make_portal(customers=Confused()), state()
    with pytest.raises(CustomerNotFound):
        confused.preview("C-1001")
    assert state() == before
    assert confused.preview("C-1002").customer.id == "C-1002"


@pytest.mark.parametrize("answer", ["C-1001", b"C-1001", {"id": "C-1001"}])
def test_what_is_no_customer_is_none(portal: Portal, make_portal: MakePortal, answer: Any) -> None:
    """A host that answers with something else than a customer has none of this id."""

    class Careless:
        """A host's customers that are none."""

        def get(self, customer_id: str) -> Any:
            """The wrong answer."""
            return answer

    careless = make_portal(customers=Careless())
    for verb in (careless.tokens.generate, careless.preview):
        with pytest.raises(CustomerNotFound, match="C-1001"):
            verb("C-1001")
    assert portal.tokens.generate("C-1001").customer_id == "C-1001"
