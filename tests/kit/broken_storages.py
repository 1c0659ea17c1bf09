"""Storages with one fault each, put through the kit by `test_broken_storages.py`.

Not collected by itself: most of what stands here is meant to fail.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import attrs
import pytest

from basis_portal.domain.mail import Mail, MailStatus
from basis_portal.domain.messages import Author, Message
from basis_portal.errors import ActiveTokenExists, LedgerError, StorageError
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FullStorageConformance

REPOSITORIES = (
    *("settings", "tokens", "messages", "mails", "audit"),
    *("customers", "documents", "ledger"),
)


class Sound:
    """The storage in memory, handed through; subclasses spoil one thing of it."""

    def __init__(self) -> None:
        self.inner = InMemoryStorage()
        for name in REPOSITORIES:
            setattr(self, name, getattr(self, f"the_{name}", Repository)(self, name))

    def __getattr__(self, name: str) -> Any:
        """What is not spoiled."""
        return getattr(self.inner, name)

    def transact(self, work: Callable[[Any], Any], *, lock: Collection[str] = ()) -> Any:
        """The sound one; ``work`` is given the repositories of this storage."""
        return self.inner.transact(lambda _: work(self), lock=lock)


class Repository:
    """A repository of the storage in memory, handed through; faults keep or note things here."""

    def __init__(self, storage: Sound, name: str) -> None:
        self.inner = getattr(storage.inner, name)
        self.kept: list[Any] = []
        self.noted: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        """What is not spoiled."""
        return getattr(self.inner, name)


# --- transactions -------------------------------------------------------------------------


class RollbackForgetsTheTrail(Sound):
    """What a failed transaction appended to the audit trail stays."""

    class the_audit(Repository):  # noqa: N801
        """Remembers what was appended."""

        def append(self, entries: Sequence[Any]) -> None:
            """Append, and remember."""
            self.inner.append(entries)
            self.kept.extend(entries)

    def transact(self, work: Callable[[Any], Any], *, lock: Collection[str] = ()) -> Any:
        """Bring back what a rollback took away."""
        self.audit.kept.clear()
        try:
            return super().transact(work, lock=lock)
        except BaseException:
            self.inner.audit.append(self.audit.kept)
            raise


class TransactionsThatAreNone(Sound):
    """Work runs without any transaction or lock."""

    def transact(self, work: Callable[[Any], Any], *, lock: Collection[str] = ()) -> Any:
        """Just run it."""
        return work(self)


class PartsAreNotUndone(Sound):
    """A transaction within another does not undo its own part."""

    depth = 0

    def transact(self, work: Callable[[Any], Any], *, lock: Collection[str] = ()) -> Any:
        """Only the outermost is a transaction."""
        if self.depth:
            return work(self)
        self.depth += 1
        try:
            return super().transact(work, lock=lock)
        finally:
            self.depth -= 1


class CallsBeforeTheCommit(Sound):
    """What is to be called after the commit is called at once."""

    def after_commit(self, call: Callable[[], None]) -> None:
        """Wait for nothing."""
        with suppress(Exception):
            call()


class CallsOfUndoneParts(Sound):
    """Calls wait for the commit, also those of a part that was undone."""

    depth = 0

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Callable[[], None]] = []

    def transact(self, work: Callable[[Any], Any], *, lock: Collection[str] = ()) -> Any:
        """The outermost hands all of them on."""

        def outermost(unit: Any) -> Any:
            self.waiting, self.depth = [], 1
            try:
                return work(unit)
            finally:
                self.depth = 0
                for call in self.waiting:
                    self.inner.after_commit(call)

        return super().transact(work if self.depth else outermost, lock=lock)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Wait for the outermost."""
        if self.depth:
            self.waiting.append(call)
        else:
            self.inner.after_commit(call)


class AFailedCallIsTheLast(Sound):
    """The error of a call is swallowed together with the calls that follow."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Callable[[], None]] = []

    def after_commit(self, call: Callable[[], None]) -> None:
        """Let the first one of a transaction make all."""
        self.waiting.append(call)
        if len(self.waiting) == 1:
            self.inner.after_commit(self.call_all)

    def call_all(self) -> None:
        """Make the calls that wait, up to the first error."""
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


class OpeningsFromACache(Sound):
    """An opening is what it was when it was first asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[str, Any] = {}

    def opening(self, token_id: str) -> Any:
        """The first answer, for ever."""
        return self.cache.setdefault(token_id, self.inner.opening(token_id))


# --- tokens -------------------------------------------------------------------------------


class TwoCurrentTokens(Sound):
    """A second current token of a customer is accepted."""

    class the_tokens(Repository):  # noqa: N801
        """Keeps a list of those that had to be refused."""

        def add(self, tokens: Sequence[Any]) -> None:
            """Add without a look."""
            try:
                self.inner.add(tokens)
            except ActiveTokenExists:
                self.kept.extend(tokens)

        def history(self, customer_id: str) -> Sequence[Any]:
            """All of them."""
            return [*self.inner.history(customer_id), *self.kept]


class TokensAddedOneByOne(Sound):
    """Of an addition that fails in the middle the first half stays."""

    class the_tokens(Repository):  # noqa: N801
        """Adds each by itself."""

        def add(self, tokens: Sequence[Any]) -> None:
            """One by one."""
            for token in tokens:
                self.inner.add([token])


class TheLastEndCounts(Sound):
    """Ending a token again overwrites the reason."""

    class the_tokens(Repository):  # noqa: N801
        """Keeps the last reason given."""

        def end(self, token_ids: Collection[str], **how: Any) -> Any:
            """End, and note the reason whether it ended or not."""
            self.noted |= dict.fromkeys(token_ids, how.get("reason"))
            return self.inner.end(token_ids, **how)

        def get(self, token_id: str) -> Any:
            """The token with the last reason."""
            token = self.inner.get(token_id)
            if token is None or token_id not in self.noted:
                return token
            return attrs.evolve(token, reason=self.noted[token_id])


class LatestByTheClock(Sound):
    """The latest token is the one issued last by its date, not the one added last."""

    class the_tokens(Repository):  # noqa: N801
        """Sorts by date."""

        def latest(self, customer_ids: Collection[str]) -> Any:
            """By the clock."""
            found = {one: self.inner.history(one) for one in customer_ids}
            return {
                one: max(tokens, key=lambda token: token.issued_at)
                for one, tokens in found.items()
                if tokens
            }


class OpenedWhenTheClockWentBack(Sound):
    """An opening before the last noted one is noted, however near it is."""

    class the_tokens(Repository):  # noqa: N801
        """Looks to one side only."""

        def mark_opened(self, token_id: str, at: dt.datetime, *, unless_within: Any) -> bool:
            """Note what lies before."""
            last = self.inner.last_opened([token_id]).get(token_id)
            if last is not None and at < last:
                unless_within = dt.timedelta(0)
            noted: bool = self.inner.mark_opened(token_id, at, unless_within=unless_within)
            return noted


# --- messages and audit -------------------------------------------------------------------


class PagesSkipOne(Sound):
    """A page of messages that follows another leaves out the first."""

    class the_messages(Repository):  # noqa: N801
        """Counts wrongly."""

        def page(self, customer_id: str, *, after: Any = None, limit: int = 50) -> Any:
            """One too few."""
            found = self.inner.page(customer_id, after=after, limit=limit + 1)
            return found[:limit] if after is None else found[1:]


class NotesAmongMessages(Sound):
    """Customers read what staff keep for themselves."""

    class the_messages(Repository):  # noqa: N801
        """One list for both."""

        def page(self, customer_id: str, *, after: Any = None, limit: int = 50) -> Any:
            """Both."""
            notes = [
                Message(n.id, n.customer_id, n.at, Author.SELLER, n.text, by=n.by)
                for n in self.inner.notes(customer_id)
            ]
            return [*self.inner.page(customer_id, after=after, limit=limit), *notes][:limit]


class SecondsAreEnough(Sound):
    """Instants lose what is less than a second."""

    class the_messages(Repository):  # noqa: N801
        """Cuts instants."""

        def add(self, message: Message) -> None:
            """Add it a little earlier."""
            self.inner.add(attrs.evolve(message, at=message.at.replace(microsecond=0)))


class KeysOfAllCustomers(Sound):
    """An idempotency key is taken for all customers."""

    class the_messages(Repository):  # noqa: N801
        """One list of keys."""

        def add(self, message: Message) -> None:
            """Refuse what any customer used."""
            if message.idempotency_key and message.idempotency_key in self.kept:
                raise StorageError("the key is taken")
            self.inner.add(message)
            self.kept.append(message.idempotency_key)


class LastMeansLatest(Sound):
    """The last entry of the trail is that with the greatest instant, not that appended last."""

    class the_audit(Repository):  # noqa: N801
        """Takes the greatest instant."""

        def last(self, event: Any, **values: Any) -> Any:
            """The greatest of those that match."""
            found = [
                entry.at
                for _, entry in self.inner.page(limit=1000)
                if entry.event is event
                and all(value in (None, getattr(entry, name)) for name, value in values.items())
            ]
            return max(found, default=None)


# --- e-mails ------------------------------------------------------------------------------


class RunsMailTwice(Sound):
    """A run may be begun a second time, and mails its customers again."""

    class the_mails(Repository):  # noqa: N801
        """Looks at one addition alone."""

        def add(self, mails: Sequence[Mail]) -> Sequence[str]:
            """Give what is there already another run."""
            added: list[str] = []
            for mail in mails:
                again = attrs.evolve(mail, run=mail.run and f"{mail.run} again")
                added += self.inner.add([mail]) or self.inner.add([again])
            return added


class TwoWorkersForOneEmail(Sound):
    """Whoever claims looks first and writes then, and does not ask whether it was in time."""

    class the_mails(Repository):  # noqa: N801
        """Two steps."""

        def claim(self, now: dt.datetime, *, run: str | None = None) -> Mail | None:
            """Every other worker took its look just before that ahead of it wrote."""
            if self.kept:
                return self.kept.pop()
            taken = self.inner.claim(now, run=run)
            if taken is not None:
                self.kept.append(taken)
            return taken


class ClaimedTooSoon(Sound):
    """What is due within the hour is claimed now."""

    class the_mails(Repository):  # noqa: N801
        """Cannot wait."""

        def claim(self, now: dt.datetime, *, run: str | None = None) -> Any:
            """Claim an hour later."""
            return self.inner.claim(now + dt.timedelta(hours=1), run=run)


class TheLastOutcomeCounts(Sound):
    """What became of an e-mail is stored whoever was first."""

    class the_mails(Repository):  # noqa: N801
        """Writes over it."""

        def change(self, before: Mail, after: Mail) -> Any:
            """Take what is there for what was before."""
            return self.inner.change(self.inner.get(before.id) or before, after)


class WaitingIsNoPromise(Sound):
    """What a transaction found waiting is claimed by others before it ends."""

    def transact(self, work: Callable[[Any], Any], *, lock: Collection[str] = ()) -> Any:
        """Let others in as soon as the work has looked, and hand over what it found then."""
        mails = self.mails
        before = mails.noted.copy()
        mails.noted["looked"] = {}
        try:
            return work(self)
        finally:
            mails.noted = before

    class the_mails(Repository):  # noqa: N801
        """Goes on showing what a transaction saw first."""

        def latest(self, customer_id: str, kind: Any) -> Any:
            """What was there at the first look."""
            seen = self.noted.get("looked", {})
            return seen.setdefault((customer_id, kind), self.inner.latest(customer_id, kind))


class WaitingEmailsAreForgotten(Sound):
    """Retention goes by the day on which an e-mail was asked for."""

    class the_mails(Repository):  # noqa: N801
        """Looks at what waits, too."""

        def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
            """All that is old."""
            waiting = self.inner.page(None, MailStatus.QUEUED)
            for mail in (mail for mail in waiting if mail.queued_at < before):
                self.inner.change(
                    mail, attrs.evolve(mail, status=MailStatus.SKIPPED, settled_at=mail.queued_at)
                )
            return int(self.inner.prune(before, limit=limit))


class UnreadMessagesAreForgotten(Sound):
    """Retention asks nobody whether a message was read."""

    class the_messages(Repository):  # noqa: N801
        """Marks what is old as read."""

        def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
            """All that is old."""
            unread = self.inner.inbox(unread_only=True, limit=1000)
            for customer_id in {one.customer_id for one in unread if one.at < before}:
                self.inner.mark_read(customer_id, before)
            return int(self.inner.prune(before, limit=limit))


# --- customers, documents, ledger ---------------------------------------------------------


class SomebodysDocument(Sound):
    """A document is given to whoever asks for it."""

    class the_documents(Repository):  # noqa: N801
        """Looks at the id alone."""

        def get(self, customer_id: str, document_id: str) -> Any:
            """Never mind whose it is."""
            return self.noted.get(document_id)

        def save(self, *documents: Any) -> None:
            """Save, and remember by id."""
            self.inner.save(*documents)
            self.noted |= {one.id: one for one in documents}


class DraftsInTheList(Sound):
    """Lists show drafts, if only on the first page."""

    class the_documents(Repository):  # noqa: N801
        """Forgets the status."""

        def page(self, customer_id: str, kind: Any, **wanted: Any) -> Any:
            """Take drafts for issued."""
            found = self.inner.page(customer_id, kind, **wanted)
            saved = self.noted.values()
            drafts = [d for d in saved if d.status == "draft" and d.customer_id == customer_id]
            return [*found, *drafts]

        def save(self, *documents: Any) -> None:
            """Save, and remember by id."""
            self.inner.save(*documents)
            self.noted |= {one.id: one for one in documents}


class WildcardsInSearch(Sound):
    """A percent sign that staff type finds everybody."""

    class the_customers(Repository):  # noqa: N801
        """As LIKE does."""

        def search(self, text: str = "", **wanted: Any) -> Any:
            """Take it for a pattern."""
            return self.inner.search(text.replace("%", ""), **wanted)


class MoreAllocatedThanThereIs(Sound):
    """An allocation that does not fit is taken without a word."""

    class the_ledger(Repository):  # noqa: N801
        """Trusts everybody."""

        def allocate(self, *allocations: Any) -> None:
            """No questions asked."""
            with suppress(LedgerError):
                self.inner.allocate(*allocations)


class AllocatedBeforeItsDay(Sound):
    """An allocation counts as soon as the entry is there, whatever its day."""

    class the_ledger(Repository):  # noqa: N801
        """Forgets the day of the allocation."""

        def open_items(self, customer_id: str, as_of: dt.date) -> Any:
            """What is open at the end of time."""
            found = self.inner.open_items(customer_id, dt.date.max)
            return [item for item in found if item.entry.date <= as_of]


class WhatIsSentWaits(Sound):
    """The queue is said to be as long as it ever was."""

    class the_mails(Repository):  # noqa: N801
        """Never takes anything off."""

        def waiting(self) -> Any:
            """The longest so far."""
            self.kept.append(self.inner.waiting())
            return max(self.kept, key=lambda one: one[0])


class MovedTokensCountLast(Sound):
    """What is moved to another id becomes its latest token."""

    class the_tokens(Repository):  # noqa: N801
        """Keeps the order in which all were added."""

        def move_customer(self, customer_id: str, new_id: str) -> int:
            """As for an erasure."""
            return int(self.inner.rename_customer(customer_id, new_id))


class MovedEmailsAreForgotten(Sound):
    """What was and what is to be e-mailed to the old id is no more."""

    class the_mails(Repository):  # noqa: N801
        """Takes them for those of somebody else."""

        def move_customer(self, customer_id: str, new_id: str) -> int:
            """All of them are of the same run, as it were."""
            return int(self.inner.erase(customer_id))


class MovedEmailsComeBack(Sound):
    """What becomes of an e-mail is stored with the customer that it was claimed for."""

    class the_mails(Repository):  # noqa: N801
        """Takes the whole e-mail for what became of it."""

        def change(self, before: Mail, after: Mail) -> bool:
            """Bring the customer along."""
            changed = bool(self.inner.change(before, after))
            found = self.inner.get(before.id)
            if changed and found.customer_id != before.customer_id:
                self.inner.move_customer(found.customer_id, before.customer_id)
            return changed


class RetentionKnowsNoLimit(Sound):
    """All that is old goes at once, however much it is."""

    class the_audit(Repository):  # noqa: N801
        """Removes everything."""

        def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
            """Does not count."""
            return int(self.inner.prune(before, limit=10**6))


class SumsAsFloats(Sound):
    """Balances pass through a float."""

    class the_ledger(Repository):  # noqa: N801
        """Adds as SQL does with text."""

        def balances(self, customer_id: str, *, before: dt.date) -> Any:
            """About so much."""
            found = self.inner.balances(customer_id, before=before)
            return {currency: Decimal(float(amount)) for currency, amount in found.items()}


# --- each through the kit, in three lines -------------------------------------------------


class TestSound(FullStorageConformance):
    """The control: a storage without a fault."""

    @pytest.fixture
    def storage(self) -> Any:
        """A new storage."""
        return Sound()


for _broken in Sound.__subclasses__():
    globals()[f"Test{_broken.__name__}"] = type(
        f"Test{_broken.__name__}",
        (FullStorageConformance,),
        {
            "__doc__": _broken.__doc__,
            "__module__": __name__,
            "storage": pytest.fixture(lambda self, broken=_broken: broken()),
        },
    )
