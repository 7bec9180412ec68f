"""How long retired files stay."""

from __future__ import annotations

from datetime import UTC, datetime

from simulator import name_of

from repo_manager.adapters.filesystem.retired import Retired, surplus

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_of_two_builds_that_one_transaction_retired_the_newer_stays() -> None:
    builds = [Retired("20260101T000000Z-0000", name_of("OL8-64", release), 1) for release in ("9.64", "9.65")]
    last = Retired("20260201T000000Z-0000", "Copy of something", 1)
    assert surplus([last, *builds], keep=1, days=365, now=NOW) == (builds[0],)
