"""The demo's outbox: what is e-mailed stands there, safely, and nothing else does."""

from __future__ import annotations

import datetime as dt
import re
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest

pytest.importorskip("flask")

from tests.web.conftest import Page, Visitor
from tests.web.reading import links, words

from basis_portal import Portal, PortalConfig
from basis_portal.demo.outbox import OUTBOX_PATH
from basis_portal.demo.seller import KOPI, SELLER, STAFF
from basis_portal.demo.serve import Place, Scene, demo_app, invented_scene
from basis_portal.mail import OutboxTransport
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web.headers import security_headers

MARKUP = '<script>alert(1)</script> http://127.0.0.1:8641/portal/x"onclick="y &amp;'


@attrs.define
class Stage:
    """A demo without its server.

    Attributes:
        scene: what is shown.
        place: where.
        client: asks it.
    """

    scene: Scene
    place: Place
    client: Visitor

    @property
    def portal(self) -> Portal:
        """Its portal."""
        return self.scene.portal

    def look(self) -> str:
        """The page of the outbox."""
        answer = self.client.get(OUTBOX_PATH)
        assert answer.status_code == 200
        return answer.text

    def subjects(self) -> list[str]:
        """What stands there, from top to bottom."""
        return re.findall(r"<h2>(.*?)</h2>", self.look())

    def write(self, text: str) -> None:
        """Send a message as Kopi Nusantara does."""
        link = self.portal.tokens.link(KOPI, by=STAFF)
        self.portal.open(link.rsplit("/", 1)[1]).send_message(text)


@pytest.fixture
def clock() -> FrozenClock:
    """The clock of the demo."""
    return FrozenClock(dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC))


@pytest.fixture
def stage(tmp_path: Path, clock: FrozenClock) -> Stage:
    """The demo of the invented seller."""
    place = Place("http://127.0.0.1:8641", OutboxTransport(tmp_path / "outbox"))
    scene = invented_scene(InMemoryStorage(), clock, place, today=True)
    return Stage(scene, place, Visitor(demo_app(scene, place)))


def test_two_links_were_sent_before(stage: Stage) -> None:
    """One works, one has expired since; the newer one is on top."""
    seen = words(stage.look())
    assert seen.index("Hello Kopi Nusantara,") < seen.index("Hello Torrefazione Aurora,")
    working, expired = (
        urlsplit(to).path for said, to in links(stage.look()).items() if "/portal/" in said
    )
    assert stage.client.get(working).status_code == 200
    denied = stage.client.get(expired)
    assert denied.status_code == 403
    assert "E-mail me a new link" in denied.text
    assert stage.portal.mailing.last_sent([KOPI])[KOPI].status == "sent"


def test_notices_are_there_when_one_looks(stage: Stage, clock: FrozenClock) -> None:
    """What a customer writes and staff answer: one e-mail each, however often one looks."""
    before = stage.subjects()
    clock.advance(minutes=1)
    stage.write("May we pay in two parts?")
    assert stage.place.outbox.messages()[-1]["Subject"] in before  # nothing happens by itself
    assert stage.subjects() == ["Kopi Nusantara wrote to you", *before]
    clock.advance(minutes=1)
    stage.portal.messages.reply(KOPI, "Yes, that is fine.", by=STAFF)
    answered, wrote, *rest = stage.subjects()
    assert answered == f"{SELLER.name} has answered you"
    assert [wrote, *rest] == ["Kopi Nusantara wrote to you", *before]
    assert stage.subjects() == [answered, wrote, *rest]
    seen = words(stage.look())
    assert "To ana@nordlicht.example" in seen
    assert "May we pay in two parts?" in seen
    assert "Yes, that is fine." in seen
    (page,) = (to for said, to in links(stage.look()).items() if "/settings/portal/" in said)
    assert "May we pay in two parts?" in words(stage.client.get(urlsplit(page).path).text)


def test_what_waits_is_said(stage: Stage) -> None:
    """While the portal is off nothing is sent, and the page says so."""
    assert "E-mails that wait" not in words(stage.look())
    stage.write("Hello")
    on = stage.portal.settings.get().config
    stage.portal.settings.save(PortalConfig())
    assert "E-mails that wait: 1." in words(stage.look())
    stage.portal.settings.save(on)
    assert "E-mails that wait" not in words(stage.look())


def test_a_hostile_text_stays_text(stage: Stage) -> None:
    """What a customer wrote runs nothing and makes no address but one of the demo."""
    stage.write(MARKUP)
    page = stage.look()
    assert "<script" not in page
    assert 'onclick="y' not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    hrefs = Page(OUTBOX_PATH, page).hrefs
    assert {urlsplit(one).netloc for one in hrefs} <= {"", "127.0.0.1:8641"}
    newest = f"{OUTBOX_PATH}/{stage.place.outbox.files()[-1].stem}.html"
    assert newest in hrefs
    html = stage.client.get(newest).text
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_each_is_shown_as_html_and_as_a_file(stage: Stage) -> None:
    """The HTML part with a policy that lets styles in and nothing else; the file byte by byte."""
    page = stage.look()
    files = {path.stem: path.read_bytes() for path in stage.place.outbox.files()}
    assert len(files) == 2
    for name, content in files.items():
        parsed = message_from_bytes(content, policy=policy.default)
        html = stage.client.get(f"{OUTBOX_PATH}/{name}.html")
        assert f"{OUTBOX_PATH}/{name}.html" in page
        assert html.text == parsed.get_body(("html",)).get_content()  # type: ignore[union-attr]
        expected = {
            **security_headers(https=False, scripts=False),
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        }
        assert {one: html.headers[one] for one in expected} == expected
        file = stage.client.get(f"{OUTBOX_PATH}/{name}.eml")
        assert f"{OUTBOX_PATH}/{name}.eml" in page
        assert file.data == content
        assert file.mimetype == "message/rfc822"
        assert file.headers["Content-Disposition"] == f"attachment; filename={name}.eml"


@pytest.mark.sampled
@pytest.mark.parametrize(
    "path", ["/none.eml", "/none.html", "/..%2Fportal.eml", "/../secret.eml", "/x/y.eml", "/x"]
)
def test_only_what_is_there_is_shown(stage: Stage, path: str) -> None:
    """No other file, whatever the address says."""
    (stage.place.outbox.folder.parent / "secret.eml").write_text("secret")
    (stage.place.outbox.folder.parent / "portal.eml").write_text("secret")
    answer = stage.client.get(OUTBOX_PATH + path)
    assert (answer.status_code, answer.text) == (404, "Not Found.\n")
    for name, value in security_headers(https=False, scripts=False).items():
        assert answer.headers[name] == value


def test_a_folder_that_is_gone_is_a_fault(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Told with a reference; what could not be written waits."""
    stage.look()
    stage.write("Hello")
    for path in stage.place.outbox.files():
        path.unlink()
    stage.place.outbox.folder.rmdir()
    stage.place.outbox.folder.write_text("not a folder")
    answer = stage.client.get(OUTBOX_PATH)
    assert answer.status_code == 500
    assert answer.text.startswith("Something went wrong. Reference: ")
    assert answer.text.split()[-1] in caplog.text
    assert stage.portal.mailing.report().queued == 1
