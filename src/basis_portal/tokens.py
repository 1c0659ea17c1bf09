"""Use cases: staff generate, copy, revoke and regenerate the tokens behind portal links."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

import attrs
from dateutil.relativedelta import relativedelta

from .admission import judge_token
from .context import HOUR, Context, staff_name
from .domain.audit import AuditEntry, AuditEvent, Cause
from .domain.checks import check_id, check_line, check_member, trusted
from .domain.config import check_expiry_days
from .domain.customers import Customer
from .domain.paging import Page, check_limit, instant_key, make_page
from .domain.portal_token import (
    EndedAs,
    PortalToken,
    TokenStatus,
    check_reason,
    check_token_id,
)
from .errors import (
    AccessRevoked,
    ActiveTokenExists,
    InvalidValue,
    NoActiveToken,
    TokenChanged,
)
from .errors import shown as readable
from .links import new_token_id
from .repositories import UnitOfWork

if TYPE_CHECKING:
    from .pasted_links import Flaw

BATCH = 1000


class Outcome(StrEnum):
    """What became of one customer of `TokenService.ensure_many` or `regenerate_many`."""

    ISSUED = "issued"
    EXISTING = "existing"
    SKIPPED = "skipped"


class Skipped(StrEnum):
    """Why a customer was left out."""

    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    REVOKED = "revoked"


@attrs.define(frozen=True)
class IssueResult:
    """What became of one customer.

    Attributes:
        customer_id: the id asked for.
        customer: the customer, None where the id is unknown.
        token: the active token, None where skipped.
        outcome: issued, existing or skipped.
        why: why skipped, else None.
    """

    customer_id: str
    customer: Customer | None
    token: PortalToken | None
    outcome: Outcome
    why: Skipped | None = None


@attrs.define(frozen=True)
class LinkCheck:
    """What staff learn of a link a customer complains about.

    Attributes:
        cause: why its token opens nothing, or None where it does. The master switch is not
            looked at: with the portal off no link opens.
        token: the token, None where the text is not one of ours or not complete.
        customer: the token's customer, None where unknown.
        flaw: why the pasted text does not open as it stands, whatever the token, or None:
            "elsewhere" (the address before the token is not that of the portal), "broken"
            (a line break or blank is in it), "added" (something is stuck to it), "detour"
            (it is inside another address, such as a mail filter's, which may lead on to it).
            With "several" there is more than one link in it, and no token is taken; with
            "long" the text was not looked through.
    """

    cause: Cause | None
    token: PortalToken | None
    customer: Customer | None
    flaw: Flaw | None = None

    @property
    def works(self) -> bool:
        """True where the link opens, just as it was pasted, while the portal is on."""
        return self.cause is None and self.flaw is None


WithIssued = Callable[[UnitOfWork, Sequence[IssueResult]], object]
"""What is written together with many issued tokens, in the transaction that issues them."""


class TokenService:
    """Portal tokens: one current per customer, each change audited in its own transaction.

    All but `revoke` and `revoke_all` raise `PortalNotAvailable` where the edition or feature
    does not give the portal. ``by`` names who acts ("system" where nobody is named); ``days``
    is a whole number from 1 to 365 and stands for the setting where it is None.
    """

    def __init__(self, context: Context, *, with_issued: WithIssued | None = None) -> None:
        self._context = context
        self._with_issued = with_issued

    # --- one customer

    def generate(
        self, customer_id: str, *, by: str | None = None, days: int | None = None
    ) -> PortalToken:
        """Issue a token to a customer without an active one; an expired one is closed as replaced.

        Raises:
            ActiveTokenExists: there is an active token; it is in the error.
            CustomerNotFound, CustomerBlocked: the customer gets no token.
            InvalidValue: an argument breaks its rule.
        """
        issuing = self._prepare(customer_id, by, days)

        def work(unit: UnitOfWork) -> PortalToken:
            latest = _latest(unit, customer_id)
            if latest and latest.status_at(issuing.now) is TokenStatus.ACTIVE:
                raise ActiveTokenExists(
                    f"customer {readable(customer_id)} has an active token, issued by "
                    f"{latest.issued_by}; regenerate replaces it",
                    token=latest,
                )
            return issuing.replace(unit, {customer_id: latest})[0]

        return self._context.transact(work, lock=[customer_id])

    def regenerate(
        self,
        customer_id: str,
        *,
        by: str | None = None,
        days: int | None = None,
        if_current: str | None = None,
    ) -> PortalToken:
        """End the current token, if any, and issue a new one, in one transaction.

        Args:
            customer_id: whose token.
            by: who acts.
            days: how long the new one lives.
            if_current: id of the token this is meant to replace.

        Raises:
            TokenChanged: ``if_current`` is no longer current; nothing was issued.
            CustomerNotFound, CustomerBlocked: the customer gets no token.
            InvalidValue: an argument breaks its rule.
        """
        issuing = self._prepare(customer_id, by, days)
        if if_current is not None:
            check_token_id("if_current", if_current)

        def work(unit: UnitOfWork) -> PortalToken:
            latest = _latest(unit, customer_id)
            current = latest.id if latest and latest.is_current else None
            if if_current not in (None, current):
                raise TokenChanged(
                    f"the token of customer {readable(customer_id)} was changed meanwhile; "
                    "nothing was issued",
                    token=latest,
                )
            return issuing.replace(unit, {customer_id: latest})[0]

        return self._context.transact(work, lock=[customer_id])

    def ensure(self, customer_id: str, *, by: str | None = None) -> PortalToken:
        """The active token, or a new one where there never was one or the last has expired.

        Raises:
            AccessRevoked: staff revoked the latest token; only generate or regenerate
                gives access again.
            CustomerNotFound, CustomerBlocked: the customer gets no token.
            InvalidValue: an argument breaks its rule.
        """
        issuing = self._prepare(customer_id, by, None)

        def work(unit: UnitOfWork) -> PortalToken:
            latest = _latest(unit, customer_id)
            status = latest.status_at(issuing.now) if latest else None
            if status is TokenStatus.REVOKED:
                raise AccessRevoked(
                    f"access of customer {readable(customer_id)} was revoked; "
                    "generate a token to give it again",
                    customer_id=customer_id,
                )
            if latest and status is TokenStatus.ACTIVE:
                return latest
            return issuing.replace(unit, {customer_id: latest})[0]

        return self._context.transact(work, lock=[customer_id])

    def revoke(
        self, customer_id: str, *, by: str | None = None, reason: str | None = None
    ) -> PortalToken | None:
        """End the current token, expired or not, at once, and return it as ended.

        Without a current token nothing changes and None is returned. Asks no customer
        repository and works whatever the edition. Raises `InvalidValue`.
        """
        check_id("customer_id", customer_id)
        who, now = staff_name(by), self._context.now()
        if reason is not None:
            check_reason("reason", reason)

        def work(unit: UnitOfWork) -> PortalToken | None:
            latest = _latest(unit, customer_id)
            ended = _revoke(unit, [latest.id] if latest else [], now, who, reason)
            return ended[0] if ended else None

        return self._context.transact(work, lock=[customer_id])

    def link(self, customer_id: str, *, by: str | None = None, shown: bool = False) -> str:
        """The secret address of the customer's active token, signed by the newest key.

        Audited as copied, or as shown on a page if ``shown`` (at most once an hour per
        customer and member of staff).

        Raises:
            NoActiveToken: there is none, or it has expired.
            InvalidValue: an argument breaks its rule.
        """
        self._context.require_management()
        check_id("customer_id", customer_id)
        who, now = staff_name(by), self._context.now()

        def work(unit: UnitOfWork) -> PortalToken:
            latest = _latest(unit, customer_id)
            if latest is None or latest.status_at(now) is not TokenStatus.ACTIVE:
                status = latest.status_at(now) if latest else "none"
                raise NoActiveToken(
                    f"customer {readable(customer_id)} has no active token ({status})",
                    customer_id=customer_id,
                )
            event = AuditEvent.LINK_SHOWN if shown else AuditEvent.LINK_COPIED
            if not shown or rarely(unit, event, customer_id, who, now):
                unit.audit.append([AuditEntry(now, event, who, customer_id, latest.id)])
            return latest

        return self._context.link(self._context.transact(work, lock=[customer_id]).id)

    def get(self, customer_id: str) -> PortalToken | None:
        """The customer's latest token, ended or not, or None. Asks no customer repository."""
        self._context.require_management()
        check_id("customer_id", customer_id)
        return self._context.storage.tokens.latest([customer_id]).get(customer_id)

    # --- many customers

    def latest(self, customer_ids: Iterable[str]) -> Mapping[str, PortalToken]:
        """The latest token, ended or not, of each of these customers that has any, by its id.

        Asks no customer repository. Raises `InvalidValue`.
        """
        self._context.require_management()
        ids, found = iter(_many("customer_ids", customer_ids)), dict[str, PortalToken]()
        while batch := [check_id("customer_ids", one) for one in islice(ids, BATCH)]:
            found.update(self._context.storage.tokens.latest(batch))
        return found

    def ensure_many(
        self, customer_ids: Iterable[str], *, by: str | None = None
    ) -> Iterator[IssueResult]:
        """As `ensure` for each customer, in transactions of at most 1,000.

        Yields after each commit, in the order given; nothing happens before the result is
        iterated. Unknown and blocked customers, and those whose token staff revoked, are
        skipped. Repeating it is harmless. Raises `InvalidValue` for an id that is none;
        what was yielded before is committed.
        """
        self._context.require_management()
        return self._issue_many(_many("customer_ids", customer_ids), staff_name(by), anew=False)

    def regenerate_many(
        self, customer_ids: Iterable[str], *, by: str | None = None
    ) -> Iterator[IssueResult]:
        """As `regenerate` for each customer, also after a revoke; shaped like `ensure_many`."""
        self._context.require_management()
        return self._issue_many(_many("customer_ids", customer_ids), staff_name(by), anew=True)

    def revoke_all(self, *, by: str | None = None, reason: str | None = None) -> int:
        """End every current token and return how many: for the day of a leak.

        Works in transactions of at most 1,000, each at once in force, whatever the edition.
        Repeating it is harmless. Raises `InvalidValue`.
        """
        who, now = staff_name(by), self._context.now()
        if reason is not None:
            check_reason("reason", reason)
        storage, revoked, after = self._context.storage, 0, None
        while found := storage.tokens.current_page(after=after, limit=BATCH):
            ids = [token.customer_id for token in found]

            def work(unit: UnitOfWork, ids: Sequence[str] = ids) -> int:
                # Looked up again: a colleague may have regenerated one a moment ago.
                latest = [token.id for token in unit.tokens.latest(ids).values()]
                return len(_revoke(unit, latest, now, who, reason))

            revoked += self._context.transact(work, lock=ids)
            after = ids[-1]
        return revoked

    # --- what staff look at

    def list(
        self,
        *,
        status: TokenStatus | None = None,
        expiring_within: dt.timedelta | None = None,
        key_fingerprint: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[PortalToken]:
        """Each customer's latest token, by expiry, then id.

        Args:
            status: only tokens that stand so now.
            expiring_within: only active tokens that expire within this time.
            key_fingerprint: only tokens issued under this key; see `key_fingerprints`.
            after: the ``next`` of an earlier page.
            limit: 1 to 200.

        Raises:
            InvalidValue: an argument breaks its rule.
        """
        self._context.require_management()
        check_limit(limit)
        if status is not None:
            check_member("status", status, TokenStatus)
        if key_fingerprint is not None:
            check_line("key_fingerprint", key_fingerprint, limit=64, least=0)
        now = self._context.now()
        found = self._context.storage.tokens.page(
            status=status,
            now=now,
            expires_before=None if expiring_within is None else _within(now, expiring_within),
            key_fingerprint=key_fingerprint,
            after=instant_key(after),
            limit=limit + 1,
        )
        return make_page(found, limit, lambda token: (token.expires_at.isoformat(), token.id))

    def count(self, status: TokenStatus) -> int:
        """How many customers' latest tokens stand so now."""
        self._context.require_management()
        check_member("status", status, TokenStatus)
        return self._context.storage.tokens.count(status, now=self._context.now())

    def history(self, customer_id: str) -> tuple[PortalToken, ...]:
        """All tokens a customer ever had, the oldest first."""
        self._context.require_management()
        check_id("customer_id", customer_id)
        return tuple(self._context.storage.tokens.history(customer_id))

    def last_opened(self, token_ids: Iterable[str]) -> Mapping[str, dt.datetime]:
        """The instant (UTC) of the last noted opening of those of these tokens that have one."""
        self._context.require_management()
        ids = [check_token_id("token_ids", one) for one in _many("token_ids", token_ids)]
        return self._context.storage.tokens.last_opened(ids)

    @property
    def key_fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of the secret keys, oldest first: whose mailed links die with a key."""
        return self._context.links.fingerprints

    def check(self, text: str) -> LinkCheck:
        """Tell whose link a pasted text holds, and why it fails. The text is never kept.

        It may be a whole address, or a whole mail of up to 20,000 characters. A token is
        recognised also where a mail program broke or wrapped its link; ``flaw`` tells so.
        """
        from .pasted_links import find_link  # only where something is pasted

        context = self._context
        context.require_management()
        token_id, flaw = find_link(text, context.links.read, context.base_url)
        if token_id is None:
            return LinkCheck(Cause.UNREADABLE, None, None, flaw)
        token = context.storage.tokens.get(token_id)
        if token is None:
            return LinkCheck(Cause.UNKNOWN, None, None, flaw)
        judged = judge_token(token, context.now(), context.customers.get)
        if isinstance(judged, Customer):
            return LinkCheck(None, token, judged, flaw)
        if judged is Cause.FAULT:
            return LinkCheck(judged, token, None, flaw)
        customer = context.customers.get(token.customer_id)
        return LinkCheck(judged, token, customer, flaw)

    # --- issuing

    def _prepare(self, customer_id: str, by: str | None, days: int | None) -> Issuing:
        self._context.require_management()
        who = staff_name(by)
        if days is not None:
            check_expiry_days("days", days)
        self._context.welcome_customer(customer_id)
        return Issuing(self._context, self._context.now(), who, days)

    def _issue_many(
        self, customer_ids: Iterable[str], who: str, *, anew: bool
    ) -> Iterator[IssueResult]:
        ids, done = iter(customer_ids), set[str]()
        while batch := [check_id("customer_ids", one) for one in islice(ids, BATCH)]:
            # An id that comes again must not end the token it was given just before.
            yield from self._issue_batch(batch, who, done.intersection(batch) if anew else {*batch})
            if anew:
                done.update(batch)

    def _issue_batch(self, batch: Sequence[str], who: str, stay: Set[str]) -> Sequence[IssueResult]:
        """Issue to a batch in one transaction; who is in ``stay`` keeps an active token."""
        self._context.require_management()
        customers = self._context.customers.get_many(list(dict.fromkeys(batch)))
        issuing = Issuing(self._context, self._context.now(), who, None)
        welcome = [one for one in dict.fromkeys(batch) if _is_welcome(customers.get(one), one)]

        def work(unit: UnitOfWork) -> dict[str, IssueResult]:
            latest = unit.tokens.latest(welcome)
            kept = issuing.keep([one for one in welcome if one in stay], latest, customers)
            due = {one: latest.get(one) for one in welcome if one not in kept}
            issued = issuing.replace(unit, due)
            for token in issued:
                one = token.customer_id
                kept[one] = IssueResult(one, customers[one], token, Outcome.ISSUED)
            if self._with_issued is not None:
                self._with_issued(unit, [kept[token.customer_id] for token in issued])
            return kept

        done = self._context.transact(work, lock=welcome) if welcome else {}
        return _in_order(batch, done, customers)


@attrs.define(frozen=True, slots=False, eq=False, repr=False)
class Issuing:
    """One act of issuing: when, by whom, for how long."""

    context: Context
    now: dt.datetime
    who: str
    days: int | None

    def keep(
        self,
        customer_ids: Iterable[str],
        latest: Mapping[str, PortalToken],
        customers: Mapping[str, Customer],
    ) -> dict[str, IssueResult]:
        """The results of customers whose active token stays, or whose revoke is not undone."""
        kept = {}
        for one in customer_ids:
            token = latest.get(one)
            status = token.status_at(self.now) if token else None
            if status is TokenStatus.ACTIVE:
                kept[one] = IssueResult(one, customers[one], token, Outcome.EXISTING)
            elif status is TokenStatus.REVOKED:
                kept[one] = _skip(one, customers[one], Skipped.REVOKED)
        return kept

    def replace(
        self, unit: UnitOfWork, latest: Mapping[str, PortalToken | None]
    ) -> list[PortalToken]:
        """End what is current of these customers' latest tokens and issue new ones."""
        current = [token.id for token in latest.values() if token and token.is_current]
        replaced = {}
        if current:
            ended = unit.tokens.end(current, at=self.now, by=self.who, how=EndedAs.REPLACED)
            replaced = {token.customer_id: token.id for token in ended}
        expires_at = self._expires_at(unit)
        issued = [self._new(one, expires_at, replaced.get(one)) for one in latest]
        unit.tokens.add(issued)
        unit.audit.append(self._trail(issued))
        return issued

    def _expires_at(self, unit: UnitOfWork) -> dt.datetime:
        days = self.days or unit.settings.get().config.token_expiry_days
        try:
            expires_at: dt.datetime = self.now + relativedelta(days=days)
        except (OverflowError, ValueError):
            raise InvalidValue.of(
                "clock()", self.now, f"must be {days} days before 10000"
            ) from None
        return expires_at

    def _new(self, customer_id: str, expires_at: dt.datetime, replaces: str | None) -> PortalToken:
        return trusted(
            PortalToken,
            id=new_token_id(),
            customer_id=customer_id,
            issued_at=self.now,
            issued_by=self.who,
            expires_at=expires_at,
            ended_at=None,
            ended_by=None,
            ended_as=None,
            reason=None,
            replaces=replaces,
            key_fingerprint=self.context.links.fingerprint,
        )

    def _trail(self, issued: Iterable[PortalToken]) -> list[AuditEntry]:
        entries = []
        for token in issued:
            if token.replaces:
                ended = {"token_id": token.replaces, "cause": Cause.REPLACED}
                entries.append(_entry(self.now, AuditEvent.ENDED, self.who, token, **ended))
            entries.append(_entry(self.now, AuditEvent.ISSUED, self.who, token))
        return entries


def _entry(
    now: dt.datetime, event: AuditEvent, who: str, token: PortalToken, **more: object
) -> AuditEntry:
    known = {"token_id": token.id, "cause": None, "detail": None}
    return trusted(
        AuditEntry, at=now, event=event, by=who, customer_id=token.customer_id, **known | more
    )


def rarely(
    unit: UnitOfWork, event: AuditEvent, customer_id: str, who: str, now: dt.datetime
) -> bool:
    """True where this member of staff has no such entry for the customer within an hour."""
    before = unit.audit.last(event, customer_id=customer_id, by=who)
    return before is None or abs(now - before) >= HOUR


def _latest(unit: UnitOfWork, customer_id: str) -> PortalToken | None:
    return unit.tokens.latest([customer_id]).get(customer_id)


def _revoke(
    unit: UnitOfWork, token_ids: Sequence[str], now: dt.datetime, who: str, reason: str | None
) -> Sequence[PortalToken]:
    ended = unit.tokens.end(token_ids, at=now, by=who, how=EndedAs.REVOKED, reason=reason)
    why = {"cause": Cause.REVOKED, "detail": reason}
    unit.audit.append([_entry(now, AuditEvent.ENDED, who, one, **why) for one in ended])
    return ended


def _is_welcome(customer: Customer | None, customer_id: str) -> bool:
    return customer is not None and customer.id == customer_id and not customer.blocked


def _skip(customer_id: str, customer: Customer | None, why: Skipped) -> IssueResult:
    return IssueResult(customer_id, customer, None, Outcome.SKIPPED, why)


def _in_order(
    batch: Iterable[str], done: Mapping[str, IssueResult], customers: Mapping[str, Customer]
) -> list[IssueResult]:
    """The results in the order asked for; an id asked for again finds what the first one made."""
    results, seen = [], set()
    for one in batch:
        result = done.get(one) or _left_out(one, customers.get(one))
        if one in seen and result.outcome is Outcome.ISSUED:
            result = attrs.evolve(result, outcome=Outcome.EXISTING)
        seen.add(one)
        results.append(result)
    return results


def _left_out(customer_id: str, customer: Customer | None) -> IssueResult:
    if customer is None or customer.id != customer_id:
        return _skip(customer_id, None, Skipped.UNKNOWN)
    return _skip(customer_id, customer, Skipped.BLOCKED)


def _many(field: str, ids: Iterable[str]) -> Iterable[str]:
    """``ids``, refused where it is one bare text, which would go letter by letter."""
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise InvalidValue.of(field, ids, "must be an iterable of ids, such as a list")
    return ids


def _within(now: dt.datetime, time: object) -> dt.datetime:
    if not isinstance(time, dt.timedelta) or time <= dt.timedelta(0):
        raise InvalidValue.of("expiring_within", time, "must be a timedelta above 0")
    try:
        return now + time
    except OverflowError:
        return dt.datetime.max.replace(tzinfo=dt.UTC)
