"""A secure link, no login: each customer's own invoices and a statement that adds up."""
