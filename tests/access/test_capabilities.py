"""What a host can do faster is used, whichever Python runs it, also through a wrapper."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from basis_portal import Portal, repositories
from basis_portal.repositories import supports
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_customer, an_entry, an_invoice

CAPABILITIES = [value for name, value in vars(repositories).items() if name.startswith("Supports")]


class Wrapper:
    """Hands all on, and notes what was asked for; but for what it is to lack."""

    def __init__(self, inner: Any, *lacking: str) -> None:
        self._inner, self._lacking, self.asked = inner, lacking, set[str]()

    def __getattr__(self, name: str) -> Any:
        """What the inner one has."""
        if name in self._lacking:
            raise AttributeError(name)
        self.asked.add(name)
        return getattr(self._inner, name)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_all_methods_are_needed(capability: type) -> None:
    """Own ones and those that are handed on count alike; without one of them it is not able."""
    storage = InMemoryStorage()
    methods = [name for name in vars(capability) if not name.startswith("_")]
    both = (storage.documents, storage.ledger)
    able = [one for one in both if all(hasattr(one, name) for name in methods)]
    for one in both:
        assert supports(one, capability) is supports(Wrapper(one), capability) is (one in able)
    for name in methods:
        assert not any(supports(Wrapper(one, name), capability) for one in able)
    assert methods


def test_what_a_wrapper_hands_on_is_used() -> None:
    """A wrapper that logs or retries costs no speed."""
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    storage.documents.save(an_invoice("INV-1", customer_id="C-1"))
    storage.ledger.save(an_entry("E-1", customer_id="C-1", document_id="INV-1"))
    documents, ledger = Wrapper(storage.documents), Wrapper(storage.ledger)
    portal = Portal(
        storage,
        secret_keys=["k" * 32],
        base_url="https://erp.example.com/portal",
        documents=documents,
        ledger=ledger,
    )
    ledger.asked.clear()
    portal.preview("C-1").overview()
    assert "open_items" in ledger.asked
    assert "entries" not in ledger.asked


def test_methods_beneath_count_too() -> None:
    """A capability that builds on another asks for the methods of both."""

    class More(repositories.SupportsYears, Protocol):
        def more(self) -> None:
            """One of its own."""

    assert not supports(SimpleNamespace(more=print), More)
    assert supports(SimpleNamespace(more=print, years=print), More)
