"""A stranger's storage passes through the conformance kit."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_custom_storage_passes_the_kit(run_example: Run) -> None:
    """Running the file runs the whole kit on its storage, and all of it passes."""
    ended = run_example("custom_storage.py")
    assert ended.returncode == 0, ended.stdout
    passed = re.search(r"^(\d+) passed in", ended.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) > 200


@pytest.mark.deep
def test_a_broken_custom_storage_does_not_pass(
    run_example: Run, examples: Path, tmp_path: Path
) -> None:
    """With one promise broken the same file fails: here two current tokens are let in."""
    text = (examples / "custom_storage.py").read_text(encoding="utf-8")
    broken = text.replace("if len(current) > 1:", "if len(current) > 2:")
    assert broken != text
    (tmp_path / "broken_storage.py").write_text(broken, encoding="utf-8")
    ended = run_example(tmp_path / "broken_storage.py")
    assert ended.returncode == 1
    assert "test_a_second_current_token_is_refused" in ended.stdout
