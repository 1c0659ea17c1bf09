"""The settings: one `PortalConfig` for the whole portal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import InvalidValue
from .checks import (
    IS_BOOL,
    OPTIONAL_INSTANT,
    check_line,
    check_lines,
    check_whole_number,
    checked,
    is_member,
    optional_in_utc,
    plain_text,
    shown_few,
)

if TYPE_CHECKING:
    from cattrs import Converter

EXPIRY_DAYS = (1, 365)
WELCOME_LIMIT = 500


def check_expiry_days(field: str, value: object) -> int:
    """Return ``value`` if a token can live that many days: a whole number from 1 to 365."""
    return check_whole_number(field, value, *EXPIRY_DAYS)


@attrs.define(frozen=True)
class PortalConfig:
    """What staff decide: whether the portal is on, how long links live, what they show.

    Attributes:
        enabled: master switch; off, every link answers "Portal not available".
        token_expiry_days: days a token lives from its issue, 1 to 365.
        show_sales_orders: customers also see their sales orders.
        show_credit_notes: customers see the credit notes issued to them.
        show_statement: customers see their statement of account.
        allow_messages: customers can write to staff.
        welcome_message: plain text on top of the customer's pages, at most 500 characters
            (code points, line breaks as LF, ends trimmed), no control characters.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    enabled: bool = attrs.field(default=False, validator=IS_BOOL)
    token_expiry_days: int = attrs.field(default=30, validator=checked(check_expiry_days))
    show_sales_orders: bool = attrs.field(default=False, validator=IS_BOOL)
    show_credit_notes: bool = attrs.field(default=False, validator=IS_BOOL)
    show_statement: bool = attrs.field(default=False, validator=IS_BOOL)
    allow_messages: bool = attrs.field(default=False, validator=IS_BOOL)
    welcome_message: str = attrs.field(
        default="", converter=plain_text, validator=checked(check_lines, limit=WELCOME_LIMIT)
    )

    def to_dict(self) -> dict[str, Any]:
        """The settings as a dict that JSON can hold."""
        result: dict[str, Any] = _converter().unstructure(self)
        return result

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PortalConfig:
        """The settings a dict holds; missing keys take their defaults.

        Raises `InvalidValue` naming the path of each unknown key and each value of a wrong
        type (``$.token_expiry_days``); nothing is converted, ``"30"`` is no number.
        """
        import cattrs

        if not isinstance(data, Mapping):
            raise InvalidValue.of("PortalConfig", data, "must be a mapping")
        if strange := [key for key in data if not isinstance(key, str)]:
            raise InvalidValue(f"unknown key {shown_few(strange)} @ $")
        try:
            return _converter().structure(data, cls)
        except cattrs.BaseValidationError as error:
            raise InvalidValue("; ".join(_explain(error))) from None


def _explain(error: Any) -> list[str]:
    import cattrs

    def text(found: BaseException, _: type | None) -> str:
        if isinstance(found, cattrs.ForbiddenExtraKeysError):
            return f"unknown key {shown_few(sorted(found.extra_fields))}"
        return str(found)

    problems: list[str] = cattrs.transform_error(error, path="$", format_exception=text)
    return problems


@cache
def _converter() -> Converter:
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn

    converter = Converter(forbid_extra_keys=True, detailed_validation=True)

    def exactly(value: Any, kind: Any) -> Any:
        if type(value) is not kind:
            raise InvalidValue.of("value", value, f"must be of type {kind.__name__}")
        return value

    for kind in (bool, int, str):
        converter.register_structure_hook(kind, exactly)
    converter.register_structure_hook(
        PortalConfig,
        make_dict_structure_fn(PortalConfig, converter, _cattrs_forbid_extra_keys=True),
    )
    return converter


@attrs.define(frozen=True)
class StoredSettings:
    """The settings as they are stored.

    Attributes:
        config: the settings themselves.
        version: counts the saves; 0 where nothing was saved yet.
        changed_at: instant of the last save in UTC, or None.
        changed_by: who saved last, or None.
    """

    config: PortalConfig = attrs.field(validator=is_member(PortalConfig))
    version: int = attrs.field(validator=checked(check_whole_number, 0, 2**63 - 1))
    changed_at: datetime | None = attrs.field(
        default=None, converter=optional_in_utc, validator=OPTIONAL_INSTANT
    )
    changed_by: str | None = attrs.field(
        default=None, validator=checked(check_line, limit=255, optional=True)
    )


DEFAULT_SETTINGS = StoredSettings(PortalConfig(), 0)
