"""Any id of the host goes into an address and comes back; nothing else stands for it."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal.domain.url_keys import document_path, id_of, key_of
from basis_portal.testing.strategies import ids


@given(ids())
def test_an_id_comes_back(identifier: str) -> None:
    """Its key needs no escaping in an address, is base64url without padding, and gives it back."""
    key = key_of(identifier)
    assert re.fullmatch("[A-Za-z0-9_-]+", key)
    assert urlsafe_b64decode(key + "==") == identifier.encode()
    assert id_of(key) == identifier
    assert document_path(identifier) == f"/document/{key}"


@given(st.text(st.sampled_from("AQgw_-=+/ é"), max_size=9))
def test_one_spelling_stands_for_an_id(key: str) -> None:
    """What is read is written the same; all else stands for nothing."""
    found = id_of(key)
    assert found is None or key_of(found) == key


@pytest.mark.parametrize(
    "key", ["", "_", "_w", "QR", "QQ=", "QQ==", "QQ QQ", " QQ", "QQ\n", "8J+Yg", "+-_w", "éé", "/w"]
)
def test_junk_stands_for_nothing(key: str) -> None:
    """Bytes that are no text, bits too many, padding, blanks and plain base64."""
    assert id_of(key) is None
    assert (id_of("QQ"), id_of("8J-Ygw"), id_of("w78")) == ("A", "😃", "ÿ")
