"""A statement of account to take away: CSV, and PDF (extra ``pdf``, reportlab).

Both are made of what a `PortalAccess` gives, so that their figures are those of the page.
"""

from .csv_file import statement_csv
from .fonts import PdfFont
from .pdf_file import PDF_LINES, has_pdf, is_too_long_for_pdf, statement_pdf
from .source import StatementSource

__all__ = [
    "PDF_LINES",
    "PdfFont",
    "StatementSource",
    "has_pdf",
    "is_too_long_for_pdf",
    "statement_csv",
    "statement_pdf",
]
