"""Waiting for what does not look up while it works."""

from __future__ import annotations

import _thread
import threading

import pytest

from repo_manager.adapters.storage.waiting import wait_for


def test_the_result_and_the_failure_are_the_callers() -> None:
    def fail() -> None:
        raise ValueError("it")

    assert wait_for(lambda: 7) == 7
    with pytest.raises(ValueError, match="it"):
        wait_for(fail)


def test_what_is_interrupted_is_told_and_may_take_back_what_it_began() -> None:
    told, taken_back = threading.Event(), threading.Event()

    def work() -> None:
        # What a signal does, from here.
        _thread.interrupt_main()
        assert told.wait(20)
        taken_back.set()

    with pytest.raises(KeyboardInterrupt):
        wait_for(work, told.set, grace_s=20)

    assert taken_back.is_set()


def test_what_does_not_heed_is_left_to_itself() -> None:
    released = threading.Event()

    def work() -> None:
        _thread.interrupt_main()
        released.wait(20)

    with pytest.raises(KeyboardInterrupt):
        wait_for(work, grace_s=0)

    released.set()


def test_another_thread_than_the_main_one_works_by_itself() -> None:
    found: list[threading.Thread] = []
    thread = threading.Thread(target=lambda: found.append(wait_for(threading.current_thread)))
    thread.start()
    thread.join()
    assert found == [thread]
