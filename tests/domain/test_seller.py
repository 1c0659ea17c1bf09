"""The seller that pages and e-mails name is checked when the application starts."""

from __future__ import annotations

from typing import Any

import pytest

from basis_portal import InvalidValue
from basis_portal.domain.seller import Seller


def test_a_seller() -> None:
    """A name will do; the longest of each field is kept as it is."""
    plain = Seller("Nordlicht")
    assert (plain.address, plain.email, plain.phone, plain.language) == ("", None, None, "en")
    local = "a" * 239
    whole = Seller("N" * 255, "A\n" * 500, f"{local}@seller.example", "0" * 64, "e" * 35)
    assert whole.email == f"{local}@seller.example"
    assert len(whole.email) == 254


@pytest.mark.parametrize(
    "email",
    ["", "no address", "a@", "@b.example", "a@b@c", "a@b.example?cc=c", "a b@c.example", "a@b,c@d"],
)
def test_what_is_no_plain_address_is_refused(email: str) -> None:
    """The field, the rule with an example, and the value; nothing to be escaped in a mailto:."""
    with pytest.raises(InvalidValue) as caught:
        Seller("Nordlicht", email=email)
    rule = "must be a plain e-mail address such as accounts@seller.example"
    whole = f"Seller.email {rule}, not {email!r}"
    if not email:
        whole = "Seller.email must have 1 to 254 characters, not 0"
    assert str(caught.value) == whole
    assert caught.value.field == "Seller.email"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "N" * 256),
        ("name", "a\nb"),
        ("address", "A" * 1001),
        ("address", "a\tb"),
        ("email", f"{'a' * 240}@seller.example"),
        ("email", 7),
        ("phone", "0" * 65),
        ("phone", ""),
        ("language", "e" * 36),
    ],
)
def test_each_field_has_its_rule(field: str, value: Any) -> None:
    """Lengths, lines and kinds; the refusal names the field."""
    with pytest.raises(InvalidValue, match=f"^Seller.{field} ") as caught:
        Seller(**{"name": "Nordlicht", field: value})
    assert caught.value.field == f"Seller.{field}"
