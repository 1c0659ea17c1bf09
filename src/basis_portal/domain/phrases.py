"""English words that a catalogue may hold in other languages."""

from __future__ import annotations

import attrs


@attrs.define(frozen=True)
class Phrase:
    """Words with places for values, such as ``%(count)s days overdue``.

    Attributes:
        one: the words, or those for a count of 1.
        many: the words for any other count, or None where nothing is counted.
    """

    one: str
    many: str | None = None

    def english(self, count: int | None = None, **values: object) -> str:
        """The words in English with their values filled in."""
        text = self.one if self.many is None or count == 1 else self.many
        return text % {"count": count, **values}
