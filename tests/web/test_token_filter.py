"""The filter of log records: whatever is logged in whatever way, no link can be read from it."""

from __future__ import annotations

import base64
import io
import json
import logging
import quopri
import re
import time
from collections.abc import Callable
from hashlib import sha256
from logging.config import DictConfigurator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal.links import LinkSigner
from basis_portal.web import TokenFilter
from basis_portal.web.token_filter import mask

TOKEN = LinkSigner(["k" * 32], "default").sign("Uu63cs-eLH2_cuy86-etbQ")
SIGNATURE = TOKEN.partition(".")[2]
SEEN = "Uu63cs-e..."
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def tokens() -> st.SearchStrategy[str]:
    """Texts of links: ids and signatures as random as they are."""
    signer = LinkSigner(["k" * 32], "default")
    ids = st.integers().map(lambda number: sha256(str(number).encode()).digest()[:16])
    return ids.map(lambda raw: signer.sign(base64.urlsafe_b64encode(raw).decode().rstrip("=")))


@st.composite
def spelled(draw: st.DrawFn, token: str) -> str:
    """A token, some of whose characters are percent-encoded, some more than once."""
    odd = draw(st.dictionaries(st.integers(0, 65), st.integers(1, 4), max_size=66))
    case = draw(st.sampled_from([str.upper, str.lower]))
    return "".join(
        "%" + "25" * (odd[at] - 1) + case(f"{ord(one):02x}") if at in odd else one
        for at, one in enumerate(token)
    )


def plain(text: str) -> str:
    """A text after it has been decoded as often as anybody might."""
    for _ in range(6):
        text = unquote(text, errors="replace")
    return text


# --- the mask -------------------------------------------------------------------------------


@given(st.data(), tokens(), st.text(max_size=200), st.text(max_size=200))
def test_a_token_in_any_spelling_between_any_texts_is_masked(
    data: st.DataObject, token: str, before: str, after: str
) -> None:
    """Neither signature nor id can be read from what is left, however it stands in the text."""
    written = before + data.draw(spelled(token)) + after
    left = plain(mask(written))
    assert token.partition(".")[2] not in left
    assert token not in left


@given(
    tokens(),
    st.text(ALPHABET + ".%2Ee5/?&= ", max_size=120),
    st.text(ALPHABET + ".%2Ee5/?&= ", max_size=120),
)
def test_a_token_within_what_looks_like_one_is_masked(token: str, before: str, after: str) -> None:
    """Letters, dots and percent signs stuck to it before and after do not hide it."""
    left = mask(before + token + after)
    assert token.partition(".")[2] not in left


@given(tokens(), st.integers(0, 80), st.sampled_from([str, ascii, json.dumps]), st.booleans())
def test_a_token_in_the_lines_of_an_email_is_masked(
    token: str, at: int, shown: Callable[[str], str], crlf: bool
) -> None:
    """Quoted-printable breaks it by an equals sign and a new line, also as a repr shows these."""
    lines = quopri.encodestring(f"{'x' * at} https://e.example/{token}".encode()).decode()
    written = shown(lines.replace("\n", "\r\n") if crlf else lines)
    left = re.sub(r"=(\r?\n|(\\r)?\\n)", "", mask(written))
    assert token.partition(".")[2] not in left
    assert token not in left


@given(st.text(max_size=300), tokens())
def test_masking_twice_is_masking_once(text: str, token: str) -> None:
    """What was masked is left alone."""
    once = mask(text + token)
    assert mask(once) == once


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"GET /portal/{TOKEN} HTTP/1.1", f"GET /portal/{SEEN} HTTP/1.1"),
        (f"GET /portal/{TOKEN}/invoices?q=a", f"GET /portal/{SEEN}/invoices?q=a"),
        (f'"https://erp.example.com/portal/{TOKEN}"', f'"https://erp.example.com/portal/{SEEN}"'),
        (f"?next=%2Fportal%2F{TOKEN}%2Finvoices", f"?next=%2Fportal%2F{SEEN}%2Finvoices"),
        (f"{TOKEN} {TOKEN}", f"{SEEN} {SEEN}"),
        (f"{TOKEN},{TOKEN[:50]}", f"{SEEN},{SEEN}"),
        (TOKEN.replace(".", "%2e"), SEEN),
        (TOKEN.replace(".", "%252E"), SEEN),
        (f"x{TOKEN}x", f"x{SEEN}"),
        ("GET /portal/static/portal.css?v=0123456789ab", None),
        ("basis_portal.web.customer.documents", None),
        ("2026-04-14T09:12:00.000000+00:00 127.0.0.1", None),
        ("access denied: expired, token Uu63cs-e", None),
        ("a_file_of_some_length_.txt", None),
        ("", None),
    ],
)
def test_what_is_left_of_a_line(text: str, left: str | None) -> None:
    """Eight characters of the id, as in our own records; what is no link stays as it was."""
    assert mask(text) == (text if left is None else left)


@pytest.mark.parametrize(
    "text",
    ["a" * 65536, "a." * 32768, ("a" * 22 + ".") * 2850, "%25" * 21845, "%" + "25" * 32000],
)
def test_the_longest_line_of_a_server_is_masked_in_no_time(text: str) -> None:
    """64 kB made to be slow cost a fraction of a second: the time grows with the length alone."""
    long, short = (min(_seconds(one) for _ in range(3)) for one in (text, text[: len(text) // 8]))
    assert long < 1
    assert long < 32 * short + 0.01  # with the square of the length it would be 64


def _seconds(text: str) -> float:
    start = time.thread_time()
    mask(text)
    return time.thread_time() - start


# --- the filter -----------------------------------------------------------------------------


def logged(
    write: Callable[[logging.Logger], Any], formatter: logging.Formatter | None = None
) -> str:
    """What a handler with the filter writes."""
    return _logged(write, formatter, TokenFilter())


def _logged(
    write: Callable[[logging.Logger], Any],
    formatter: logging.Formatter | None,
    *filters: logging.Filter,
) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    for one in filters:
        handler.addFilter(one)
    logger = logging.Logger("server", logging.DEBUG)
    logger.addHandler(handler)
    write(logger)
    return stream.getvalue()


class Odd:
    """An object that shows a link only when it is printed."""

    def __str__(self) -> str:
        return f"<Odd {TOKEN}>"


class Broken:
    """An object that cannot be printed."""

    def __str__(self) -> str:
        raise ValueError(TOKEN)

    __repr__ = object.__repr__


class Atoms(dict[str, str]):
    """As gunicorn's: what is not known is a dash."""

    def __getitem__(self, key: str) -> str:
        return super().__getitem__(key) if key in self else "-"


GUNICORN = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %({x-odd}i)s'
ATOMS = Atoms(
    h="127.0.0.1",
    l="-",
    u="-",
    t="[14/Apr/2026:09:12:00 +0000]",
    r=f"GET /portal/{TOKEN}/invoices HTTP/1.1",
    s="200",
    b="3211",
    f=f"https://erp.example.com/portal/{TOKEN}",
    a="Mozilla/5.0",
)


def _raise(logger: logging.Logger) -> None:
    try:
        try:
            raise KeyError(f"/portal/{TOKEN}")
        except KeyError as error:
            raise RuntimeError("the page failed") from error
    except RuntimeError:
        logger.exception("Exception on %s [%s]", f"/{TOKEN}", "GET")


def _raise_group(logger: logging.Logger) -> None:
    error = ExceptionGroup("several", [ValueError(TOKEN), ValueError(f"Referer: {TOKEN}")])
    error.add_note(f"while /portal/{TOKEN} was answered")
    logger.error("failed", exc_info=error)


@pytest.mark.parametrize(
    ("write", "left"),
    [
        (lambda log: log.info(f"GET /{TOKEN}"), f"GET /{SEEN}"),
        (lambda log: log.info("GET %s", TOKEN), f"GET {SEEN}"),
        (lambda log: log.info("%s.%s", *TOKEN.split(".")), SEEN),
        (lambda log: log.info("%s%s", TOKEN[:30], TOKEN[30:]), SEEN),
        (lambda log: log.info("%-80s|%5d", TOKEN, 7), f"{SEEN:<80}|    7"),
        (lambda log: log.info("%(path)s", {"path": TOKEN}), SEEN),
        (lambda log: log.info(GUNICORN, ATOMS), f'"GET /portal/{SEEN}/invoices HTTP/1.1" 200'),
        (lambda log: log.info("%s", Odd()), f"<Odd {SEEN}>"),
        (lambda log: log.info(Odd()), f"<Odd {SEEN}>"),
        (lambda log: log.info("%r", [TOKEN]), f"['{SEEN}']"),
        (lambda log: log.info("%r", TOKEN.encode()), f"b'{SEEN}'"),
        (lambda log: log.info("100 % of it"), "100 % of it"),
        (lambda log: log.info("%d%% of %s", 100, TOKEN), f"100% of {SEEN}"),
        (lambda log: log.error("failed", exc_info=ValueError(TOKEN)), f"ValueError: {SEEN}"),
        (_raise, "RuntimeError: the page failed"),
        (_raise_group, "several (2 sub-exceptions)"),
        (lambda log: log.info("here", stack_info=True), "Stack (most recent call last)"),
    ],
)
def test_a_record_is_masked_however_it_is_made(
    write: Callable[[logging.Logger], Any], left: str
) -> None:
    """Message, arguments of every shape, tracebacks with their causes, notes and groups."""
    written = logged(write)
    assert left in written
    assert SIGNATURE not in written


def test_the_records_above_would_show_the_link() -> None:
    """The control: without the filter the very same records have the signature in them."""
    for write in (_raise, _raise_group, lambda log: log.info(GUNICORN, ATOMS)):
        assert SIGNATURE in _logged(write, None)


def test_a_formatter_that_reads_the_arguments_finds_them() -> None:
    """Formatters of access logs take the five arguments apart; they stay five, and masked."""

    class Access(logging.Formatter):
        """As uvicorn's."""

        def formatMessage(self, record: logging.LogRecord) -> str:
            client, method, path, version, status = record.args  # type: ignore[misc]
            return f"{client} - {method} {path} {version} {status + 0}"  # type: ignore[operator]

    line = ('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", f"/portal/{TOKEN}?x=1", "1.1", 200)
    assert logged(lambda log: log.info(*line), Access()).strip() == (
        f"127.0.0.1:1 - GET /portal/{SEEN}?x=1 1.1 200"
    )


def test_a_configuration_names_the_filter() -> None:
    """A dictionary for ``dictConfig``, such as Django's LOGGING, makes it by its name."""
    named = {"()": "basis_portal.web.TokenFilter"}
    made = DictConfigurator({"version": 1}).configure_filter(named)
    assert isinstance(made, TokenFilter)


def test_what_came_as_extra_is_masked() -> None:
    """Formatters as JSON write all that a record has; a request object shows its address."""

    class Json(logging.Formatter):
        """Writes everything."""

        def format(self, record: logging.LogRecord) -> str:
            return json.dumps(vars(record), default=str)

    extra = {
        "path": f"/portal/{TOKEN}",
        "parts": [TOKEN, {"referer": TOKEN}],
        "request": SimpleNamespace(address=f"/portal/{TOKEN}"),
        "status_code": 200,
        "kept": {"a": [1, 2]},
    }
    written = json.loads(logged(lambda log: log.warning("Not Found", extra=extra), Json()))
    assert SIGNATURE not in json.dumps(written)
    assert written["path"] == f"/portal/{SEEN}"
    assert (written["status_code"], written["kept"]) == (200, {"a": [1, 2]})


def test_an_error_without_a_link_is_left_to_its_formatter() -> None:
    """Only a traceback that shows a link is taken from who formats errors in its own way."""

    class Own(logging.Formatter):
        """Counts its errors."""

        def formatException(self, _: Any) -> str:
            return "an error of its own form"

    assert "of its own form" in logged(
        lambda log: log.error("failed", exc_info=ValueError("no link")), Own()
    )
    own = logged(lambda log: log.error("failed", exc_info=ValueError(TOKEN)), Own())
    assert f"ValueError: {SEEN}" in own


def test_a_request_with_a_link_in_its_headers_is_replaced() -> None:
    """What reports print of a request goes where it holds a link, else the request stays."""

    class Request(SimpleNamespace):
        """Shows its path alone."""

        def __repr__(self) -> str:
            return f"<Request {self.path}>"

    for name in ("META", "environ"):
        for key in ("HTTP_REFERER", "QUERY_STRING", "PATH_INFO"):
            headers: dict[str, Any] = {key: f"x/{TOKEN}", "wsgi.input": object()}
            record = logging.makeLogRecord({"request": Request(path="/me", **{name: headers})})
            assert TokenFilter().filter(record)
            assert record.request == "<Request /me>"  # type: ignore[attr-defined]
        plain_one = Request(path="/me", **{name: {"HTTP_REFERER": "/me"}})
        record = logging.makeLogRecord({"request": plain_one})
        assert TokenFilter().filter(record)
        assert record.request is plain_one  # type: ignore[attr-defined]
    odd = Request(path="/me", META=7)
    record = logging.makeLogRecord({"request": odd})
    assert TokenFilter().filter(record)
    assert record.request is odd  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", [{"msg": TOKEN}, {"args": (TOKEN,), "msg": "%s"}, {"at": TOKEN}])
def test_a_record_with_a_link_keeps_only_the_text_of_its_traceback(given: dict[str, Any]) -> None:
    """Its frames have variables, which reports print; without a link the error itself stays."""

    def filtered(**given: Any) -> logging.LogRecord:
        try:
            raise RuntimeError("no link here")
        except RuntimeError as error:
            found = (RuntimeError, error, error.__traceback__)
        record = logging.makeLogRecord({**given, "exc_info": found})
        assert TokenFilter().filter(record)
        return record

    record = filtered(**given)
    assert record.exc_info is None
    assert str(record.exc_text).startswith("Traceback (most recent call last)")
    record = filtered(msg="failed")
    assert record.exc_info
    assert record.exc_text is None


def test_a_record_that_was_formatted_before_is_masked() -> None:
    """A handler without the filter came first and kept the text of the traceback."""
    record = logging.makeLogRecord({"msg": "x", "exc_text": f"ValueError: {TOKEN}"})
    assert TokenFilter().filter(record)
    assert record.exc_text == f"ValueError: {SEEN}"


def test_arguments_that_do_not_fit_are_complained_of_without_a_link(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Logging prints its own complaint with the arguments, and shows no link there either."""
    for arguments in ((TOKEN,), (Odd(),), ({"path": TOKEN},)):
        written = logged(lambda log, given=arguments: log.info("100 % of it", *given))
        assert SIGNATURE not in written + capsys.readouterr().err


@pytest.mark.parametrize("name", ["msg", "extra"])
def test_what_cannot_be_printed_does_not_stop_the_program(name: str) -> None:
    """The filter raises nothing, whatever it is given; every record is kept."""
    record = logging.makeLogRecord({name: Broken(), "path": TOKEN})
    assert TokenFilter().filter(record)
    assert record.path == SEEN  # type: ignore[attr-defined]
    loop: list[Any] = [TOKEN]
    loop.append(loop)
    record = logging.makeLogRecord({"msg": "%d", "args": (loop, TOKEN), "loop": loop})
    assert TokenFilter().filter(record)
    assert SIGNATURE not in str(vars(record))


@given(st.text(), st.lists(st.one_of(st.text(), st.integers(), st.none(), st.binary())))
def test_no_record_is_refused(message: str, arguments: list[Any]) -> None:
    """Whatever is logged: it is kept, and as it was where there is no link in it."""
    record = logging.makeLogRecord({"msg": message, "args": tuple(arguments)})
    before = dict(vars(record))
    assert TokenFilter().filter(record) is True
    assert vars(record) == before


def test_base64_of_a_link_is_not_looked_into() -> None:
    """What it does not do: a link that was encoded otherwise than by percent signs stays."""
    hidden = base64.b64encode(TOKEN.encode()).decode()
    assert mask(hidden) == hidden
    assert mask(quote(TOKEN, safe="")) == SEEN
