"""The conformance kit for a host's own customers, documents and ledger, over its own data.

    class TestMyErp(HostRepositoriesConformance):
        @pytest.fixture
        def customers(self):
            return ErpCustomers(db)

        # likewise ``documents``, and ``ledger``, which may be None where there is none

        @pytest.fixture
        def known_customer_ids(self):
            return ["C-1001", "C-1002"]

The known ids are of two customers at least that have documents and entries. Nothing is
written. With `AllocationRule.FIFO` set the class attribute ``allocation_rule``.

The repositories are asked on other threads too, as the pages ask: what they read must be
there for other connections, in a file or on a server and committed.
"""

from __future__ import annotations

from .parts.host_customers import HostCustomersConformance
from .parts.host_documents import HostDocumentsConformance
from .parts.host_ledger import HostLedgerConformance
from .parts.host_threads import HostThreadsConformance


class HostRepositoriesConformance(
    HostCustomersConformance,
    HostDocumentsConformance,
    HostLedgerConformance,
    HostThreadsConformance,
):
    """Every promise of `CustomerRepository`, `DocumentRepository`, `LedgerRepository`."""
