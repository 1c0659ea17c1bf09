"""A small ERP on FastAPI and PostgreSQL, with a customer portal before it."""
