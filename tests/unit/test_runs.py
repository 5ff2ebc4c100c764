"""Runs: ids that grow, counts that add up, a status that follows from them."""

from overround.records.batch import RunKind, RunStatus, ScrapeRun
from overround.scraping.runs import RunBook, RunTally
from overround.testing import ManualClock
from tests.support.desk import START


def test_ids_go_on_from_the_greatest_known() -> None:
    """A new run's id is greater than any that the database has, read or not."""
    runs = RunBook(ManualClock(START))
    stored = ScrapeRun(run_id=40, kind=RunKind.CYCLE, status=RunStatus.COMPLETED, started_at=START)
    runs.warm([stored], last_id=41)
    assert runs.begin(RunKind.EVENT).run_id == 42
    assert [run.run_id for run in runs.newest()] == [42, 40]


def test_only_the_newest_are_kept() -> None:
    """The book is bounded; the oldest runs go first."""
    runs = RunBook(ManualClock(START), keep=2)
    for _ in range(5):
        runs.begin(RunKind.CYCLE)
    assert [run.run_id for run in runs.newest()] == [5, 4]


def test_status_follows_from_the_counts() -> None:
    """Without errors completed, with some good snapshots partial, with none failed."""
    clock = ManualClock(START)
    run = RunBook(clock).begin(RunKind.CYCLE)
    tally = RunTally()
    assert tally.finished(run, clock).status is RunStatus.COMPLETED
    tally.fail("betpawa", "failed", "transient")
    assert tally.finished(run, clock).status is RunStatus.FAILED
    tally.count("sportybet", "confirmed")
    ended = tally.finished(run, clock)
    assert (ended.status, ended.errors) == (RunStatus.PARTIAL, {"transient": 1})
