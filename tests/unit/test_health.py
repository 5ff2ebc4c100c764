"""The rules by which the service says that something is not well."""

from datetime import timedelta

import msgspec
import pytest

from overround.records.writing import FillState, HeldBookmaker, QueueStats, WriterState
from overround.testing import ManualClock
from overround.upkeep.health import (
    PARTS,
    RULES,
    BookmakerFacts,
    ConnectionFigures,
    Effect,
    Facts,
    HealthBook,
    RecoveryFacts,
)
from tests.integration.write_data import NOON

WELL = QueueStats(
    running=True,
    pending=0,
    pending_bytes=0,
    oldest_pending_seconds=0,
    accepted=0,
    written=0,
    retried=0,
    dead_lettered=0,
    snapshots_written=0,
    markets_written=0,
    confirmations_written=0,
    missed_confirmations=0,
    last_error="",
)
HELD = HeldBookmaker(bookmaker="far", since=NOON, sqlstate="22021", sample="listing of event 7: NUL", rows=3)


def queue(**changes: object) -> Facts:
    """Return facts in which only the write queue is not well."""
    return Facts(now=NOON, queue=msgspec.structs.replace(WELL, **changes))


def bookmaker(**changes: object) -> Facts:
    """Return facts in which only one bookmaker is not well."""
    return Facts(now=NOON, bookmakers=[msgspec.structs.replace(BookmakerFacts(slug="far", name="Far"), **changes)])


AILING = {
    "recovering": (Effect.NOT_READY, Facts(now=NOON, recovery=RecoveryFacts(percent=3, batches=9, batches_read=1))),
    "owned_elsewhere": (Effect.NOT_READY, Facts(now=NOON, other_owner="process 7 on host one")),
    "database_away": (Effect.NOT_READY, Facts(now=NOON, database_ready=False)),
    "cache_filling": (Effect.NOT_READY, Facts(now=NOON, warm=False)),
    "queue_stopped": (Effect.NOT_READY, queue(running=False)),
    "journal_refused": (Effect.NOT_READY, queue(journal_error="no space")),
    "journal_full": (Effect.NOT_READY, queue(fill=FillState.WAITING, fill_percent=100)),
    "journal_fills": (Effect.DEGRADED, queue(fill=FillState.SLOW, fill_percent=85)),
    "clock_stepped": (Effect.DEGRADED, Facts(now=NOON, clock_fault="the clock was set back by 2 h")),
    "retention_waits": (Effect.DEGRADED, Facts(now=NOON, retention_waits=("odds_snapshots of 2026-01-01",))),
    "partitions_short": (Effect.DEGRADED, Facts(now=NOON, partitions_short=True)),
    "writes_fail": (Effect.DEGRADED, queue(last_error="gone", state=WriterState.RETRYING, state_since=NOON)),
    "writer_paused": (Effect.DEGRADED, queue(state=WriterState.BREAKER_OPEN, state_reason="no table")),
    "database_silent": (Effect.DEGRADED, queue(unanswered_seconds=5.0, pending=2)),
    "journal_unread": (Effect.DEGRADED, queue(journal_read_error="Input/output error")),
    "journal_restored": (Effect.DEGRADED, queue(restored_files=1, restored_at=NOON - timedelta(minutes=59))),
    "watermark_went_back": (Effect.DEGRADED, queue(went_back_at=NOON - timedelta(minutes=9))),
    "history_gaps": (Effect.DEGRADED, queue(open_gaps=2)),
    "integrity_broken": (Effect.DEGRADED, Facts(now=NOON, lost_markets=1)),
    "journal_damaged": (Effect.DEGRADED, queue(damaged_frames=1)),
    "rows_held": (Effect.DEGRADED, queue(held=(HELD,))),
    "connections_crowded": (
        Effect.DEGRADED,
        Facts(now=NOON, connections=ConnectionFigures(most=9, refused=1, crowded_at=NOON - timedelta(seconds=29))),
    ),
    "connections_silent": (Effect.DEGRADED, Facts(now=NOON, connections=ConnectionFigures(silent=50))),
    "accept_failed": (Effect.DEGRADED, Facts(now=NOON, connections=ConnectionFigures(accept_error="no descriptor"))),
    "texts_cleaned": (Effect.DEGRADED, bookmaker(replaced=4, replaced_at=NOON)),
    "bookmaker_left_alone": (Effect.NOTICE, bookmaker(left_alone=True)),
    "prices_stale": (Effect.NOTICE, bookmaker(stale_seconds=901.0)),
    "dead_letters": (Effect.NOTICE, queue(dead_lettered=1)),
}
WELL_ENOUGH = {
    "a question for less than five seconds": queue(unanswered_seconds=4.9, pending=2),
    "a long question that nothing waits for": queue(unanswered_seconds=60.0),
    "a crowd that has gone": Facts(
        now=NOON, connections=ConnectionFigures(refused=1, crowded_at=NOON - timedelta(seconds=31))
    ),
    "some silent connections": Facts(now=NOON, connections=ConnectionFigures(silent=49)),
    "files restored long ago": queue(restored_files=1, restored_at=NOON - timedelta(minutes=61)),
    "old prices within the limit": bookmaker(stale_seconds=900.0),
}


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_each_rule_finds_what_it_is_about(code: str) -> None:
    """Each rule has a case of its own, yields it with its effect, and says something about it."""
    effect, facts = AILING[code]
    found = {reason.code: reason for reason in HealthBook(ManualClock(NOON)).reasons(facts)}
    assert found[code].effect is effect
    assert found[code].text
    assert PARTS[code]
    assert found.keys() - {code} <= {"writes_fail", "writer_paused"}


@pytest.mark.parametrize("case", [*WELL_ENOUGH.values(), Facts(now=NOON), queue()], ids=[*WELL_ENOUGH, "all", "queue"])
def test_a_healthy_service_has_no_reasons(case: Facts) -> None:
    """Facts within the limits yield nothing."""
    assert HealthBook(ManualClock(NOON)).reasons(case) == []


def test_a_reason_keeps_the_instant_of_its_beginning() -> None:
    """`since` stays while the reason does, per bookmaker; one that went and came back begins again."""
    clock = ManualClock(NOON)
    book = HealthBook(clock)
    (first,) = book.reasons(bookmaker(left_alone=True))
    clock.advance(60)
    (later,) = book.reasons(bookmaker(left_alone=True))
    assert first.since == later.since == NOON
    assert later.bookmaker == "far"
    assert book.reasons(Facts(now=NOON)) == []
    (again,) = book.reasons(bookmaker(left_alone=True))
    assert again.since == NOON + timedelta(seconds=60)


def test_held_rows_name_bookmaker_state_and_sample() -> None:
    """The text says whose rows are held and why; with no room for more it says that nothing is polled."""
    (reason,) = HealthBook(ManualClock(NOON)).reasons(queue(held=(HELD,)))
    assert (reason.bookmaker, reason.since) == ("far", NOON)
    assert all(word in reason.text for word in ("far", "22021", "listing of event 7"))
    (full,) = HealthBook(ManualClock(NOON)).reasons(queue(held=(msgspec.structs.replace(HELD, full=True),)))
    assert "not polled" in full.text
