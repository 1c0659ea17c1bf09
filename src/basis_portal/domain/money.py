"""Amounts: exact decimals, and sums that neither overflow nor round."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache

from ..errors import InvalidValue
from .checks import checked

AMOUNT_DECIMALS = 4
AMOUNT_LIMIT = Decimal("1E14")
QUANTITY_DECIMALS = 8
ZERO = Decimal(0)

# A host's own decimal context may round at six digits; sums of money never pass through it.
# 80 digits hold more amounts than a ledger can have entries, and a lost digit raises.
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])

_CENT, _UNIT = Decimal("0.01"), Decimal("0.0001")

add: Callable[[Decimal, Decimal], Decimal] = _EXACT.add
subtract: Callable[[Decimal, Decimal], Decimal] = _EXACT.subtract


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of ``amounts``; 0 where there are none."""
    result = ZERO
    for amount in amounts:
        result = add(result, amount)
    return result


def negate(amount: Decimal) -> Decimal:
    """``amount`` with the other sign; zero stays a plain zero."""
    return subtract(ZERO, amount)


def to_units(amount: Decimal) -> int:
    """``amount`` in ten-thousandths, the unit that storages hold."""
    return int(_EXACT.scaleb(amount, AMOUNT_DECIMALS))


@lru_cache(4096)
def from_units(units: int) -> Decimal:
    """The amount of so many ten-thousandths, with two decimals where these say it all."""
    if units % 100 == 0:
        return _EXACT.multiply(units // 100, _CENT)
    return _EXACT.multiply(units, _UNIT)


def check_amount(
    field: str,
    value: object,
    *,
    signed: bool = False,
    above_zero: bool = False,
    decimals: int = AMOUNT_DECIMALS,
) -> Decimal:
    """Return ``value`` if it is a finite `Decimal` below 10^14 with at most ``decimals`` decimals.

    Unless ``signed`` it must not be below zero; if ``above_zero``, not zero either. Floats
    are refused, since no float is 0.1. Raises `InvalidValue`.
    """
    if not isinstance(value, Decimal):
        raise InvalidValue.of(field, value, "must be a Decimal")
    if not value.is_finite():
        raise InvalidValue.of(field, value, "must be a finite amount")
    if value.copy_abs() >= AMOUNT_LIMIT:  # a unary minus would round as the host does
        raise InvalidValue.of(field, value, "must be below 10^14")
    if value < 0 and not signed:
        raise InvalidValue.of(field, value, "must not be negative")
    if above_zero and value == 0:
        raise InvalidValue.of(field, value, "must be above 0")
    if decimals_of(value) > decimals:
        raise InvalidValue.of(field, value, f"must have at most {decimals} decimals")
    return value


def decimals_of(value: Decimal) -> int:
    """Decimals that say something: 1.50000 has one."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    trailing = 0
    for digit in reversed(digits):
        if digit:
            break
        trailing += 1
    return max(0, -exponent - trailing) if any(digits) else 0


def exact(value: Decimal | int) -> Decimal:
    """A converter: an ``int`` is taken as an amount; all else is left for the validator."""
    return Decimal(value) if type(value) is int else value  # type: ignore[return-value]


def optional_exact(value: Decimal | int | None) -> Decimal | None:
    """A converter as `exact` that lets None pass."""
    return None if value is None else exact(value)


IS_AMOUNT = checked(check_amount)
IS_AMOUNT_ABOVE_ZERO = checked(check_amount, above_zero=True)
IS_SIGNED_AMOUNT = checked(check_amount, signed=True)
OPTIONAL_AMOUNT = checked(check_amount, signed=True, optional=True)
OPTIONAL_QUANTITY = checked(check_amount, signed=True, decimals=QUANTITY_DECIMALS, optional=True)


def format_amount(amount: Decimal) -> str:
    """``amount`` as people write it: ``1,200.00``; more decimals only where they say something."""
    return f"{amount:z,.{max(2, decimals_of(amount))}f}"
