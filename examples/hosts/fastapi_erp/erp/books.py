"""What the ERP reads and writes, in plain SQL over a connection that it is given."""

from werkzeug.security import check_password_hash

UNKNOWN = "scrypt:32768:8:1$-$" + "0" * 128
"""A password hash of nobody: who is unknown takes as long to refuse as who is known."""


def user(connection, name):
    """Who works here, or None."""
    return connection.execute("SELECT * FROM erp.users WHERE name = %s", [name]).fetchone()


def fits(found, password):
    """True where that is the user's password, and there is such a user."""
    return check_password_hash(found.password_hash if found else UNKNOWN, password)


def customers(connection):
    """All of them."""
    return connection.execute("SELECT * FROM erp.customers ORDER BY number").fetchall()


def customer(connection, number):
    """One, or None."""
    query = "SELECT * FROM erp.customers WHERE number = %s"
    return connection.execute(query, [number]).fetchone()


def documents(connection, number):
    """All documents of a customer, newest first."""
    query = "SELECT * FROM erp.documents WHERE customer = %s ORDER BY date DESC, number DESC"
    return connection.execute(query, [number]).fetchall()


def sent_invoice(connection, number, customer_number):
    """The customer's invoice that was sent, or None."""
    query = "SELECT * FROM erp.invoices WHERE number = %s AND customer = %s AND state = 'sent'"
    return connection.execute(query, [number, customer_number]).fetchone()


def send_invoice(connection, number, customer_number):
    """Put the customer's draft on its account; None where there is no such draft, or no more."""
    sent = connection.execute(
        """UPDATE erp.invoices SET state = 'sent'
        WHERE number = %s AND customer = %s AND state = 'draft' RETURNING *""",
        [number, customer_number],
    ).fetchone()
    if sent is not None:
        connection.execute(
            """INSERT INTO erp.ledger
                (customer, kind, date, due_date, currency, amount, document, label)
            SELECT customer, 'invoice', date, due_date, currency, total, number, number
            FROM erp.invoices WHERE number = %s""",
            [number],
        )
    return sent
