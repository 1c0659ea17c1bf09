"""The conformance kit for storages: classes to inherit, three lines for a storage.

    class TestMyStorage(StorageConformance):
        @pytest.fixture
        def storage(self):
            return MyStorage()

The fixture gives a storage that is new and empty. Storages that also keep customers,
documents and ledger inherit `FullStorageConformance`. The tests of the kit can be neither
removed nor replaced by a subclass; what is missing is said by a test that fails.
"""

from __future__ import annotations

from .parts.accounts import AccountsConformance
from .parts.after_commit import AfterCommitConformance
from .parts.audit import AuditConformance
from .parts.customers import CustomersConformance
from .parts.documents import DocumentsConformance
from .parts.full_transactions import FullTransactionsConformance
from .parts.ledger import LedgerConformance
from .parts.mails import MailsConformance
from .parts.messages import MessagesConformance
from .parts.moves import MovesConformance
from .parts.settings import SettingsConformance
from .parts.token_lists import TokenListsConformance
from .parts.tokens import TokensConformance
from .parts.transactions import TransactionsConformance


class StorageConformance(
    SettingsConformance,
    TokensConformance,
    TokenListsConformance,
    MessagesConformance,
    MailsConformance,
    AuditConformance,
    MovesConformance,
    TransactionsConformance,
    AfterCommitConformance,
):
    """Every promise of `Storage`; inherit it and give a fixture ``storage``."""


class FullStorageConformance(
    StorageConformance,
    CustomersConformance,
    DocumentsConformance,
    LedgerConformance,
    AccountsConformance,
    FullTransactionsConformance,
):
    """Every promise of `FullStorage`; inherit it and give a fixture ``storage``."""
