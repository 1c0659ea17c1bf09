"""The repositories keep the promises of the protocols."""

import pytest

from basis_portal.testing import HostRepositoriesConformance


class TestTryton(HostRepositoriesConformance):
    """Over the sample data: everything that can happen to an invoice."""

    @pytest.fixture
    def known_customer_ids(self, ids):
        """All four parties."""
        return [*ids.values()]
