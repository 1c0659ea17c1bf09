"""The seller's colour, kept readable: ink and links are chosen by contrast (WCAG 2.2)."""

from __future__ import annotations

import re

from ..domain.checks import check_line
from ..errors import InvalidValue

ENOUGH = 4.5
"""The least contrast of text to its background (WCAG 2.2, 1.4.3)."""
LIGHT, DARK = ("#ffffff", "#f4f5f7", "#e9ecf1"), ("#14171a", "#1d2126", "#2a3038")
"""The backgrounds that `portal.css` has, in light and in dark."""


def check_colour(field: str, value: object) -> str:
    """Return ``value`` if it is a colour of the form ``#rrggbb``."""
    text = check_line(field, value, limit=7)
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise InvalidValue.of(field, value, "must be a colour such as '#1f5673'")
    return text.lower()


def contrast(one: str, other: str) -> float:
    """The contrast of two colours: 1 (none) to 21 (black on white)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour; one of them always has enough."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))


def stylesheet(colour: str) -> str:
    """The variables of a seller's colour: a stripe always, links and buttons where it can be."""
    colour = check_colour("colour", colour)
    light, dark = _accent(colour, LIGHT), _accent(colour, DARK)
    return (
        f":root{{--stripe:{colour}}}\n"
        f"@media print,(prefers-color-scheme:light){{:root{{{light}}}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )


def _accent(colour: str, backgrounds: tuple[str, ...]) -> str:
    if min(contrast(colour, one) for one in backgrounds) < ENOUGH:
        return ""
    return f"--accent:{colour};--on-accent:{ink_on(colour)};"
