"""A statement of account to take away: CSV, and PDF (extra ``pdf``, reportlab)."""
