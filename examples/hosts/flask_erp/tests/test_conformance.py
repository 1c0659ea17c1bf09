"""The repositories keep the promises of the protocols."""

import pytest
from erp.portal_repositories import ErpCustomers, ErpDocuments, ErpLedger
from erp.sample_data import CUSTOMERS

from basis_portal.testing import HostRepositoriesConformance


class TestErp(HostRepositoriesConformance):
    """Over the sample data: everything that can happen to an invoice."""

    @pytest.fixture
    def customers(self, sessions):
        return ErpCustomers(sessions)

    @pytest.fixture
    def documents(self, sessions):
        return ErpDocuments(sessions)

    @pytest.fixture
    def ledger(self, sessions):
        return ErpLedger(sessions)

    @pytest.fixture
    def known_customer_ids(self):
        return [one.number for one in CUSTOMERS]
