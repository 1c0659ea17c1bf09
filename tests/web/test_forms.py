"""Forms: what did not come from a page of ours, shown to whoever sends it, changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.web.conftest import (
    BASE_URL,
    SELLER,
    STAFF_PATH,
    Form,
    Page,
    Visitor,
    authorize,
    crawl,
    rows_of,
)
from tests.web.test_headers import header_faults
from werkzeug.test import Client, TestResponse

from basis_portal import Portal
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.links import FormSigner, LinkSigner
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import create_app

OLD, KEY, NEW = (f"a key of the tests of the forms, the {one}" for one in ("old", "one", "new"))
TYPED = {
    "text": "Typed, kept: <b> & ü.",
    "welcome_message": "Typed, kept: <b> & ü.",
    "reason": "Typed, kept: <b> & ü.",
    "confirm": "REVOKE",
}
ASKS_AGAIN = re.compile(
    "once more|load the page again|noch einmal|laden Sie die Seite neu", re.IGNORECASE
)


class World:
    """The invented seller anew: nothing was changed in it yet.

    Attributes:
        storage: where everything is.
        portal: the portal.
        app: both apps.
        client: whoever asks.
    """

    def __init__(self, clock: FrozenClock, *keys: str) -> None:
        self.storage = InMemoryStorage()
        demo.make_seller(self.storage, clock, base_url=BASE_URL, invoices=60)
        self._clock = clock
        self.use(*(keys or [KEY]))

    def use(self, *keys: str) -> None:
        """Go on under these keys."""
        self._links = LinkSigner(keys, "default")
        self.portal = Portal(self.storage, secret_keys=keys, base_url=BASE_URL, clock=self._clock)
        self.app: Any = create_app(self.portal, authorize=authorize, seller=SELLER)
        self.client = Visitor(self.app)

    def link(self, customer_id: str) -> str:
        """The path of a customer's link; that it is made here is not audited."""
        return f"/portal/{self._links.sign(self.token_id(customer_id))}"

    @property
    def kopi(self) -> str:
        """The path of Kopi Nusantara's link."""
        return self.link(demo.KOPI)

    @property
    def rows(self) -> dict[str, Any]:
        """Every row."""
        return rows_of(self.storage)

    def token_id(self, customer_id: str) -> str:
        """The id of a customer's latest token."""
        token = self.portal.tokens.get(customer_id)
        assert token is not None
        return token.id


@pytest.fixture
def world(clock: FrozenClock) -> World:
    """The seller's world."""
    return World(clock)


# --- finding and sending forms ----------------------------------------------------------------


def is_staffs(form: Form) -> bool:
    """True for a form of the staff's pages."""
    return form.action.startswith(STAFF_PATH)


def kind_of(app: Any, form: Form) -> tuple[Any, ...]:
    """What tells one form from another: where it is sent, and what with."""
    staff = is_staffs(form)
    inner, root = (app._staff, STAFF_PATH) if staff else (app._customers, "/portal")
    path = form.action.removeprefix(root).partition("?")[0]
    endpoint, _ = inner.url_map.bind("").match(path, method="POST")
    names = tuple(sorted(name for name, _ in form.fields))
    return (staff, endpoint, names, dict(form.fields).get("do"))


def forms_of(answer: TestResponse) -> list[Form]:
    """The forms of a page that are posted."""
    if answer.mimetype != "text/html":
        return []
    page = Page(answer.request.full_path, answer.text)
    return [form for form in page.forms if form.method == "post"]


def pages_with_forms(client: Client, app: Any, starts: list[str]) -> dict[Any, str]:
    """For each kind of form that links lead to, the address of a page that has one.

    Those of previews are left out: they send nothing.
    """
    found: dict[Any, str] = {}
    for start in starts:
        for address, answer in crawl(client, start, **{"X-Staff": "ana"}).items():
            for form in forms_of(answer):
                if "/preview/" not in form.action:
                    found.setdefault(kind_of(app, form), address)
    return found


def filled(world: World, form: Form) -> list[tuple[str, str]]:
    """What a person sends who fills in a form."""
    typed = {**TYPED, "link": BASE_URL.removesuffix("/portal") + world.kopi}
    return [
        (name, typed[name] if name in form.typed and name in typed else value)
        for name, value in form.fields
    ]


def send(world: World, action: str, fields: list[tuple[str, str]], **headers: str) -> TestResponse:
    """Send a form."""
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    answer = world.client.post(action, data=data, headers=headers)
    staff = action.startswith(STAFF_PATH)
    assert not header_faults(list(answer.headers), staff=staff), action
    return answer


def with_value(fields: list[tuple[str, str]], value: str | None) -> list[tuple[str, str]]:
    """The same fields, the hidden value another or, for None, not there."""
    others = [(name, found) for name, found in fields if name != "form"]
    return others if value is None else [("form", value), *others]


def forged(world: World, form: Form) -> Iterator[tuple[str, str | None]]:
    """Hidden values that this form may not have, each with a word for it."""
    good = dict(form.fields)["form"]
    forms = world.portal.forms
    yield from (("none", None), ("empty", ""), ("junk", "x" * 43), ("long", good * 1000))
    yield from (("truncated", good[:-1]), ("longer", good + "A"), ("padded", good + "="))
    yield from (("not ASCII", good[:-1] + "é"), ("spaced", f" {good}"), ("a NUL", f"{good}\0"))
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(good[-1])
    near = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    yield "another spelling of the same bytes", good[:-1] + near
    mine = "ana" if is_staffs(form) else world.token_id(demo.KOPI)
    purpose = "staff" if is_staffs(form) else "message"
    assert good == forms.value(purpose, mine), "the control: this is how it is made"
    others = ["ben", "Ana", "ana ", "", world.token_id(demo.MUELLER), demo.KOPI, "reader"]
    yield from ((f"of {one}", forms.value(purpose, one)) for one in others if one != mine)
    for other in ("message", "staff", "messages", "", "renewal"):
        if other != purpose:
            yield f"for {other}", forms.value(other, mine)
    yield "of another tenant", FormSigner([KEY], "other").value(purpose, mine)
    yield "under another key", FormSigner([OLD], "default").value(purpose, mine)


def refusals(world: World, form: Form) -> int:
    """Send a form in every way that is refused; how many there were. No row changes."""
    fields, before, count = filled(world, form), world.rows, 0
    staff = {"X-Staff": "ana"} if is_staffs(form) else {}
    kept = [TYPED[name] for name in ("text", "welcome_message", "reason") if name in form.typed]
    for word, value in forged(world, form):
        answer = send(world, form.action, with_value(fields, value), **staff)
        what = f"{form.action} {word}: {answer.status}"
        assert answer.status_code == 403, what
        assert ASKS_AGAIN.search(answer.text), what
        again = [dict(one.fields) for one in forms_of(answer)]
        for text in kept:
            assert any(text in one.values() for one in again), f"{what}: the text is lost"
        count += 1
    if is_staffs(form):
        for name, headers in (
            ("another site", {"X-Staff": "ana", "Sec-Fetch-Site": "cross-site"}),
            ("who may only read", {"X-Staff": "reader"}),
            ("another member of staff", {"X-Staff": "ben"}),
            ("nobody", {}),
        ):
            if name == "who may only read":
                fields = with_value(fields, world.portal.forms.value("staff", "reader"))
            answer = send(world, form.action, fields, **headers)
            assert answer.status_code == 403, f"{form.action} by {name}"
            count += 1
    assert world.rows == before, f"{form.action}: something was changed"
    return count


READS_ONLY = {"check_link"}


def acceptance(world: World, form: Form) -> TestResponse:
    """Send a form as its page has it: it is accepted, and something is changed."""
    before = world.rows
    headers = {"X-Staff": "ana", "Sec-Fetch-Site": "same-origin"}
    answer = send(world, form.action, filled(world, form), **headers)
    assert answer.status_code in (200, 303), f"{form.action}: {answer.status}\n{answer.text}"
    assert not ASKS_AGAIN.search(answer.text)
    endpoint = kind_of(world.app, form)[1]
    assert (world.rows == before) is (endpoint in READS_ONLY), f"{form.action}: what changed?"
    if answer.status_code == 303:
        return world.client.get(answer.headers["Location"], headers={"X-Staff": "ana"})
    return answer


# --- the tests ----------------------------------------------------------------------------------


def test_every_form_is_refused_unless_it_comes_from_its_page(clock: FrozenClock) -> None:
    """Each form of both apps: a dozen forged ones change nothing, the good one is accepted."""
    first = World(clock)
    app, kopi = first.app, first.kopi
    pages = pages_with_forms(first.client, app, [kopi, STAFF_PATH])
    tried: set[Any] = set()
    for kind, address in pages.items():
        world = World(clock)
        page = world.client.get(address.replace(kopi, world.kopi), headers={"X-Staff": "ana"})
        ahead = [next(form for form in forms_of(page) if kind_of(app, form) == kind)]
        while ahead:
            form = ahead.pop()
            if kind_of(app, form) in tried:
                continue
            tried.add(kind_of(app, form))
            assert refusals(world, form) > 15
            after = acceptance(world, form)
            # What an action leads to may have a form that no link leads to.
            ahead += [one for one in forms_of(after) if kind_of(app, one) not in {*pages, *tried}]
    sent = {(staff, endpoint) for staff, endpoint, *_ in tried}
    assert sent == rules_for_posts(app) - {
        (False, "link.nowhere"),
        (True, "preview.nowhere"),
        (True, "preview.send_message"),  # see below
        (True, "send_link"),  # stands on no page without a mailer: see test_staff_mail
    }


def rules_for_posts(app: Any) -> set[tuple[bool, str]]:
    """Every route of both apps that takes a form."""
    return {
        (staff, rule.endpoint)
        for staff, inner in ((False, app._customers), (True, app._staff))
        for rule in inner.url_map.iter_rules()
        if "POST" in rule.methods
    }


def test_other_methods_change_nothing(world: World) -> None:
    """Where a form is posted, PUT, DELETE and PATCH with a good one are not allowed."""
    app = world.app
    pages = pages_with_forms(world.client, app, [world.kopi, STAFF_PATH])
    before = world.rows
    for address in set(pages.values()):
        page = world.client.get(address, headers={"X-Staff": "ana"})
        for form in forms_of(page):
            for method in ("PUT", "DELETE", "PATCH", "GET"):
                answer = world.client.open(
                    form.action,
                    method=method,
                    data=dict(filled(world, form)),
                    headers={"X-Staff": "ana"},
                )
                assert answer.status_code == 405 or method == "GET", f"{method} {form.action}"
    after = world.rows
    for name in before.keys() - {"trail", "opened"}:
        assert after[name] == before[name], name


def test_a_preview_sends_nothing(world: World) -> None:
    """Staff who look at a customer's pages cannot write in the customer's name."""
    address = f"{STAFF_PATH}/preview/{key_of(demo.KOPI)}/messages"
    page = world.client.get(address, headers={"X-Staff": "ana"})
    assert page.status_code == 200
    before, forms = world.rows, world.portal.forms
    for value in (
        "",
        forms.value("message", ""),
        forms.value("message", "None"),
        forms.value("message", "ana"),
        forms.value("staff", "ana"),
        forms.value("message", world.token_id(demo.KOPI)),
    ):
        fields = [("form", value), ("text", TYPED["text"]), ("once", "1")]
        answer = send(world, address, fields, **{"X-Staff": "ana"})
        assert answer.status_code == 403
        assert TYPED["text"] in Page(address, answer.text).text  # what was typed is not lost
    assert world.rows == before
    form = forms_of(world.client.get(f"{world.kopi}/messages"))[0]
    assert send(world, form.action, filled(world, form)).status_code == 303


def test_the_form_of_one_link_is_not_accepted_under_another(world: World) -> None:
    """Two customers in one browser: a form sent to the other's address is refused."""
    links = [world.kopi, world.link(demo.MUELLER)]
    forms = [forms_of(world.client.get(f"{one}/messages"))[0] for one in links]
    before = world.rows
    for mine, others in ((0, 1), (1, 0)):
        answer = send(world, forms[others].action, filled(world, forms[mine]))
        assert answer.status_code == 403
        assert ASKS_AGAIN.search(answer.text)
    assert world.rows == before
    for form, customer_id in zip(forms, (demo.KOPI, demo.MUELLER), strict=True):
        assert send(world, form.action, filled(world, form)).status_code == 303
        newest = world.storage.messages.page(customer_id, limit=1)[0]
        assert (newest.text, newest.customer_id) == (TYPED["text"], customer_id)


def test_a_form_of_an_ended_link_is_refused(world: World) -> None:
    """After a revoke the form of a page that is still open is answered as the link is."""
    form = forms_of(world.client.get(f"{world.kopi}/messages"))[0]
    kept = form.action
    world.portal.tokens.regenerate(demo.KOPI, by="ana")
    before = {name: rows for name, rows in world.rows.items() if name != "trail"}
    answer = send(world, kept, filled(world, form))
    assert answer.status_code == 403
    assert TYPED["text"] not in answer.text
    assert "Access denied" in answer.text
    moved = kept.replace(kept.split("/")[2], world.kopi.split("/")[2])
    answer = send(world, moved, filled(world, form))
    assert (answer.status_code, bool(ASKS_AGAIN.search(answer.text))) == (403, True)
    assert before == {name: rows for name, rows in world.rows.items() if name != "trail"}


def test_a_form_sent_twice_makes_one_message(world: World) -> None:
    """A double click, or a reload of the answer, sends nothing a second time."""
    form = forms_of(world.client.get(f"{world.kopi}/messages"))[0]
    assert send(world, form.action, filled(world, form)).status_code == 303
    after = world.rows
    assert send(world, form.action, filled(world, form)).status_code == 303
    assert world.rows == after


# --- rotated keys -------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["kopi", STAFF_PATH])
def test_a_form_outlives_a_new_key_while_its_own_is_listed(clock: FrozenClock, start: str) -> None:
    """A page left open over a rotation is accepted; with its key dropped it comes back whole."""
    world = World(clock, OLD)
    token = world.kopi.split("/")[2]
    headers = {"X-Staff": "ana"}
    address = f"{world.kopi}/messages" if start == "kopi" else f"{start}/"
    form = forms_of(world.client.get(address, headers=headers))[0]

    world.use(KEY, NEW)  # the old one was dropped
    before = world.rows
    form.action = form.action.replace(token, world.kopi.split("/")[2])
    answer = send(world, form.action, filled(world, form), **headers)
    assert answer.status_code == 403
    assert ASKS_AGAIN.search(answer.text)
    assert {k: v for k, v in world.rows.items() if k != "trail"} == {
        k: v for k, v in before.items() if k != "trail"
    }
    again = forms_of(answer)[0]
    assert TYPED["text"] in dict(again.fields).values()
    assert dict(again.fields)["form"] != dict(form.fields)["form"]
    once_more = send(world, again.action, again.fields, **headers)
    assert once_more.status_code == 303, "pressing once more is enough"

    world.use(OLD, KEY, NEW)  # the old one is still listed
    fields = [(n, v if n not in ("once", "version") else "") for n, v in filled(world, form)]
    version = str(world.portal.settings.get().version)
    fields = [(n, version if n == "version" else v) for n, v in fields if n != "welcome_message"]
    assert send(world, form.action, fields, **headers).status_code == 303
