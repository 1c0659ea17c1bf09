"""The feature gate: the host's edition and feature switch."""

from __future__ import annotations

from enum import StrEnum


class Edition(StrEnum):
    """The edition of the host application. The portal needs SERVER or CLOUD."""

    DESKTOP = "desktop"
    SERVER = "server"
    CLOUD = "cloud"


def gate_open(edition: object, feature_enabled: object) -> bool:
    """True where the edition gives the portal and the feature is on.

    Anything but a member of `Edition` and a plain True counts as closed.
    """
    if not isinstance(edition, Edition) or edition is Edition.DESKTOP:
        return False
    return feature_enabled is True
