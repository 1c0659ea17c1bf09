"""A small ERP on Django: parties, invoices, orders, credit notes, a ledger."""
