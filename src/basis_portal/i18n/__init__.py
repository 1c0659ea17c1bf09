"""Amounts, dates and words in the reader's language. Babel's formats where it is installed."""

from .language import ENGLISH, Language, best_language, language_for

__all__ = ["ENGLISH", "Language", "best_language", "language_for"]
