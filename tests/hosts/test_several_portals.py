"""Several portals in one process: the pages, links and forms of each are its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.hosts.visitor import Visitor, form_with, texts
from tests.hosts.worlds import (
    CUSTOMERS,
    FEW,
    KEY,
    ORIGIN,
    World,
    customer_round,
    make_world,
    staff_round,
)
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from basis_portal.domain.url_keys import key_of
from basis_portal.web import Theme, create_app, customer_app, staff_app

OTHER_KEY = "another secret for tests alone, of 32 bytes"
NORD, SUED = "Nordlicht Kaffee GmbH", "Südwind Tee AG"


@attrs.define
class Two:
    """Two sellers with customers of the same ids, and a visitor of both."""

    nord: World
    sued: World
    visitor: Visitor


@pytest.fixture(params=["one key", "two keys"])
def two(request: pytest.FixtureRequest, make_storage: Callable[..., Any], tmp_path: Path) -> Two:
    """Two portals as tenants of one database, with the same secret key or each with its own."""
    logo = tmp_path / "logo.svg"
    logo.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    nord = make_world(
        f"{ORIGIN}/nord/portal",
        storage=make_storage("sqlite", tenant="nord"),
        seller=NORD,
        theme=Theme(colour="#1f5673", logo=logo),
        ids=FEW,
    )
    sued = make_world(
        f"{ORIGIN}/sued/portal",
        storage=make_storage("sqlite", tenant="sued"),
        seller=SUED,
        theme=Theme(colour="#7a1f3d"),
        key=KEY if request.param == "one key" else OTHER_KEY,
        ids=FEW,
    )
    mounts = {}
    for path, world, name in (("/nord", nord, "ana"), ("/sued", sued, "eva")):
        mounts[f"{path}/portal"] = customer_app(world.portal, **world.given)
        mounts[f"{path}/settings/portal"] = staff_app(
            world.portal, authorize=lambda _, name=name: name, **world.given
        )
    return Two(nord, sued, Visitor(DispatcherMiddleware(Response("The ERP."), mounts)))


def test_all_pages_are_right(two: Two) -> None:
    """Both portals are whole, and no page of one names the other or leads there."""
    for own, name, other in ((two.nord, "ana", SUED), (two.sued, "eva", NORD)):
        customer_round(two.visitor, own)
        staff_round(two.visitor, own, name=name)
        seen = two.visitor.walk(own.link, below=own.portal.base_url)
        seen |= two.visitor.walk(f"{own.staff}/tokens", below=own.staff, leaves=[CUSTOMERS])
        assert not [text for text in texts(seen) if other in text]


def test_links_open_nothing_elsewhere(two: Two) -> None:
    """A link under the other's address is refused word for word as one that never was."""
    for one, other in ((two.nord, two.sued), (two.sued, two.nord)):
        text = one.link.removeprefix(one.portal.base_url)
        wrong = two.visitor.open(f"{other.portal.base_url}/{'x' * 66}")
        for below in ("", "/invoices", "/messages", f"/document/{key_of('K#1')}"):
            page = two.visitor.open(f"{other.portal.base_url}{text}{below}")
            assert (page.status, page.body) == (403, wrong.body)
        assert two.visitor.open(one.link).status == 200


def test_forms_are_taken_nowhere_else(two: Two) -> None:
    """The values of one portal's forms are refused by the other's, for customers and staff."""
    ask, before = two.visitor, two.sued.portal.settings.get()
    written = form_with(ask.open(f"{two.sued.link}/messages"), "text")
    value = form_with(ask.open(f"{two.nord.link}/messages"), "text").fields["form"]
    assert ask.submit(written, text="Forged.", form=value).status == 403
    assert not two.sued.portal.messages.list().items
    assert ask.submit(written, text="Mine.").status == 200
    assert not two.nord.portal.messages.list().items

    settings = form_with(ask.open(f"{two.sued.staff}/"), "version")
    value = form_with(ask.open(f"{two.nord.staff}/"), "version").fields["form"]
    assert ask.submit(settings, token_expiry_days="45", form=value).status == 403
    assert two.sued.portal.settings.get() == before
    assert ask.submit(settings, token_expiry_days="45").status == 200
    assert two.nord.portal.settings.get().config.token_expiry_days == 30


def test_forms_of_one_name_in_two_portals(make_storage: Callable[..., Any]) -> None:
    """Whoever is staff of two portals, by one name and key, has forms of two kinds."""
    worlds = [
        make_world(storage=make_storage("sqlite", tenant=tenant), ids=()) for tenant in ("a", "b")
    ]
    visitors = [
        Visitor(create_app(world.portal, authorize=lambda _: "ana", **world.given))
        for world in worlds
    ]
    forms = [
        form_with(visitor.open(f"{world.staff}/"), "version")
        for visitor, world in zip(visitors, worlds, strict=True)
    ]
    assert forms[0].fields["form"] != forms[1].fields["form"]
    assert visitors[1].submit(forms[0]).status == 403
    assert visitors[1].submit(forms[1]).status == 200


def test_colours_and_logos(two: Two) -> None:
    """Each serves its own colour and logo; where there is none, there is no address for it."""
    ask = two.visitor
    colours = [ask.open(f"{one.portal.base_url}/theme.css").text for one in (two.nord, two.sued)]
    assert "#1f5673" in colours[0]
    assert "#7a1f3d" in colours[1]
    assert (
        ask.open(f"{two.nord.portal.base_url}/logo").headers["Content-Type"].startswith("image/svg")
    )
    assert ask.open(f"{two.sued.portal.base_url}/logo").status == 403


def test_at_the_same_time(two: Two) -> None:
    """Answers that are made side by side in threads are those that are made one by one."""
    pages = ("", "/invoices", "/statement", "/nowhere")
    addresses = [f"{world.link}{page}" for page in pages for world in (two.nord, two.sued)] * 20
    alone = {address: two.visitor.open(address).body for address in addresses}
    assert len(set(alone.values())) == len(alone)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda address: two.visitor.open(address).body, addresses))
    assert found == [alone[address] for address in addresses]
