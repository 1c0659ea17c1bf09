"""No `repr`, text, pickle, error or log record shows a link's text or a secret key."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from basis_portal import (
    AccessDenied,
    AccessRevoked,
    ActiveTokenExists,
    CustomerBlocked,
    CustomerNotFound,
    DocumentKind,
    DocumentNotFound,
    Edition,
    InvalidValue,
    LedgerError,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
    NoActiveToken,
    NoMailAddress,
    Portal,
    PortalConfig,
    PortalError,
    PortalNotAvailable,
    SectionHidden,
    SettingsConflict,
    StorageError,
    StoredSettings,
    TokenChanged,
    TooManyMails,
    TooManyMessages,
    errors,
)
from basis_portal.links import LinkSigner
from basis_portal.testing.builders import NOW, a_token
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
Tells = Callable[[BaseException], str]
TextOf = Callable[..., str]

KEY = "a third secret for tests, 32 bytes and more"
OTHER_KEY = "another secret for tests, 32 bytes and more"


RAISED: set[type[PortalError]] = {
    AccessDenied,
    AccessRevoked,
    ActiveTokenExists,
    CustomerBlocked,
    CustomerNotFound,
    DocumentNotFound,
    InvalidValue,
    NoActiveToken,
    PortalNotAvailable,
    SectionHidden,
    SettingsConflict,
    StorageError,
    TokenChanged,
}


class _Story:
    """Walks through the use cases, good and refused, and keeps what they gave and raised."""

    def __init__(self, portal: Portal, text_of: TextOf) -> None:
        self.portal, self.text_of = portal, text_of
        self.texts: list[str] = []
        self.given: list[Any] = []
        self.raised: list[PortalError] = []

    def link(self, customer_id: str = "C-1001") -> str:
        """A link's text, which from now on must not be seen anywhere."""
        self.texts.append(self.text_of(self.portal, customer_id))
        return self.texts[-1]

    def does(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do something and keep what it gives or raises."""
        try:
            result = act(*args, **kwargs)
        except PortalError as error:
            self.raised.append(error)
            return None
        self.given += [result, *([] if isinstance(result, str) else _parts(result))]
        return result


def _parts(result: Any) -> list[Any]:
    return list(result) if isinstance(result, Iterator | tuple | list) else []


@pytest.fixture
def story(portal: Portal, watched: Any, make_portal: MakePortal, text_of: TextOf) -> _Story:
    """A story over the watched storage, with two keys."""
    return _Story(make_portal(watched, secret_keys=[OTHER_KEY, KEY]), text_of)


def tell(story: _Story, clock: FrozenClock, watched: Any, make_portal: MakePortal) -> None:
    """All use cases, each way they can go."""
    does, tokens = story.does, story.portal.tokens
    first = does(tokens.generate, "C-1001", by="ana")
    text = story.link()
    access = does(story.portal.open, text)
    for act in (access.sections, access.welcome_message, access.summary):
        does(act)
    does(access.documents, DocumentKind.SALES_INVOICE)
    does(access.document, text)
    does(access.statement)
    does(access.send_message, f"my link is {text}")
    does(story.portal.preview, "C-1001", by="ana")
    for customer_id in ("C-1001", "C-1003", "C-9999", "", text + "\0"):
        does(tokens.generate, customer_id)
    does(tokens.regenerate, "C-1001", if_current=text)
    does(tokens.generate, "C-1002", by="\n")
    for pasted in (text, f"https://erp.example.com/portal/{text}?a=b", text[:-1], "x"):
        does(tokens.check, pasted)
    does(tokens.history, "C-1001")
    does(tokens.list)
    does(tokens.last_opened, [first.id])
    does(story.portal.open, text[:-1] + ("A" if text[-1] != "A" else "B"))
    does(tokens.regenerate, "C-1001")
    does(tokens.regenerate, "C-1001", if_current=first.id)
    replaced, text = text, story.link()
    does(story.portal.open, replaced)
    does(tokens.revoke, "C-1001", reason="sold")
    does(story.portal.open, text)
    does(access.sections)
    for act in (tokens.ensure, tokens.link, tokens.get):
        does(act, "C-1001")
    does(tokens.ensure_many, ["C-1001", "C-1002", "C-1003"])
    text = story.link("C-1002")
    does(story.portal.settings.save, PortalConfig(), if_version=0)
    does(story.portal.messages.list)
    does(story.portal.audit.list)
    clock.advance(days=31)
    does(story.portal.open, text)
    does(tokens.regenerate_many, ["C-1001", "C-1002"])
    text = story.link("C-1002")
    _fail_everywhere(story, watched, text)
    for change in ({"edition": Edition.DESKTOP}, {"feature_enabled": _fails}, {"clock": _fails}):
        closed = make_portal(watched, secret_keys=[OTHER_KEY, KEY], **change)
        for act in (closed.open, closed.tokens.check, closed.tokens.get):
            does(act, text)
        does(closed.tokens.generate, "C-1002")
    does(story.portal.privacy.export, "C-1001")
    does(story.portal.privacy.erase, "C-1001")
    does(tokens.revoke_all)


def _fail_everywhere(story: _Story, watched: Any, text: str) -> None:
    """The storage fails while a link is read, noted, made and checked."""
    watched.before.update(dict.fromkeys(("opening", "audit.append", "tokens.get"), _storage_fails))
    story.does(story.portal.open, text)
    story.does(story.portal.tokens.check, text)
    story.does(story.portal.tokens.regenerate, "C-1001")
    story.does(story.portal.tokens.link, "C-1002")
    del watched.before["opening"]
    story.does(story.portal.open, text)
    watched.before.clear()


def _fails() -> Any:
    raise RuntimeError("the host failed")


def _storage_fails() -> None:
    raise StorageError("the disk is full") from OSError(28, "No space left on device")


def test_the_secrets_are_seen_nowhere(
    story: _Story,
    clock: FrozenClock,
    watched: Any,
    make_portal: MakePortal,
    tells: Tells,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing that use cases give, raise or log holds a link's text, its signature or a key."""
    caplog.set_level(logging.DEBUG)
    tell(story, clock, watched, make_portal)
    parts = [text.split(".")[1] for text in story.texts]
    secrets = [*story.texts, *parts, KEY, OTHER_KEY]
    assert len(story.texts) == 4
    assert {type(error) for error in story.raised} == RAISED
    shown = [f"{one!r} {one!s}" for one in story.given] + [tells(one) for one in story.raised]
    assert not [text for text in shown if any(secret in text for secret in secrets)]
    assert any(secret in f"{story.texts[0]!r}" for secret in secrets)


def test_log_records_show_no_more_than_eight_characters(
    story: _Story,
    clock: FrozenClock,
    watched: Any,
    make_portal: MakePortal,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Logs name a token by the first 8 characters of its id, and hold no text and no key."""
    caplog.set_level(logging.DEBUG)
    tell(story, clock, watched, make_portal)
    write = logging.Formatter("%(name)s %(levelname)s %(message)s").format
    lines = [f"{write(record)} {record.__dict__!r}" for record in caplog.records]
    secrets = [text[:9] for text in story.texts] + [text[-43:] for text in story.texts]
    assert not [line for line in lines for one in (*secrets, KEY, OTHER_KEY) if one in line]
    for said in ("revoked", "replaced", "expired", "unreadable", "the feature gate failed"):
        assert any(said in line for line in lines), said
    assert any(f"revoked, token {story.texts[1][:8]}" in line for line in lines)
    assert any("could not be written" in line and "disk is full" in line for line in lines)


def test_pickles_hold_no_secret(story: _Story, clock: FrozenClock, watched: Any) -> None:
    """What can be pickled holds no link and no key; portals, accesses and signers cannot be."""
    story.portal.tokens.generate("C-1001")
    token, text = story.portal.tokens.get("C-1001"), story.link()
    pickled = pickle.dumps([token, story.portal.tokens.check(text), story.portal.audit.list()])
    assert text.split(".")[0].encode() in pickled
    for secret in (text, text.split(".")[1], KEY, OTHER_KEY):
        assert secret.encode() not in pickled
    access = story.portal.open(text)
    assert access.expires_at == NOW + timedelta(days=30)
    unpicklable = (access, LinkSigner([KEY], "default"), story.portal, story.portal._context)
    for one in unpicklable:
        for attempt in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError) as caught:
                attempt(one)
            assert KEY not in str(caught.value)


def test_a_signer_is_not_pickled_with_a_portal(portal: Portal, secret_key: str) -> None:
    """Where all else of a portal could be pickled, its signers still refuse, and say why."""
    for signer in (portal._context.links, portal.forms):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(signer)
        name = type(signer).__name__
        assert str(caught.value) == f"{name} holds secret keys and is not pickled"
        assert secret_key not in repr(signer)


def test_reprs_say_what_can_be_said(portal: Portal, text_of: TextOf) -> None:
    """The reprs of a portal, an access and a token help without telling what opens a link."""
    token = portal.tokens.generate("C-1001")
    text = text_of(portal)
    access = portal.open(text)
    assert repr(portal) == "<Portal at https://erp.example.com/portal of tenant 'default'>"
    assert repr(access) == "<PortalAccess of customer 'C-1001'>"
    assert f"id={token.id[:8]}, " in repr(token)
    assert token.id not in repr(token) + repr(portal._context)
    assert "links" not in repr(portal._context)


EVIDENCE: list[PortalError] = [
    PortalError("all"),
    InvalidValue("days must be whole", field="days"),
    InvalidValue.of("days", 0, "must be a whole number from 1 to 365"),
    CustomerNotFound("nobody", customer_id="C-9"),
    CustomerBlocked("blocked", customer_id="C-9"),
    PortalNotAvailable(),
    PortalNotAvailable("needs the server edition"),
    AccessDenied(),
    AccessRevoked("revoked", customer_id="C-9"),
    ActiveTokenExists("there is one", token=a_token()),
    NoActiveToken("none", customer_id="C-9"),
    TokenChanged("changed", token=a_token()),
    TokenChanged("changed", token=None),
    SettingsConflict("stale", current=StoredSettings(PortalConfig(enabled=True), 3, NOW, "ana")),
    SectionHidden("hidden", section="statement"),
    DocumentNotFound(),
    TooManyMessages("wait", retry_at=NOW),
    TooManyMails("wait", retry_at=NOW),
    NoMailAddress("none", customer_id="C-9"),
    MailError("not written"),
    MailRefused("no such user", code=550),
    MailRefused("busy", code=451, temporary=True),
    MailServerUnavailable("down"),
    MailOutcomeUnknown("cut"),
    LedgerError("wrong", ids=["E-1", "E-2"]),
    StorageError("full"),
]


@pytest.mark.parametrize("error", EVIDENCE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
def test_errors_survive_pickling(error: PortalError, again: Callable[[Any], Any]) -> None:
    """An error that crosses a process keeps its class, its text and its evidence."""
    found = again(error)
    assert type(found) is type(error)
    assert (str(found), found.args, vars(found)) == (str(error), error.args, vars(error))


def test_every_error_is_pickled_here() -> None:
    """The table above holds every error class of the library."""
    classes = {one for one in vars(errors).values() if isinstance(one, type)}
    known = {one for one in classes if issubclass(one, PortalError)}
    assert {type(error) for error in EVIDENCE} == known
