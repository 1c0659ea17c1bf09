"""What our storages do beyond the contract of snapshots: they refuse writes in one."""

import pytest

from basis_portal import StorageError
from basis_portal.domain.mail import MailKind
from basis_portal.repositories import FullStorage
from basis_portal.testing.builders import CUSTOMER_ID, a_customer, a_mail, an_audit_entry


def test_a_snapshot_refuses_writes(storage: FullStorage) -> None:
    """A write in a snapshot is refused and leaves nothing; after it, it succeeds."""
    with storage.snapshot():
        with pytest.raises(StorageError, match="a snapshot is for reading"):
            storage.customers.save(a_customer())
        with pytest.raises(StorageError, match="a snapshot is for reading"):
            storage.transact(lambda unit: unit.audit.append([an_audit_entry()]))
        assert storage.customers.search().items == ()
    storage.customers.save(a_customer())
    assert len(storage.customers.search().items) == 1
    assert list(storage.audit.page()) == []


def test_a_snapshot_holds_no_email(storage: FullStorage) -> None:
    """What keeps others from claiming what it finds is refused in a snapshot, as a write is."""
    storage.mails.add([a_mail()])
    with storage.snapshot(), pytest.raises(StorageError, match="a snapshot is for reading"):
        storage.mails.latest(CUSTOMER_ID, MailKind.LINK)
    assert storage.mails.latest(CUSTOMER_ID, MailKind.LINK) == a_mail()


def test_a_snapshot_in_a_transaction_writes_with_it(storage: FullStorage) -> None:
    """Within a transaction a snapshot is part of it: writes join the transaction."""

    def work(_: object) -> None:
        with storage.snapshot():
            storage.customers.save(a_customer())

    storage.transact(work)
    assert len(storage.customers.search().items) == 1
