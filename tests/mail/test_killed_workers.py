"""Workers of a mail run are killed, a few; `nox -s faults -- --only mails` kills a hundred."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.mails import Place, kill


@pytest.mark.deep
def test_each_customer_gets_one_e_mail_or_is_reported(tmp_path: Path) -> None:
    """Whenever the workers are killed."""
    found = kill(Place(("sqlite", str(tmp_path / "portal.db"))), 8, 160)
    assert found.problems == []
    assert found.kills == 8
    assert found.sent + found.reported == 160
    assert 0 < found.reported <= 16


@pytest.mark.deep
def test_a_second_e_mail_would_be_seen(tmp_path: Path) -> None:
    """Where what a killed worker had is queued again, somebody gets two."""
    place, tries = Place(("sqlite", str(tmp_path / "portal.db"))), 8
    assert kill(place, tries, 120, again=True).problems
