"""Settings: every refusal, and the way to dicts and back."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from basis_portal import InvalidValue, PortalConfig, StoredSettings
from basis_portal.domain.config import DEFAULT_SETTINGS
from basis_portal.testing.builders import NOW
from basis_portal.testing.strategies import configs

NAIVE = NOW.replace(tzinfo=None)
SWITCHES = (
    "enabled",
    "show_sales_orders",
    "show_credit_notes",
    "show_statement",
    "allow_messages",
)
NO_WHOLE_NUMBERS = [True, False, 30.0, "30", 0, -1, 366, 10**9, float("nan"), None, [30], b"30"]


@given(configs())
def test_dicts_round_trip(config: PortalConfig) -> None:
    """Settings turned into JSON and back are the same settings."""
    data = json.loads(json.dumps(config.to_dict()))
    assert PortalConfig.from_dict(data) == config


@given(configs(), st.sampled_from([*SWITCHES, "token_expiry_days", "welcome_message"]))
def test_a_missing_key_takes_its_default(config: PortalConfig, key: str) -> None:
    """What a dict leaves out takes its default; the rest stands."""
    data = config.to_dict()
    del data[key]
    read = PortalConfig.from_dict(data).to_dict()
    assert read == {**config.to_dict(), key: PortalConfig().to_dict()[key]}


@given(
    st.sampled_from([*SWITCHES, "token_expiry_days", "welcome_message"]),
    st.none() | st.floats() | st.lists(st.booleans()) | st.binary() | st.dates(),
)
@example("token_expiry_days", True)
@example("token_expiry_days", "30")
@example("enabled", 1)
@example("enabled", "true")
def test_nothing_is_converted(key: str, value: object) -> None:
    """A value of a wrong type is refused with the path of its field."""
    with pytest.raises(InvalidValue, match=rf"must be of type \w+, not .* @ \$\.{key}$"):
        PortalConfig.from_dict({key: value})


@given(st.text(max_size=7))
def test_an_unknown_key_is_refused(key: str) -> None:
    """A key that is no setting is refused by its name, next to good ones as well."""
    with pytest.raises(InvalidValue) as refused:
        PortalConfig.from_dict({**PortalConfig().to_dict(), key: True})
    assert str(refused.value) == f"unknown key {key!r} @ $"


@given(st.text("ab \r\n😀é", max_size=700))
def test_the_welcome_message_is_counted_as_stored(text: str) -> None:
    """500 code points count after CRLF became LF and the ends were trimmed."""
    stored = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(stored) <= 500:
        assert PortalConfig(welcome_message=text).welcome_message == stored
    else:
        with pytest.raises(InvalidValue, match="0 to 500 characters"):
            PortalConfig(welcome_message=text)


def test_all_is_off_by_default() -> None:
    """Nothing saved means off, 30 days, nothing shown but invoices, no welcome."""
    assert PortalConfig().to_dict() == {
        "enabled": False,
        "token_expiry_days": 30,
        "show_sales_orders": False,
        "show_credit_notes": False,
        "show_statement": False,
        "allow_messages": False,
        "welcome_message": "",
    }
    assert StoredSettings(PortalConfig(), 0, None, None) == DEFAULT_SETTINGS


@pytest.mark.parametrize("days", NO_WHOLE_NUMBERS, ids=repr)
def test_expiry_days_are_a_whole_number(days: Any) -> None:
    """What is no whole number from 1 to 365 is refused: field, rule and value are named."""
    with pytest.raises(InvalidValue) as refused:
        PortalConfig(token_expiry_days=days)
    assert str(refused.value) == (
        f"PortalConfig.token_expiry_days must be a whole number from 1 to 365, not {days!r}"
    )
    assert refused.value.field == "PortalConfig.token_expiry_days"


@pytest.mark.parametrize("days", [1, 30, 365])
def test_expiry_days_from_1_to_365(days: int) -> None:
    """1 and 365 days are allowed, and what lies between."""
    assert PortalConfig(token_expiry_days=days).token_expiry_days == days


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("value", [0, 1, "on", None, "False"])
def test_a_switch_is_on_or_off(switch: str, value: Any) -> None:
    """A switch that is no bool is refused by its name; a bool is taken."""
    with pytest.raises(InvalidValue, match=rf"^PortalConfig\.{switch} must be a bool"):
        PortalConfig(**{switch: value})
    assert PortalConfig.from_dict({switch: True}).to_dict()[switch] is True


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("x" * 500, "x" * 500),
        ("😀" * 500, "😀" * 500),
        ("\r\n" + "x\r\n" * 249 + "xx\r\n ", "x\n" * 249 + "xx"),
        (" \n welcome \n ", "welcome"),
        ("one\rtwo", "one\ntwo"),
        ("   ", ""),
    ],
)
def test_a_welcome_message_of_500(text: str, stored: str) -> None:
    """500 code points are allowed: an emoji and a CRLF count as one, blank ends as none."""
    assert PortalConfig(welcome_message=text).welcome_message == stored


@pytest.mark.parametrize("text", ["x" * 501, "😀" * 501, "x\r\n" * 250 + "xx", "x" * 10**7])
def test_a_welcome_message_of_501(text: str) -> None:
    """501 code points are refused in a short message that says how many they are."""
    count = len(text.replace("\r\n", "\n"))
    with pytest.raises(InvalidValue) as refused:
        PortalConfig(welcome_message=text)
    assert str(refused.value) == (
        f"PortalConfig.welcome_message must have 0 to 500 characters, not {count}"
    )


@pytest.mark.parametrize("character", ["\0", "\t", "\x0b", "\x1b", "\x7f", "\x85", "\ud83d"])
def test_a_welcome_message_has_no_control_characters(character: str) -> None:
    """Control characters but line breaks are refused with their position."""
    with pytest.raises(InvalidValue, match=r"welcome_message .*\(position 3\)"):
        PortalConfig(welcome_message=f"ab{character}c")
    assert PortalConfig(welcome_message="ab\nc").welcome_message == "ab\nc"


@pytest.mark.parametrize("text", [None, 5, b"hello", ["hello"]])
def test_a_welcome_message_is_text(text: Any) -> None:
    """What is no text is refused."""
    with pytest.raises(InvalidValue, match=r"^PortalConfig\.welcome_message must be text"):
        PortalConfig(welcome_message=text)


@pytest.mark.parametrize("days", NO_WHOLE_NUMBERS, ids=repr)
def test_a_dict_is_checked_like_the_class(days: Any) -> None:
    """From a dict the same days are refused as by the class, "30" and True among them."""
    with pytest.raises(InvalidValue, match="token_expiry_days"):
        PortalConfig.from_dict({"token_expiry_days": days})
    assert PortalConfig.from_dict({"token_expiry_days": 7}) == PortalConfig(token_expiry_days=7)


def test_every_problem_of_a_dict_is_named() -> None:
    """Two wrong types and an unknown key are three problems in one error."""
    with pytest.raises(InvalidValue) as refused:
        PortalConfig.from_dict({"enabled": 1, "welcome_message": None, "colour": "red"})
    assert sorted(str(refused.value).split("; ")) == [
        "unknown key 'colour' @ $",
        "value must be of type bool, not 1 @ $.enabled",
        "value must be of type str, not None @ $.welcome_message",
    ]


@pytest.mark.parametrize("data", [None, [], "enabled", 5, [("enabled", True)]])
def test_settings_come_from_a_mapping(data: Any) -> None:
    """What is no mapping is refused."""
    with pytest.raises(InvalidValue) as refused:
        PortalConfig.from_dict(data)
    assert str(refused.value) == f"PortalConfig must be a mapping, not {data!r}"


def test_keys_are_refused_in_a_line() -> None:
    """A key of ten megabytes, a hundred thousand keys and keys that are no text fit a line."""
    for data in ({"x" * 10**7: 1}, dict.fromkeys(map(str, range(10**5)), 1), {1: 1, None: 2}):
        with pytest.raises(InvalidValue, match="unknown key") as refused:
            PortalConfig.from_dict(data)  # type: ignore[arg-type]
        assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "fields",
    [
        {"config": {"enabled": True}},
        {"version": -1},
        {"version": True},
        {"version": 2**63},
        {"changed_at": NAIVE},
        {"changed_by": "a\nb"},
        {"changed_by": ""},
    ],
)
def test_stored_settings_are_checked(fields: dict[str, Any]) -> None:
    """A wrong config, version, instant or name is refused; the good ones are taken."""
    good: dict[str, Any] = {
        "config": PortalConfig(),
        "version": 2**63 - 1,
        "changed_at": dt.datetime(2025, 1, 15, tzinfo=dt.UTC),
        "changed_by": "ana",
    }
    assert StoredSettings(**good).version == 2**63 - 1
    with pytest.raises(InvalidValue, match=rf"^StoredSettings\.{next(iter(fields))} "):
        StoredSettings(**{**good, **fields})
