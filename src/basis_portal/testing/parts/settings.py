"""What the settings of a storage promise."""

from __future__ import annotations

from functools import partial

import attrs
import pytest
from hypothesis import given

from ...domain.config import DEFAULT_SETTINGS, PortalConfig, StoredSettings
from ...errors import SettingsConflict
from ...repositories import Storage
from ..builders import NOW
from ..strategies import stored_settings
from .base import EXAMPLES, Kit, hurried_threads, in_threads

_THREADS, _ROUNDS = 6, 10


class SettingsConformance(Kit):
    """The settings are kept as they are, and two people cannot save over each other."""

    def test_unsaved_settings_are_the_defaults(self, storage: Storage) -> None:
        """Where nothing was saved the settings are the defaults, version 0."""
        assert storage.settings.get() == DEFAULT_SETTINGS

    @given(settings=stored_settings())
    @EXAMPLES
    def test_settings_read_back_as_written(
        self, storage: Storage, settings: StoredSettings
    ) -> None:
        """Settings read back equal those written, whatever was stored before."""
        settings = attrs.evolve(settings, version=storage.settings.get().version + 1)
        storage.settings.put(settings)
        assert storage.settings.get() == settings

    @pytest.mark.parametrize("version", [0, 1, 2, 4, 5])
    def test_a_version_that_is_not_the_next_conflicts(self, storage: Storage, version: int) -> None:
        """A version that is not one above the stored one conflicts and changes nothing."""
        for stored in (1, 2):
            storage.settings.put(StoredSettings(PortalConfig(enabled=True), stored, NOW, "ana"))
        before = storage.settings.get()
        with pytest.raises(SettingsConflict) as refused:
            storage.settings.put(StoredSettings(PortalConfig(), version, NOW, "ben"))
        assert refused.value.current == before
        assert storage.settings.get() == before
        storage.settings.put(StoredSettings(PortalConfig(), 3, NOW, "ben"))
        assert storage.settings.get() == StoredSettings(PortalConfig(), 3, NOW, "ben")

    def test_one_of_many_who_save_at_once_wins(self, storage: Storage) -> None:
        """Of several threads that save the same version one succeeds, the others conflict."""

        def save(version: int, by: str) -> bool:
            try:
                storage.settings.put(StoredSettings(PortalConfig(), version, NOW, by))
            except SettingsConflict:
                return False
            return storage.settings.get().version >= version

        with hurried_threads():
            for version in range(1, _ROUNDS + 1):
                works = [partial(save, version, str(number)) for number in range(_THREADS)]
                assert sum(in_threads(works)) == 1
                assert storage.settings.get().version == version
