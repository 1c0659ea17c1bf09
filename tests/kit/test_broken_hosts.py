"""The kit for hosts notices: repositories with one fault each fail it, sound ones pass."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from basis_portal.testing import HostRepositoriesConformance

pytest_plugins = ["pytester"]

BROKEN = Path(__file__).with_name("broken_hosts.py")
HOSTS = runpy.run_path(str(BROKEN))
FAULTS, OfOneThread = HOSTS["FAULTS"], HOSTS["OfOneThread"]


def run(pytester: pytest.Pytester, name: str) -> pytest.RunResult:
    """Put one host through the whole kit."""
    return pytester.runpytest_inprocess(
        f"{BROKEN}::Test{name}", "-q", "-rf", "-p", "no:cacheprovider"
    )


@pytest.mark.sampled
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_host_is_noticed(pytester: pytest.Pytester, name: str) -> None:
    """A host with one fault fails the kit, and fails the test of the promise it breaks."""
    *_, test = FAULTS[name]
    run(pytester, name).stdout.fnmatch_lines([f"FAILED *::Test{name}::{test}*"])


def test_a_sound_host_passes(pytester: pytest.Pytester) -> None:
    """A host that keeps all promises, capabilities included, passes every test."""
    assert list(run(pytester, "Sound").parseoutcomes()) == ["passed"]


@pytest.mark.parametrize("name", ["Plain", "Fifo", "NoLedger"])
def test_what_a_host_does_not_offer_is_skipped(pytester: pytest.Pytester, name: str) -> None:
    """Without capabilities, allocations or ledger their tests are skipped, and the rest pass."""
    outcomes = run(pytester, name).parseoutcomes()
    assert set(outcomes) == {"passed", "skipped"}
    assert outcomes["passed"] > 15


def test_each_thread_that_asked_is_ended(host: Callable[..., Any]) -> None:
    """What a framework holds for a thread can be closed on it, whether it was answered or not."""
    asked, ended = set[int](), list[int]()

    class Holding(HostRepositoriesConformance):
        def end_thread(self) -> None:
            ended.append(threading.get_ident())

    def note(sound: Any, customer_id: str) -> Any:
        asked.add(threading.get_ident())
        return sound(customer_id)

    given = host("customers", get=note), host("documents"), host("ledger")
    Holding().test_any_thread_may_ask(*given, ["C-1", "C-2"])
    assert set(ended) == asked - {threading.get_ident()}
    count = len(ended)
    assert count > 2
    refusing = host("customers", get=OfOneThread())
    with pytest.raises(RuntimeError, match="same thread"):
        Holding().test_any_thread_may_ask(refusing, *given[1:], ["C-1", "C-2"])
    assert len(ended) == count + 1


def test_a_host_without_data_does_not_pass(pytester: pytest.Pytester) -> None:
    """Known customers without data fail the kit: it would show nothing."""
    failed = run(pytester, "NobodyKnown").parseoutcomes()["failed"]
    assert failed >= 3
