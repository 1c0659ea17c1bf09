"""Use cases: which e-mails are due, who may get one, and what became of each.

How an e-mail looks and travels is not known here; `basis_portal.mail` does that. One is taken in
a transaction of its own before it is sent, and its outcome is noted after: whatever happens in
between, it is not sent a second time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import attrs

from .admission import Admitted
from .context import Context, log, staff_name
from .domain.audit import AuditEntry, AuditEvent
from .domain.checks import check_id, check_member
from .domain.config import PortalConfig, check_expiry_days
from .domain.customers import Customer
from .domain.instants import next_minute
from .domain.mail import (
    CLAIM_HOLDS,
    GIVE_UP_AFTER,
    MAILS_AT_ONCE,
    MAILS_WITHIN,
    PROBLEM_LIMIT,
    RETRY_AFTER,
    RETRY_AT_MOST,
    Mail,
    MailKind,
    MailStatus,
)
from .domain.paging import Page, check_limit, instant_key, make_page
from .domain.portal_token import PortalToken, TokenStatus, check_token_id
from .domain.url_keys import document_path
from .errors import (
    CustomerBlocked,
    CustomerNotFound,
    DocumentNotFound,
    InvalidValue,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    NoActiveToken,
    NoMailAddress,
    PortalNotAvailable,
    StorageError,
    TooManyMails,
    one_line,
    shown,
)
from .links import new_token_id
from .outgoing import EXPIRING_NAMED, AddressOf, MailSkip, Outgoing, Turn, full_until, has_run_out
from .repositories import UnitOfWork
from .tokens import BATCH, IssueResult, TokenService
from .visible import Visible


@attrs.define(frozen=True)
class RunReport:
    """How far a run has come; each customer of it is in one of the numbers.

    Attributes:
        run: its id, or None for what is of no run.
        queued: still to be sent.
        sending: a worker has them, or had them when it was ended.
        sent: the mail server took them.
        failed: not sent.
        unknown: may have been sent; not sent again.
        skipped: not to be sent when their turn came.
    """

    run: str | None
    queued: int = 0
    sending: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """How many there are in all."""
        return sum(attrs.astuple(self)[1:])

    @property
    def is_done(self) -> bool:
        """True where nothing is left to be sent or being sent."""
        return not (self.queued or self.sending)


class Mailing:
    """The e-mails of a portal, but for their words and their way.

    All raise `PortalNotAvailable` where the edition or feature does not give the portal, and
    nothing is sent while the master switch is off: what is queued waits.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    # --- asked for

    def begin(
        self,
        customer_id: str,
        address_of: AddressOf,
        *,
        by: str | None = None,
        mail_id: str | None = None,
    ) -> Outgoing:
        """Start an e-mail with the link of the customer's active token, to be sent at once.

        `sent` or `failed` must follow, but where ``mail_id`` was there before: then nothing is
        started, and what is returned is that e-mail as it stands, without a link.

        Args:
            customer_id: whose link.
            address_of: finds the address on file.
            by: who sends it.
            mail_id: the id it is to have, or None for a new one. Of a form that is sent twice,
                and so brings it twice, one e-mail is made. It has the form of a token id.

        Raises:
            CustomerNotFound, CustomerBlocked: the customer gets no link.
            NoMailAddress: there is no one address on file.
            NoActiveToken: there is no link to send.
            TooManyMails: 5 e-mails with a link went to the customer in the last 30 minutes.
            PortalNotAvailable: the portal is off, so the link would show nothing.
            InvalidValue: an argument breaks its rule, or the id is that of another e-mail.
        """
        self._context.require_management()
        own_id = new_token_id() if mail_id is None else check_token_id("mail_id", mail_id)
        customer = self._context.welcome_customer(customer_id)
        address, who, now = address_of(customer), staff_name(by), self._context.now()

        def work(unit: UnitOfWork) -> Outgoing:
            if mail_id is not None and (begun := unit.mails.get(own_id)):
                return Outgoing(_same(begun, customer_id, who))
            config = _require_switch(unit)
            token = unit.tokens.latest([customer_id]).get(customer_id)
            if token is None or token.status_at(now) is not TokenStatus.ACTIVE:
                raise NoActiveToken(
                    f"customer {shown(customer_id)} has no active token, so there is no link to "
                    "send",
                    customer_id=customer_id,
                )
            if retry_at := full_until(unit, customer_id, now, MAILS_AT_ONCE):
                raise _too_many(retry_at)
            mail = Mail(
                own_id,
                MailKind.LINK,
                now,
                now,
                MailStatus.SENDING,
                customer_id,
                who,
                attempts=1,
                claimed_at=now,
                token_id=token.id,
                address=address,
            )
            unit.mails.add([mail])
            return Turn(self._context, unit, mail, customer, config, now).with_link(token)

        return self._context.transact(work, lock=[customer_id])

    def invoice_link(
        self, customer_id: str, *, document_id: str | None = None, by: str | None = None
    ) -> str:
        """The customer's link for an e-mail of the host's own, to a document of it if asked.

        An active token is kept, a new one issued as by `TokenService.ensure`. Audited as copied.

        Raises:
            AccessRevoked: staff revoked the latest token.
            CustomerNotFound, CustomerBlocked: the customer gets no link.
            DocumentNotFound: the customer cannot see the document now.
            InvalidValue: an argument breaks its rule.
        """
        self._context.require_management()
        path = ""
        if document_id is not None:
            customer, now = self._context.welcome_customer(customer_id), self._context.now()
            config = self._context.storage.settings.get().config
            Visible(self._context, Admitted(customer, config, now, None)).document(document_id)
            path = document_path(document_id)
        tokens = TokenService(self._context)
        tokens.ensure(customer_id, by=by)
        try:
            return tokens.link(customer_id, by=by) + path
        except NoActiveToken:  # it ended since: by a revoke, as a second try says, or by its time
            tokens.ensure(customer_id, by=by)
            return tokens.link(customer_id, by=by) + path

    def queue_links(
        self, customer_ids: Iterable[str], *, run: str, by: str | None = None
    ) -> Iterator[tuple[str, bool]]:
        """Queue an e-mail with the link for each customer, once for each run.

        Works in transactions of at most 1,000 and yields after each commit the ids, and
        whether each was queued now: False where the run has the customer already. Repeating it
        is harmless. Who has no active token gets one when the e-mail is sent, as by
        `TokenService.ensure`.

        Raises:
            InvalidValue: an id is none; what came before it is queued. So it is where the
                iterable fails: its error comes last.
        """
        self._context.require_management()
        check_id("run", run)
        if isinstance(customer_ids, str | bytes) or not isinstance(customer_ids, Iterable):
            raise InvalidValue.of("customer_ids", customer_ids, "must be an iterable of ids")
        return self._queue_links(iter(customer_ids), run, staff_name(by))

    def _queue_links(self, ids: Iterator[str], run: str, who: str) -> Iterator[tuple[str, bool]]:
        failure: Exception | None = None
        while failure is None:
            batch, failure = _collected(ids)
            if not batch:
                break
            now = self._context.now()
            mails = [
                Mail(new_token_id(), MailKind.LINK, now, now, customer_id=one, by=who, run=run)
                for one in batch
            ]
            added = set(
                self._context.transact(
                    lambda unit, mails=mails: unit.mails.add(mails),  # type: ignore[misc]
                    lock=list(dict.fromkeys(batch)),
                )
            )
            yield from ((str(one.customer_id), one.id in added) for one in mails)
        if failure is not None:
            raise failure

    def issue(
        self, customer_ids: Iterable[str], *, run: str, by: str | None = None, anew: bool = False
    ) -> Iterator[IssueResult]:
        """Issue tokens to many, and queue an e-mail to each who gets one and has an address.

        Both are one: a transaction that fails leaves neither the token nor the e-mail, and
        repeating it goes on. Who keeps an active token is not e-mailed.

        Args:
            customer_ids: whom, as for `TokenService.ensure_many`.
            run: the run the e-mails are part of; each customer gets one of it.
            by: who acts.
            anew: True as by `TokenService.regenerate_many`, also after a revoke.

        Raises:
            InvalidValue: an argument breaks its rule, or an id is none; what was yielded before
                is committed.
        """
        check_id("run", run)
        who = staff_name(by)

        def announce(unit: UnitOfWork, issued: Sequence[IssueResult]) -> None:
            unit.mails.add([mail for one in issued if (mail := _announcing(one, run, who))])

        tokens = TokenService(self._context, with_issued=announce)
        return (tokens.regenerate_many if anew else tokens.ensure_many)(customer_ids, by=by)

    def ask_for_renewal(self, text: object) -> None:
        """Queue a new link for whoever holds an expired one; nothing tells whether it was.

        It is queued at most once in 30 minutes for a customer. Whether the customer gets it is
        decided when it is sent.

        Args:
            text: the last part of the link, as it came.

        Raises:
            PortalNotAvailable: edition, feature or master switch is off, whatever the link.
            StorageError: the storage cannot be read. Where it cannot be written the log says so
                alone: for a genuine link an error would tell that it is one.
        """
        if not self._context.gate_is_open():
            raise PortalNotAvailable
        if not self._context.storage.settings.get().config.enabled:
            raise PortalNotAvailable
        token_id, now = self._context.links.read(text), self._context.now()
        token = None if token_id is None else self._context.storage.tokens.get(token_id)
        if token is None or not has_run_out(token, now):
            return
        customer_id = token.customer_id

        def work(unit: UnitOfWork) -> None:
            still = unit.tokens.get(token.id)
            if still is None or still.customer_id != customer_id:
                return  # the customer was erased or moved since
            last = unit.mails.latest(customer_id, MailKind.RENEWAL)
            if last is None or not _holds_back(last, now):
                renewal = Mail(
                    new_token_id(),
                    MailKind.RENEWAL,
                    now,
                    now,
                    customer_id=customer_id,
                    about=token.id,
                )
                unit.mails.add([renewal])

        try:
            self._context.transact(work, lock=[customer_id])
        except StorageError:
            log().exception("a new link was asked for, and could not be queued")

    def queue_expiry_notice(self, *, within_days: int = 7, by: str | None = None) -> Mail | None:
        """Queue a notice to staff of the links that expire within some days.

        One waits at a time: a second call gives the one that does. None, and nothing is queued,
        where no link expires so soon. Raises `InvalidValue`.
        """
        self._context.require_management()
        days, who, now = check_days(within_days), staff_name(by), self._context.now()
        if not self._context.storage.tokens.page(
            now=now, expires_before=now + dt.timedelta(days=days), limit=1
        ):
            return None
        mail = Mail(new_token_id(), MailKind.EXPIRING, now, now, by=who, about=str(days))

        def work(unit: UnitOfWork) -> Mail:
            waiting = next(_waiting(unit, MailKind.EXPIRING), None)
            if waiting is None:
                unit.mails.add([mail])
            return waiting or mail

        return self._context.transact(work)

    def notify(self, *kinds: MailKind) -> None:
        """From now on, in this process, messages queue notices of these kinds."""
        self._context.notices.update(check_member("kinds", one, MailKind) for one in kinds)

    def notifies(self, kind: MailKind) -> bool:
        """True where messages in this process queue notices of a kind."""
        return kind in self._context.notices

    # --- one by one

    def claim(self, *, run: str | None = None) -> Mail | None:
        """Take the e-mail that is due first; None where none is, or while the portal is off."""
        self._context.require_management()
        if run is not None:
            check_id("run", run)
        now = self._context.now()

        def work(unit: UnitOfWork) -> Mail | None:
            if not unit.settings.get().config.enabled:
                return None
            return unit.mails.claim(now, run=run)

        return self._context.transact(work)

    def prepare(self, mail: Mail, address_of: AddressOf) -> Outgoing | Mail:
        """What a claimed e-mail is made of; or the e-mail, where it is not sent after all.

        The latter is noted already. Who may get it is looked at anew: a customer who is blocked
        or whose access staff revoked meanwhile gets nothing.
        """
        self._context.require_management()
        if mail.kind is MailKind.EXPIRING:
            return self._prepare_expiry_notice(mail)
        try:
            customer = self._context.welcome_customer(str(mail.customer_id))
            address = None if mail.kind.is_to_staff else address_of(customer)
        except CustomerNotFound:
            return self._skip(mail, MailSkip.UNKNOWN)
        except CustomerBlocked:
            return self._skip(mail, MailSkip.BLOCKED)
        except NoMailAddress:
            return self._skip(mail, MailSkip.NO_ADDRESS)
        now = self._context.now()

        def work(unit: UnitOfWork) -> Outgoing | Mail | MailSkip:
            config = unit.settings.get().config
            if unit.mails.get(mail.id) != mail:
                return mail  # it took us so long that others gave it up
            turn = Turn(self._context, unit, mail, customer, config, now)
            return turn.for_staff() if address is None else turn.for_customer(address)

        found = self._context.transact(work, lock=[customer.id])
        if isinstance(found, MailSkip):
            return self._skip(mail, found)
        # The host is asked outside the transaction: nobody waits for it who has a token to revoke.
        return self._with_numbers(found, now) if isinstance(found, Outgoing) else found

    def _with_numbers(self, out: Outgoing, now: dt.datetime) -> Outgoing:
        """With the numbers of the documents that messages are about, if the customer sees them."""
        asked = {one.document_id for one in out.messages if one.document_id is not None}
        if not asked or out.customer is None:
            return out
        config = self._context.storage.settings.get().config
        visible = Visible(self._context, Admitted(out.customer, config, now, None))
        numbers = {}
        for document_id in asked:
            try:
                numbers[document_id] = visible.document(document_id).number
            except DocumentNotFound:
                continue
        return attrs.evolve(out, numbers=numbers)

    def _prepare_expiry_notice(self, mail: Mail) -> Outgoing | Mail:
        now, days = self._context.now(), int(mail.about or 1)
        rows = list(islice(self._expiring(now, now + dt.timedelta(days=days)), EXPIRING_NAMED + 1))
        if not rows:
            return self._skip(mail, MailSkip.NOTHING_NEW)
        more = len(rows) > EXPIRING_NAMED
        return Outgoing(mail, expiring=tuple(rows[:EXPIRING_NAMED]), more=more)

    def _expiring(
        self, now: dt.datetime, before: dt.datetime
    ) -> Iterator[tuple[Customer, PortalToken]]:
        """Customers who still have access, and their tokens that expire before an instant."""
        after: tuple[dt.datetime, str] | None = None
        while found := self._context.storage.tokens.page(
            now=now, expires_before=before, after=after, limit=BATCH
        ):
            customers = self._context.customers.get_many([one.customer_id for one in found])
            for token in found:
                customer = customers.get(token.customer_id)
                if customer and customer.id == token.customer_id and not customer.blocked:
                    yield customer, token
            after = (found[-1].expires_at, found[-1].id)

    # --- what became of it

    def sent(self, out: Outgoing) -> Mail:
        """Note that the mail server took an e-mail, in the trail too where it brings a link."""
        now, mail = self._context.now(), out.mail
        done = attrs.evolve(mail, status=MailStatus.SENT, settled_at=now, problem=None)
        self._settle(mail, done, AuditEvent.LINK_MAILED, mail.address, now)
        return done

    def failed(self, mail: Mail, error: MailError, *, again: bool) -> Mail:
        """Note why an e-mail was not sent, or may not have been; the token stays as it is.

        With ``again`` it waits for another try where it is certain that it was not sent and the
        server may take it later; after three days it is given up.
        """
        now, problem = self._context.now(), shown_problem(error)
        refused = isinstance(error, MailRefused) and not error.temporary
        if isinstance(error, MailOutcomeUnknown):
            done = attrs.evolve(mail, status=MailStatus.UNKNOWN, settled_at=now, problem=problem)
        elif again and not refused and now - mail.queued_at < GIVE_UP_AFTER:
            wait = min(RETRY_AFTER * mail.attempts, RETRY_AT_MOST)
            due_at = now + wait
            done = attrs.evolve(mail, status=MailStatus.QUEUED, due_at=due_at, problem=problem)
        else:
            done = attrs.evolve(mail, status=MailStatus.FAILED, settled_at=now, problem=problem)
        is_end = done.status is not MailStatus.QUEUED
        self._settle(mail, done, AuditEvent.LINK_NOT_MAILED if is_end else None, problem, now)
        return done

    def _settle(
        self, mail: Mail, done: Mail, event: AuditEvent | None, detail: str | None, now: dt.datetime
    ) -> None:
        """Note an outcome, and in the trail an event of the link, where the e-mail brings one.

        Under whoever has the e-mail by now: the customer may have been moved or erased since.
        """

        def work(unit: UnitOfWork) -> None:
            stored = _store_outcome(unit, mail, done)
            if stored and event and mail.token_id is not None:
                owner = stored.customer_id
                entry = AuditEntry(now, event, mail.by, owner, mail.token_id, detail=detail)
                unit.audit.append([entry])

        found = self._context.storage.mails.get(mail.id)
        self._context.transact(work, lock=sorted({*_customers(mail), *_customers(found or mail)}))

    def give_up_lost(self) -> int:
        """Note as of unknown outcome what has been sent for 10 minutes; how many there were.

        Whoever had it was ended, and nobody knows whether before or after the server took it.
        What was taken and not made yet (`prepare`) was not sent either: it is queued again.
        """
        self._context.require_management()
        now, found = self._context.now(), 0
        unknown = {"status": MailStatus.UNKNOWN, "settled_at": now, "problem": None}
        again = {"status": MailStatus.QUEUED, "due_at": now, "claimed_at": None}
        while lost := self._context.storage.mails.claimed_before(now - CLAIM_HOLDS, limit=BATCH):

            def work(unit: UnitOfWork, lost: Sequence[Mail] = lost) -> tuple[int, int]:
                changed = [0, 0]
                for one in lost:
                    change = unknown if _was_made(one) else again
                    done = unit.mails.change(one, attrs.evolve(one, **change))  # type: ignore[arg-type]
                    changed[_was_made(one)] += done
                return changed[0], changed[1]

            queued, given_up = self._context.transact(work)
            found += given_up
            if not queued + given_up:
                break
        if found:
            log().warning("%d e-mails may have been sent by a worker that ended", found)
        return found

    def give_up_queued(self) -> int:
        """Note as of unknown outcome all that is queued, due or not; how many there were.

        After a backup was restored: what was queued then may have been sent since. Works in
        transactions of one each, so that repeating it is harmless.
        """
        self._context.require_management()
        now, found = self._context.now(), 0

        def work(unit: UnitOfWork) -> bool:
            taken = unit.mails.claim(dt.datetime.max.replace(tzinfo=dt.UTC))
            if taken is None:
                return False
            change = {"status": MailStatus.UNKNOWN, "claimed_at": None, "settled_at": now}
            return unit.mails.change(taken, attrs.evolve(taken, **change))  # type: ignore[arg-type]

        while self._context.transact(work):
            found += 1
        return found

    def _skip(self, mail: Mail, why: MailSkip) -> Mail:
        now = self._context.now()
        done = attrs.evolve(mail, status=MailStatus.SKIPPED, settled_at=now, problem=why.value)
        self._context.transact(lambda unit: unit.mails.change(mail, done), lock=_customers(mail))
        return done

    # --- what staff look at

    def last_sent(self, customer_ids: Iterable[str]) -> Mapping[str, Mail]:
        """The e-mail that last brought a link to each of up to 1,000 customers, by id."""
        self._context.require_management()
        ids = [check_id("customer_ids", one) for one in customer_ids]
        return self._context.storage.mails.last_sent(ids)

    def of_customer(
        self, customer_id: str, *, after: str | None = None, limit: int = 50
    ) -> Page[Mail]:
        """A customer's e-mails, newest first; ``after`` is the ``next`` of an earlier page."""
        self._context.require_management()
        check_id("customer_id", customer_id)
        check_limit(limit)
        found = self._context.storage.mails.of_customer(
            customer_id, after=instant_key(after), limit=limit + 1
        )
        return make_page(found, limit, _key)

    def report(self, run: str | None = None) -> RunReport:
        """How far a run has come, or with None all that is of no run."""
        self._context.require_management()
        if run is not None:
            check_id("run", run)
        found = self._context.storage.mails.counts(run)
        return RunReport(run, **{status.value: count for status, count in found.items()})

    def of_run(
        self, run: str | None, status: MailStatus, *, after: str | None = None, limit: int = 50
    ) -> Page[Mail]:
        """E-mails of a run, or with None of no run, that have a status, oldest first."""
        self._context.require_management()
        if run is not None:
            check_id("run", run)
        check_member("status", status, MailStatus)
        check_limit(limit)
        found = self._context.storage.mails.page(
            run, status, after=instant_key(after), limit=limit + 1
        )
        return make_page(found, limit, _key)


def _announcing(result: IssueResult, run: str, who: str) -> Mail | None:
    """The e-mail with a token that was issued; None where there is no address to send it to."""
    token, customer = result.token, result.customer
    if token is None or customer is None or not customer.email:
        return None
    at = token.issued_at
    return Mail(new_token_id(), MailKind.LINK, at, at, customer_id=customer.id, by=who, run=run)


def _collected(ids: Iterator[str]) -> tuple[list[str], Exception | None]:
    """Up to 1,000 ids, and the error that ended them earlier, if any."""
    batch: list[str] = []
    try:
        batch.extend(check_id("customer_ids", one) for one in islice(ids, BATCH))
    except Exception as error:
        return batch, error
    return batch, None


def check_days(days: object) -> int:
    """A number of days to look ahead, 1 to 365."""
    return check_expiry_days("within_days", days)


def shown_problem(error: MailError) -> str:
    """Why an e-mail was not sent, on one line, as it is kept and shown."""
    return one_line(str(error), PROBLEM_LIMIT) or type(error).__name__


def _holds_back(last: Mail, now: dt.datetime) -> bool:
    """True where a renewal waits, or was asked for a while ago.

    One that was queued by a clock that was ahead holds nobody back until then.
    """
    waits = last.status is MailStatus.QUEUED and last.queued_at <= now
    return waits or abs(now - last.queued_at) < MAILS_WITHIN


def _waiting(unit: UnitOfWork, kind: MailKind) -> Iterator[Mail]:
    """The queued e-mails of a kind that are of no run."""
    after: tuple[dt.datetime, str] | None = None
    while found := unit.mails.page(None, MailStatus.QUEUED, after=after, limit=BATCH):
        yield from (one for one in found if one.kind is kind)
        after = (found[-1].queued_at, found[-1].id)


def _was_made(mail: Mail) -> bool:
    """True where a claimed e-mail may have been handed over: `prepare` notes what it is made of."""
    if mail.kind is MailKind.EXPIRING:
        return True
    return (mail.about if mail.kind is MailKind.MESSAGE else mail.address) is not None


def _customers(mail: Mail) -> list[str]:
    return [] if mail.customer_id is None else [mail.customer_id]


def _key(mail: Mail) -> tuple[str, str]:
    return (mail.queued_at.isoformat(), mail.id)


def _require_switch(unit: UnitOfWork) -> PortalConfig:
    config = unit.settings.get().config
    if not config.enabled:
        raise PortalNotAvailable(
            "Portal not available: it is switched off, so nothing is e-mailed; the link would "
            "show nothing"
        )
    return config


def _same(begun: Mail, customer_id: str, who: str) -> Mail:
    """An e-mail that was begun before, if this is it that is asked for again."""
    if (begun.kind, begun.customer_id, begun.by) != (MailKind.LINK, customer_id, who):
        raise InvalidValue("mail_id is that of another e-mail", field="mail_id")
    return begun


def _too_many(retry_at: dt.datetime) -> TooManyMails:
    return TooManyMails(
        f"{MAILS_AT_ONCE} e-mails with a link went to the customer in the last "
        f"{MAILS_WITHIN // dt.timedelta(minutes=1)} minutes; the next may be sent at "
        f"{next_minute(retry_at):%H:%M} UTC",
        retry_at=retry_at,
    )


def _store_outcome(unit: UnitOfWork, mail: Mail, done: Mail) -> Mail | None:
    """Store the outcome, also where the e-mail was meanwhile taken for one of unknown outcome.

    What is stored then; None where nothing was.
    """
    if not unit.mails.change(mail, done):
        found = unit.mails.get(mail.id)
        if found is None or (found.status, found.attempts) != (MailStatus.UNKNOWN, mail.attempts):
            return None
        again = attrs.evolve(done, customer_id=found.customer_id)
        if not unit.mails.change(found, again):
            return None
    return unit.mails.get(mail.id)
