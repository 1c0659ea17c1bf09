"""Domain objects as what JSON can hold."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cattrs import Converter


def to_jsonable(value: Any) -> Any:
    """``value`` with dates and instants in ISO 8601, amounts as text, enums by their value."""
    return _converter().unstructure(value)


@cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(unstruct_collection_overrides={frozenset: sorted})
    converter.register_unstructure_hook(dt.date, lambda day: day.isoformat())
    converter.register_unstructure_hook(dt.datetime, lambda instant: instant.isoformat())
    converter.register_unstructure_hook(StrEnum, lambda member: member.value)
    converter.register_unstructure_hook(Decimal, lambda amount: f"{amount:f}")
    return converter
