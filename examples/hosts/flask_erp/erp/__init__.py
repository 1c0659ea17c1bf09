"""A small ERP on Flask and SQLAlchemy: customers, invoices, a ledger; and its customer portal."""
