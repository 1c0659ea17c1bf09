"""Customers and documents: what a host may hand over, and what is refused."""

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given

from basis_portal import Customer, Document, DocumentFile, DocumentKind, DocumentLine, InvalidValue
from basis_portal.testing.builders import NOW, a_customer, a_line, an_invoice
from basis_portal.testing.strategies import customers, documents

NAIVE = NOW.replace(tzinfo=None)
ID_REFUSED: list[Any] = ["", "x" * 256, "a\0", "\ud800", 7, None, b"C-1"]
AMOUNT_REFUSED: list[Any] = [1.5, "1.50", Decimal("NaN"), Decimal("1.00001"), Decimal("1E14"), True]
DAY_REFUSED: list[Any] = ["2025-01-15", NAIVE, 20250115]
TEXT_REFUSED: list[Any] = ["x" * 1001, "a\0", "\ud800", 7]

REFUSED_OF_A_DOCUMENT: dict[str, list[Any]] = {
    "id": ID_REFUSED,
    "customer_id": ID_REFUSED,
    "kind": ["sales_invoice", None],
    "status": ["issued", None],
    "number": ["", *TEXT_REFUSED],
    "date": [None, *DAY_REFUSED],
    "currency": ["eur", "EURO", "", None, 978],
    "total": [None, *AMOUNT_REFUSED],
    "due_date": DAY_REFUSED,
    "net": AMOUNT_REFUSED,
    "tax": AMOUNT_REFUSED,
    "reference": TEXT_REFUSED,
    "order_number": TEXT_REFUSED,
    "lines": ["lines", None, {"a": 1}, [a_line(), "line"], (None,)],
    "pay_url": [
        "",
        7,
        "http://pay.example/1",
        "javascript:alert(1)",
        "data:text/html,x",
        "//pay.example/1",
        "https:",
        "https://",
        "https:///path",
        "https:pay.example",
        "pay.example",
        "https://pay.example/a b",
        " https://pay.example",
        "https://pay.example\n",
        "\x01https://pay.example",
        "https://pay.example/\x7f",
        "https://pay.example/\0",
        "https://[::1",
        "https://pay.example/" + "x" * 2000,
    ],
}
REFUSED_OF_A_LINE: dict[str, list[Any]] = {
    "description": ["x" * 4001, "a\0", None, 5],
    "quantity": [1.5, "2", Decimal("1E-9"), Decimal("Infinity"), Decimal("1E14")],
    "unit_price": [1.5, Decimal("NaN"), True],
    "tax": AMOUNT_REFUSED,
    "amount": AMOUNT_REFUSED,
}
REFUSED_OF_A_CUSTOMER: dict[str, list[Any]] = {
    "id": ID_REFUSED,
    "name": ["", None, *TEXT_REFUSED],
    "email": TEXT_REFUSED,
    "number": TEXT_REFUSED,
    "language": ["x" * 36, 5],
    "blocked": [None, 0, "no"],
}


def _cases(refused: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(field, value) for field in refused for value in refused[field]]


@given(documents())
def test_documents_compare_by_value(document: Document) -> None:
    """A document made again of its own fields is equal; with another id it is not."""
    assert attrs.evolve(document) == document
    assert attrs.evolve(document, id=f"{document.id[:200]}x") != document


@given(customers())
def test_customers_compare_by_value(customer: Customer) -> None:
    """A customer made again of its own fields is equal; blocked, it is another value."""
    assert attrs.evolve(customer) == customer
    assert attrs.evolve(customer, blocked=not customer.blocked) != customer


@pytest.mark.parametrize(("field", "value"), _cases(REFUSED_OF_A_DOCUMENT))
def test_a_wrong_field_of_a_document_is_refused(field: str, value: Any) -> None:
    """Each field of a document is checked, and the refusal names it."""
    assert an_invoice()
    with pytest.raises(InvalidValue, match=rf"^Document\.{field}\b"):
        an_invoice(**{field: value})


@pytest.mark.parametrize(("field", "value"), _cases(REFUSED_OF_A_LINE))
def test_a_wrong_field_of_a_line_is_refused(field: str, value: Any) -> None:
    """Each field of a document's line is checked, and the refusal names it."""
    assert a_line()
    with pytest.raises(InvalidValue, match=rf"^DocumentLine\.{field} "):
        a_line(**{field: value})


@pytest.mark.parametrize(("field", "value"), _cases(REFUSED_OF_A_CUSTOMER))
def test_a_wrong_field_of_a_customer_is_refused(field: str, value: Any) -> None:
    """Each field of a customer is checked, and the refusal names it."""
    assert a_customer()
    with pytest.raises(InvalidValue, match=rf"^Customer\.{field} "):
        a_customer(**{field: value})


def test_lines_are_a_sequence() -> None:
    """What is no list or tuple of lines is refused, and shown."""
    with pytest.raises(InvalidValue) as refused:
        an_invoice(lines={"Coffee": 1})
    rule = "must be a sequence of DocumentLine"
    assert str(refused.value) == f"Document.lines {rule}, not {{'Coffee': 1}}"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://pay.example", "https://[::1"])
def test_a_refused_address_to_pay_at_is_shown(url: str) -> None:
    """The refusal names the field, the rule and the value."""
    with pytest.raises(InvalidValue) as refused:
        an_invoice(pay_url=url)
    assert str(refused.value) == f"Document.pay_url must be an https address, not {url!r}"


def test_the_place_of_a_wrong_line_is_named() -> None:
    """The refusal of a document says which of its lines is none."""
    with pytest.raises(InvalidValue, match=r"^Document\.lines\[1\] must be a DocumentLine"):
        an_invoice(lines=[a_line(), {"description": "Coffee"}])
    assert an_invoice(lines=[a_line(), a_line()]).lines == (a_line(), a_line())


@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example",
        "HTTPS://pay.example/1?a=b#c",
        "https://pay.example:8443/%20x",
        "https://straße.example/é",
    ],
)
def test_a_document_is_paid_at_an_https_address(url: str) -> None:
    """An https address with a host is kept as it is."""
    assert an_invoice(pay_url=url).pay_url == url


def test_a_document_needs_no_more_than_its_head() -> None:
    """What is optional may be left out, and a total may be a whole number or below zero."""
    document = Document(
        id="1",
        customer_id="C",
        kind=DocumentKind.CREDIT_NOTE,
        status=an_invoice().status,
        number="CN-1",
        date=dt.date(2025, 1, 15),
        currency="EUR",
        total=-5,
    )
    assert document.total == Decimal(-5)
    assert isinstance(document.total, Decimal)
    assert document.lines == ()
    assert (document.due_date, document.pay_url) == (None, None)
    assert DocumentLine("").amount is None


def test_documents_cannot_be_changed() -> None:
    """A document is frozen, so that what was checked stays right."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        an_invoice().total = Decimal("NaN")  # type: ignore[misc]


def test_a_file_has_a_name_and_bytes() -> None:
    """A file is a name and its bytes, which its repr does not show; text is refused."""
    file = DocumentFile("INV-1.pdf", b"%PDF")
    assert file.media_type == "application/pdf"
    assert "%PDF" not in repr(file)
    with pytest.raises(InvalidValue, match=r"^DocumentFile\.content must be a bytes"):
        DocumentFile("INV-1.pdf", "text")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match=r"^DocumentFile\.name "):
        DocumentFile("", b"")
