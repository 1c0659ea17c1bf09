"""Amounts are exact whatever decimal context the host has set."""

import decimal
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from basis_portal import InvalidValue, format_amount
from basis_portal.domain.money import (
    ZERO,
    add,
    check_amount,
    decimals_of,
    exact,
    from_units,
    negate,
    optional_exact,
    subtract,
    to_units,
    total,
)
from basis_portal.testing.strategies import LARGEST_AMOUNT, amounts, quantities

CONTEXTS = {
    "six digits": decimal.Context(prec=6),
    "one digit, rounding up": decimal.Context(prec=1, rounding=decimal.ROUND_UP),
    "every signal raises": decimal.Context(
        prec=6,
        traps=[decimal.Inexact, decimal.Rounded, decimal.Clamped, decimal.Subnormal],
    ),
    "tiny exponents": decimal.Context(prec=3, Emax=3, Emin=-3),
}


@pytest.fixture(params=CONTEXTS, autouse=True)
def _host_context(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test here runs under each of the contexts a host might have set."""
    with decimal.localcontext(CONTEXTS[request.param]):
        yield


@given(st.lists(amounts(signed=True), max_size=40))
@example([LARGEST_AMOUNT] * 10_000)
@example([Decimal("0.0001")] * 3)
def test_sums_are_exact(values: list[Decimal]) -> None:
    """A sum is what fractions add up to, in any decimal context of the host."""
    assert Fraction(total(values)) == sum(map(Fraction, values))


@given(amounts(signed=True), amounts(signed=True))
@example(LARGEST_AMOUNT, Decimal("-0.0001"))
def test_differences_are_exact(left: Decimal, right: Decimal) -> None:
    """Adding, taking away and turning the sign lose no digit."""
    assert Fraction(add(left, right)) == Fraction(left) + Fraction(right)
    assert Fraction(subtract(left, right)) == Fraction(left) - Fraction(right)
    assert Fraction(negate(left)) == -Fraction(left)


@given(amounts(signed=True))
def test_units_round_trip(amount: Decimal) -> None:
    """An amount turned into ten-thousandths and back is the same amount."""
    assert from_units(to_units(amount)) == amount
    assert to_units(amount) == Fraction(amount) * 10_000


@given(st.integers(-(2**100), 2**100))
@example(-(2**63) * 100)
def test_units_of_sums_round_trip(units: int) -> None:
    """Units beyond 64 bits survive the way to a Decimal and back, with two decimals or four."""
    amount = from_units(units)
    assert to_units(amount) == units
    assert Fraction(amount) == Fraction(units, 10_000)
    assert amount.as_tuple().exponent == (-4 if units % 100 else -2)


@given(amounts(signed=True))
@example(LARGEST_AMOUNT)
@example(-LARGEST_AMOUNT)
@example(Decimal("-0.00"))
def test_formatted_amounts_say_the_amount(amount: Decimal) -> None:
    """An amount on a page, its commas taken out, is the amount, with two decimals at least."""
    shown = format_amount(amount)
    assert Decimal(shown.replace(",", "")) == amount
    assert 2 <= len(shown.partition(".")[2]) <= 4
    assert shown != "-0.00"


@given(amounts())
def test_good_amounts_are_accepted(amount: Decimal) -> None:
    """What is finite, below 10^14 and has four decimals at most comes back as it is."""
    assert check_amount("amount", amount) is amount


@given(quantities())
def test_quantities_have_eight_decimals(quantity: Decimal) -> None:
    """A quantity or unit price may have eight decimals and either sign."""
    assert check_amount("quantity", quantity, signed=True, decimals=8) is quantity


def test_a_sum_passes_64_bits_and_the_limit_of_one_amount() -> None:
    """A thousand of the largest amount add up to the last ten-thousandth."""
    summed = total([LARGEST_AMOUNT] * 1000)
    assert str(summed) == "99999999999999999.9000"
    assert to_units(summed) > 2**63


def test_the_sum_of_nothing_is_zero() -> None:
    """No amounts add up to a plain zero, and zero with the other sign has no minus."""
    assert total([]) == ZERO
    assert str(negate(Decimal("0.00"))) == "0.00"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (Decimal("NaN"), "must be a finite amount"),
        (Decimal("sNaN"), "must be a finite amount"),
        (Decimal("Infinity"), "must be a finite amount"),
        (Decimal("-Infinity"), "must be a finite amount"),
        (0.1, "must be a Decimal"),
        (True, "must be a Decimal"),
        ("1.50", "must be a Decimal"),
        (None, "must be a Decimal"),
        (Decimal("1.00001"), "must have at most 4 decimals"),
        (Decimal("1E-5"), "must have at most 4 decimals"),
        (Decimal("1E14"), "must be below 10^14"),
        (Decimal("-1E14"), "must be below 10^14"),
        (Decimal("1E999999"), "must be below 10^14"),
        (Decimal("-0.01"), "must not be negative"),
    ],
)
def test_what_is_no_amount_is_refused(value: object, rule: str) -> None:
    """NaN, infinities, floats, text, too many decimals, 10^14 and negatives are refused."""
    with pytest.raises(InvalidValue) as refused:
        check_amount("total", value)
    assert str(refused.value) == f"total {rule}, not {value!r}"
    assert refused.value.field == "total"


@pytest.mark.parametrize(
    "value", ["1.50000", "1.5" + "0" * 300, "1E+13", "0E-20000", "0E+9", "-0", "99999999999999"]
)
def test_the_same_amount_may_be_written_in_many_ways(value: str) -> None:
    """Trailing zeros and exponents are no decimals; sums and units of them are right."""
    amount = check_amount("total", Decimal(value))
    assert Fraction(add(amount, Decimal("0.1"))) == Fraction(value) + Fraction("0.1")
    assert to_units(amount) == Fraction(value) * 10_000


@pytest.mark.parametrize(
    ("value", "decimals"),
    [
        *(("0", 0), ("0.000", 0), ("1", 0), ("1200", 0), ("1E+3", 0), ("-7.00", 0), ("0.5", 1)),
        *(("1.50000", 1), ("0.05", 2), ("-0.0010", 3), ("1E-5", 5), ("100.0001", 4)),
    ],
)
def test_decimals_are_those_that_say_something(value: str, decimals: int) -> None:
    """Zeros at the end are none, nor is anything of a zero."""
    assert decimals_of(Decimal(value)) == decimals


def test_zero_is_refused_where_it_says_nothing() -> None:
    """An allocation of zero is refused, one of the smallest amount is not."""
    with pytest.raises(InvalidValue, match=r"^amount must be above 0, not Decimal\('0\.00'\)$"):
        check_amount("amount", Decimal("0.00"), above_zero=True)
    assert check_amount("amount", Decimal("0.0001"), above_zero=True)


def test_only_a_signed_amount_may_be_negative() -> None:
    """A total may be below zero, an entry may not."""
    assert check_amount("total", Decimal(-5), signed=True) == -5
    with pytest.raises(InvalidValue, match="negative"):
        check_amount("amount", Decimal(-5))


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1200", "1,200.00"),
        ("1200.5", "1,200.50"),
        ("0.0045", "0.0045"),
        ("0.1230", "0.123"),
        ("1.50000", "1.50"),
        ("-4990", "-4,990.00"),
        ("0", "0.00"),
        ("-0.00", "0.00"),
        ("1E+3", "1,000.00"),
        ("99999999999999.9999", "99,999,999,999,999.9999"),
    ],
)
def test_amounts_as_people_write_them(amount: str, words: str) -> None:
    """Thousands have commas; a third decimal is there only where it says something."""
    assert format_amount(Decimal(amount)) == words


def test_whole_numbers_become_amounts() -> None:
    """An int is taken as an amount, a bool and a float are left to be refused."""
    assert exact(10**13 + 1) == Decimal("10000000000001")
    assert optional_exact(5) == Decimal(5)
    assert optional_exact(None) is None
    for value in (True, 0.1, "1"):
        left: object = exact(value)  # type: ignore[arg-type]
        assert left is value
