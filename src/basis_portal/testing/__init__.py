"""For tests of hosts and storages: kits to inherit, a clock, builders, strategies, a leak check.

Needs the extra ``testing`` (pytest, hypothesis). Builders and strategies are used from their
modules: ``from basis_portal.testing import builders, strategies``.
"""

from __future__ import annotations

try:
    import hypothesis  # noqa: F401
    import pytest
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "basis_portal.testing needs pytest and Hypothesis: pip install 'basis-portal[testing]'",
        name=_missing.name,
    ) from _missing

# Before they are imported: failing assertions of the kits then show their values.
pytest.register_assert_rewrite(
    "basis_portal.testing.parts",
    "basis_portal.testing.host_kit",
    "basis_portal.testing.storage_kit",
)

from . import builders, strategies  # noqa: E402
from .clocks import FrozenClock  # noqa: E402
from .host_kit import HostRepositoriesConformance  # noqa: E402
from .leak_check import LeakFinding, LeakReport, Seen, check_for_leaks  # noqa: E402
from .ledgers import Ledger, ledger_days, ledgers  # noqa: E402
from .storage_kit import FullStorageConformance, StorageConformance  # noqa: E402

__all__ = [
    "FrozenClock",
    "FullStorageConformance",
    "HostRepositoriesConformance",
    "LeakFinding",
    "LeakReport",
    "Ledger",
    "Seen",
    "StorageConformance",
    "builders",
    "check_for_leaks",
    "ledger_days",
    "ledgers",
    "strategies",
]
