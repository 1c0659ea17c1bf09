"""What signs a link: one purpose, one version, one tenant, one derivation; nothing else opens."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from itsdangerous import Signer, TimestampSigner, URLSafeSerializer

from basis_portal import AccessDenied, Customer, Portal, PortalConfig, PortalToken

MakePortal = Callable[..., Portal]
TextOf = Callable[..., str]

SALT = "basis_portal/link/v1/default"
HMAC: Any = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


@pytest.fixture
def token(portal: Portal) -> PortalToken:
    """The active token of C-1001."""
    return portal.tokens.generate("C-1001")


def test_the_construction_is_what_we_say(
    portal: Portal, token: PortalToken, secret_key: str, text_of: TextOf
) -> None:
    """A link is the token id signed by itsdangerous: HMAC-SHA-256, derivation hmac, our salt."""
    made = Signer(secret_key, SALT, **HMAC).sign(token.id).decode()
    assert made == text_of(portal)
    assert portal.open(made).customer.id == "C-1001"


FOREIGN: dict[str, Callable[[str, str], Any]] = {
    "another purpose": lambda key, one: Signer(key, "basis_portal/form/v1/default", **HMAC).sign(
        one
    ),
    "another version": lambda key, one: Signer(key, "basis_portal/link/v2/default", **HMAC).sign(
        one
    ),
    "another tenant": lambda key, one: Signer(key, "basis_portal/link/v1/other", **HMAC).sign(one),
    "no tenant": lambda key, one: Signer(key, "basis_portal/link/v1/", **HMAC).sign(one),
    "longer tenant": lambda key, one: Signer(key, SALT + "s", **HMAC).sign(one),
    "no salt": lambda key, one: Signer(key, "", **HMAC).sign(one),
    "itsdangerous' salt": lambda key, one: Signer(key, **HMAC).sign(one),
    "another key": lambda key, one: Signer(key + "!", SALT, **HMAC).sign(one),
    "no key": lambda key, one: Signer("", SALT, **HMAC).sign(one),
    "the id as key": lambda key, one: Signer(one, SALT, **HMAC).sign(one),
    "django-concat": lambda key, one: Signer(
        key, SALT, key_derivation="django-concat", digest_method=hashlib.sha256
    ).sign(one),
    "concat": lambda key, one: Signer(
        key, SALT, key_derivation="concat", digest_method=hashlib.sha256
    ).sign(one),
    "no derivation": lambda key, one: Signer(
        key, SALT, key_derivation="none", digest_method=hashlib.sha256
    ).sign(one),
    "SHA-1": lambda key, one: Signer(key, SALT, key_derivation="hmac").sign(one),
    "SHA-512": lambda key, one: Signer(
        key, SALT, key_derivation="hmac", digest_method=hashlib.sha512
    ).sign(one),
    "SHA3-256": lambda key, one: Signer(
        key, SALT, key_derivation="hmac", digest_method=hashlib.sha3_256
    ).sign(one),
    "another separator": lambda key, one: Signer(key, SALT, sep=":", **HMAC).sign(one),
    "a timestamp": lambda key, one: TimestampSigner(key, SALT, **HMAC).sign(one),
    "a serializer": lambda key, one: (
        URLSafeSerializer(key, SALT, signer_kwargs=HMAC).dumps(one).encode()
    ),
    "unsigned": lambda key, one: one.encode(),
    "signed by zeros": lambda key, one: f"{one}.{'A' * 43}".encode(),
}


@pytest.mark.parametrize("sign", FOREIGN.values(), ids=FOREIGN)
def test_foreign_signatures_open_nothing(
    sign: Callable[[str, str], bytes],
    portal: Portal,
    token: PortalToken,
    make_portal: MakePortal,
    watched: Any,
    secret_key: str,
    text_of: TextOf,
) -> None:
    """The id of a live token, signed in any other way, is refused without a look at its row."""
    over = make_portal(watched)
    with pytest.raises(AccessDenied):
        over.open(sign(secret_key, token.id).decode())
    assert watched.calls == ["settings.get"]
    assert over.open(text_of(portal)).customer.id == "C-1001"


def test_a_link_opens_only_its_own_tenant(
    make_storage: Callable[..., Any], make_portal: MakePortal, text_of: TextOf
) -> None:
    """With one key for all tenants, a link opens at home alone, whoever else has its id."""
    storages = {one: make_storage("memory", one) for one in ("north", "south", "nor")}
    portals = {one: make_portal(storage) for one, storage in storages.items()}
    for tenant, storage in storages.items():
        storage.customers.save(Customer("C-1001", f"Customer of {tenant}"))
        portals[tenant].settings.save(PortalConfig(enabled=True))
    token = portals["north"].tokens.generate("C-1001")
    text = text_of(portals["north"])
    assert portals["north"].open(text).customer.name == "Customer of north"
    for tenant in ("south", "nor"):
        storages[tenant].tokens.add([token])
        with pytest.raises(AccessDenied):
            portals[tenant].open(text)
        assert portals[tenant].open(text_of(portals[tenant])).customer.name.endswith(tenant)


def test_an_unknown_id_with_a_good_signature(
    portal: Portal, token: PortalToken, secret_key: str, text_of: TextOf
) -> None:
    """The signature is only a filter: without a row a well-signed id opens nothing."""
    made = Signer(secret_key, SALT, **HMAC).sign("A" * 22).decode()
    with pytest.raises(AccessDenied):
        portal.open(made)
    assert portal.open(text_of(portal)).customer.id == "C-1001"


def test_what_a_link_looks_like(portal: Portal, token: PortalToken) -> None:
    """A link is base_url, a slash, 22 characters of id, a dot and 43 of signature; nothing else."""
    link = portal.tokens.link("C-1001")
    form = r"https://erp\.example\.com/portal/([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43}"
    found = re.fullmatch(form, link)
    assert found
    assert found[1] == token.id
    assert "C-1001" not in link


def test_ids_are_random(portal: Portal) -> None:
    """Token ids are 22 characters of which every one varies, and no two are the same."""
    ids = [portal.tokens.regenerate("C-1001").id for _ in range(300)]
    assert len(set(ids)) == 300
    assert all(len({one[at] for one in ids}) > (16 if at < 21 else 2) for at in range(22))


SIGNED_BEFORE = "0AiNgFhQEwKWrNmyQ9JvN-YcSvt7aJEDsVm5DY57AUs"
"""What the first version of the library signed of 22 letters A with this key."""


def test_links_of_before_live_on(
    make_storage: Callable[..., Any], make_portal: MakePortal, secret_key: str
) -> None:
    """A link is today what it was when there was one tenant: that of the default tenant."""
    text = "AAAAAAAAAAAAAAAAAAAAAA." + SIGNED_BEFORE
    portal = make_portal(make_storage("memory"), secret_keys=[secret_key])
    assert portal._context.links.sign("A" * 22) == text
    assert portal._context.links.read(text) == "A" * 22
    acme = make_portal(make_storage("memory", "acme"), secret_keys=[secret_key])
    assert acme._context.links.read(text) is None
