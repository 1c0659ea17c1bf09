"""The kit notices: storages with one fault each fail it, where the sound one passes."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

BROKEN = Path(__file__).with_name("broken_storages.py")

# Of each fault a test that must see it. That the sound storages pass all tests is shown by
# tests/storage/test_conformance.py; here the control runs the same test beside the fault.
FAULTS = {
    "RollbackForgetsTheTrail": "test_a_failed_transaction_leaves_nothing",
    "TransactionsThatAreNone": "test_many_threads_leave_one_current_token",
    "PartsAreNotUndone": "test_a_failed_part_is_undone_alone",
    "CallsBeforeTheCommit": "test_a_call_waits_for_the_commit",
    "CallsOfUndoneParts": "test_what_was_committed_is_called_in_its_order",
    "AFailedCallIsTheLast": "test_an_error_of_a_call_reaches_nobody",
    "OpeningsFromACache": "test_an_opening_is_fresh",
    "TwoCurrentTokens": "test_a_second_current_token_is_refused",
    "TokensAddedOneByOne": "test_an_addition_that_fails_adds_nothing",
    "TheLastEndCounts": "test_a_token_keeps_its_first_end",
    "LatestByTheClock": "test_the_latest_token_is_the_one_added_last",
    "OpenedWhenTheClockWentBack": "test_an_opening_soon_after_another_is_not_noted",
    "PagesSkipOne": "test_a_thread_comes_newest_first",
    "NotesAmongMessages": "test_notes_are_never_among_messages",
    "SecondsAreEnough": "test_instants_sent_are_the_customers_own",
    "KeysOfAllCustomers": "test_an_idempotency_key_is_one_message_of_a_customer",
    "RunsMailTwice": "test_a_run_mails_each_customer_once",
    "TwoWorkersForOneEmail": "test_each_email_is_claimed_once",
    "ClaimedTooSoon": "test_nothing_is_claimed_before_it_is_due",
    "TheLastOutcomeCounts": "test_of_two_outcomes_the_first_stays",
    "WaitingIsNoPromise": "test_what_was_found_waiting_is_not_claimed_meanwhile",
    "WaitingEmailsAreForgotten": "test_old_emails_go",
    "UnreadMessagesAreForgotten": "test_old_messages_go",
    "LastMeansLatest": "test_the_last_entry_is_that_appended_last",
    "SomebodysDocument": "test_a_foreign_document_is_none",
    "DraftsInTheList": "test_pages_agree_with_looking_at_every_document",
    "WildcardsInSearch": "test_staff_find_what_they_type",
    "MoreAllocatedThanThereIs": "test_an_allocation_that_does_not_fit_is_refused",
    "AllocatedBeforeItsDay": "test_an_allocation_counts_from_the_latest_day",
    "WhatIsSentWaits": "test_what_waits_is_counted",
    "MovedTokensCountLast": "test_moved_tokens_come_before_those_of_the_new_id",
    "MovedEmailsAreForgotten": "test_emails_are_moved",
    "MovedEmailsComeBack": "test_what_becomes_of_a_moved_email_leaves_it_moved",
    "RetentionKnowsNoLimit": "test_old_entries_go",
    "SumsAsFloats": "test_sums_go_past_64_bits",
}


def outcomes_of(pytester: pytest.Pytester, name: str, test: str) -> dict[str, int]:
    """How a test of the kit ends for a storage."""
    result = pytester.runpytest_inprocess(
        f"{BROKEN}::Test{name}::{test}", "-q", "-p", "no:cacheprovider"
    )
    return result.parseoutcomes()


@pytest.mark.sampled
@pytest.mark.parametrize(("name", "test"), FAULTS.items())
def test_a_fault_is_noticed(pytester: pytest.Pytester, name: str, test: str) -> None:
    """A storage with one fault fails the kit, and the sound one passes the same test."""
    assert outcomes_of(pytester, name, test).get("failed", 0) > 0
    assert list(outcomes_of(pytester, "Sound", test)) == ["passed"]


def test_every_fault_is_tried() -> None:
    """No broken storage stands there untried."""
    written = BROKEN.read_text().split("class ")
    assert FAULTS.keys() == {text.split("(Sound)")[0] for text in written if "(Sound)" in text[:60]}
