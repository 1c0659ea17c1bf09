"""E-mails: the link to the customer, notices of messages; extra ``mail`` (jinja2)."""
