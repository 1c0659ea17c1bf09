"""The repositories keep the promises of the protocols."""

import pytest
from erp.portal_repositories import ErpCustomers, ErpDocuments, ErpLedger
from erp.sample_data import CUSTOMERS

from basis_portal.testing import HostRepositoriesConformance


class TestErp(HostRepositoriesConformance):
    """Over the sample data: everything that can happen to an invoice."""

    @pytest.fixture
    def customers(self, erp):
        return ErpCustomers(erp.pool.connection)

    @pytest.fixture
    def documents(self, erp):
        return ErpDocuments(erp.pool.connection)

    @pytest.fixture
    def ledger(self, erp):
        return ErpLedger(erp.pool.connection)

    @pytest.fixture
    def known_customer_ids(self):
        return CUSTOMERS
