"""The repositories keep the promises of the protocols."""

import pytest
from django.db import connections
from erp.portal_repositories import ErpCustomers, ErpDocuments, ErpLedger

from basis_portal.testing import HostRepositoriesConformance


class TestErp(HostRepositoriesConformance):
    """Over the sample data: everything that can happen to an invoice."""

    def end_thread(self):
        """As Django does when a request ends."""
        connections.close_all()

    @pytest.fixture
    def customers(self):
        return ErpCustomers()

    @pytest.fixture
    def documents(self):
        return ErpDocuments()

    @pytest.fixture
    def ledger(self):
        return ErpLedger()

    @pytest.fixture
    def known_customer_ids(self, parties):
        return [str(party.pk) for party in parties.values()]
