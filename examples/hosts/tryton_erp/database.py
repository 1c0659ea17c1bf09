"""A Tryton database: its modules, a company with a chart of accounts, fiscal years, users.

What is done once in Tryton's client stands here as code. The portal needs nothing of it: it
reads any database that has these modules.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from trytond import backend, config
from trytond.pool import Pool
from trytond.transaction import Transaction, TransactionError

T = TypeVar("T")

NAME = "tryton"
COMPANY = 1  # the first one of a database
MODULES = ["account_invoice", "sale"]
CHART = "account_template_root_en"
ACCOUNTS = ("receivable", "payable", "revenue", "expense")
_LOCKS: dict[str, Any] = {
    "_lock_tables": ["account_journal_period", "ir_sequence", "ir_sequence_strict"]
}


def use_folder(folder: Path) -> None:
    """Say where the database file is, before anything of Tryton opens it."""
    config.set("database", "uri", "sqlite://")
    config.set("database", "path", str(folder))
    Pool.start()


def exists(folder: Path) -> bool:
    """True where the folder has the database."""
    return (folder / f"{NAME}.sqlite").exists()


def open_database() -> None:
    """Load the modules of a database that is there."""
    Pool(NAME).init()


def write(work: Callable[[], T], *, company: int | None = None) -> T:
    """Do some work in one transaction, as Tryton's root user, and commit.

    Tryton asks by an error for the tables to be locked, as its own servers are asked. What it
    puts into its queue (the printing of invoices) is left undone.
    """
    context = {"company": company, "language": "en"}
    while True:
        with Transaction().start(NAME, 0, context=context, **_LOCKS) as transaction:
            try:
                return work()
            except TransactionError as error:
                transaction.rollback()
                error.fix(_LOCKS)
            finally:
                transaction.tasks.clear()


def create_database() -> None:
    """A new database with the modules and what they need."""
    database = backend.Database()
    database.connect()
    database.create(database.get_connection(autocommit=True), NAME)
    database.close()
    backend.Database(NAME).connect().init()
    Pool(NAME).init(update=["res", "ir"], lang=["en"])
    write(_list_modules)
    Pool(NAME).init(update=list(MODULES), lang=["en"], activatedeps=True)


def _list_modules() -> None:
    pool = Pool()
    pool.get("ir.configuration")(1).save()
    pool.get("ir.module").update_list()
    Lang = pool.get("ir.lang")  # noqa: N806 - a model, as Tryton names them
    Lang.write(Lang.search([("code", "in", ["en"])]), {"translatable": True})


# --- the company ----------------------------------------------------------------------------


def create_company(name: str, currency: str, rates: dict[str, str], years: range) -> int:
    """A company with its chart of accounts, open fiscal years, payment terms; its id.

    Args:
        name: of the company.
        currency: that of its books.
        rates: of each other currency, how many of it one of the company's buys.
        years: the fiscal years.
    """
    company = write(lambda: _company(name, currency, rates).id)
    write(lambda: _chart(Pool().get("company.company")(company)), company=company)
    write(lambda: [_fiscal_year(company, year) for year in years], company=company)
    return company


def _company(name: str, currency: str, rates: dict[str, str]) -> Any:
    pool = Pool()
    Currency = pool.get("currency.currency")  # noqa: N806
    known = {one.code for one in Currency.search([])}
    Currency.create(
        [
            {
                "name": code,
                "code": code,
                "symbol": code,
                "rates": [("create", [{"date": dt.date(2000, 1, 1), "rate": Decimal(rate)}])],
            }
            for code, rate in {currency: "1", **rates}.items()
            if code not in known
        ]
    )
    (own,) = Currency.search([("code", "=", currency)])
    (party,) = pool.get("party.party").create([{"name": name, "addresses": [("create", [{}])]}])
    (company,) = pool.get("company.company").create(
        [{"party": party.id, "currency": own.id, "cancel_invoice_out": True}]
    )
    return company


def _chart(company: Any) -> None:
    pool = Pool()
    template = pool.get("account.account.template")(
        pool.get("ir.model.data").get_id("account", CHART)
    )
    Wizard = pool.get("account.create_chart", type="wizard")  # noqa: N806
    session, _, _ = Wizard.create()
    wizard = Wizard(session)
    wizard.account.account_template, wizard.account.company = template, company
    wizard.transition_create_account()
    Wizard.delete(session)
    found = {kind: account_of(kind) for kind in ACCOUNTS}
    configuration = pool.get("account.configuration")(1)
    configuration.default_account_receivable = found["receivable"]
    configuration.default_account_payable = found["payable"]
    configuration.default_category_account_revenue = found["revenue"]
    configuration.default_category_account_expense = found["expense"]
    configuration.currency_exchange_debit_account = found["expense"]
    configuration.currency_exchange_credit_account = found["revenue"]
    configuration.save()


def account_of(kind: str) -> Any:
    """The company's account of a kind: receivable, payable, revenue or expense."""
    company = Transaction().context["company"]
    (account,) = (
        Pool()
        .get("account.account")
        .search(
            [(f"type.{kind}", "=", True), ("company", "=", company), ("closed", "!=", True)],
            limit=1,
        )
    )
    return account


def _fiscal_year(company: int, year: int) -> None:
    pool = Pool()
    moves = _sequence("Account Move", f"{year}", company)
    invoices = _sequence("Invoice", f"INV-{year}-", company)
    credit_notes = _sequence("Invoice", f"CN-{year}-", company)
    FiscalYear = pool.get("account.fiscalyear")  # noqa: N806
    (created,) = FiscalYear.create(
        [
            {
                "name": str(year),
                "company": company,
                "start_date": dt.date(year, 1, 1),
                "end_date": dt.date(year, 12, 31),
                "move_sequence": moves,
                "invoice_sequences": [
                    (
                        "create",
                        [
                            {
                                "company": company,
                                "out_invoice_sequence": invoices,
                                "in_invoice_sequence": invoices,
                                "out_credit_note_sequence": credit_notes,
                                "in_credit_note_sequence": credit_notes,
                            }
                        ],
                    )
                ],
            }
        ]
    )
    FiscalYear.create_period([created])


def create_user(login: str, password: str, company: int, *groups: str) -> int:
    """A user of Tryton's who works for the company; its id.

    Args:
        login: its name to sign in.
        password: at least 8 characters.
        company: whose books it sees.
        groups: of Tryton's account module, such as ``group_account``.
    """
    pool = Pool()
    ids = [pool.get("ir.model.data").get_id("account", one) for one in groups]
    (user,) = pool.get("res.user").create(
        [
            {
                "name": login.title(),
                "login": login,
                "password": password,
                "companies": [("add", [company])],
                "company": company,
                "groups": [("add", ids)],
            }
        ]
    )
    return int(user.id)


def _sequence(kind: str, prefix: str, company: int) -> int:
    pool = Pool()
    (type_,) = pool.get("ir.sequence.type").search([("name", "=", kind)], limit=1)
    (sequence,) = pool.get("ir.sequence.strict").create(
        [
            {
                "name": f"{kind} {prefix}",
                "sequence_type": type_.id,
                "prefix": prefix,
                "padding": 4,
                "company": company,
            }
        ]
    )
    return int(sequence.id)
