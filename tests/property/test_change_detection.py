"""Change detection against a model: what is written, applied in order, gives the cache."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from overround.caching.change_detection import classify_batch_changes, prepare, update_cache
from overround.caching.odds_cache import OddsCache
from overround.records.odds import REMOVED, MarketKey, MarketPrices, Snapshot

START = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = [MarketKey("match_result"), MarketKey("total_goals", "line=2.5"), MarketKey("corners"), MarketKey("new")]
COVERED = frozenset({"match_result", "total_goals", "corners"})

boards = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([(1900, 1900), (1800, 2000), (-1, 2000), (-1, -1)]))


@st.composite
def observations(draw: st.DrawFn) -> list[Snapshot]:
    """Draw a sequence of snapshots of one (event, bookmaker): requests overtake each other, clocks are set back."""
    minutes = draw(st.lists(st.integers(0, 30), min_size=1, max_size=12))
    numbers = st.integers(1, 8)
    return [
        Snapshot(
            sr_id=1,
            bookmaker="betpawa",
            received_at=START + timedelta(minutes=minute),
            markets={key: MarketPrices(prices) for key, prices in draw(boards).items()},
            complete=draw(st.booleans()),
            covered=COVERED,
            unproven=frozenset(draw(st.sets(st.sampled_from(KEYS), max_size=2))),
            number=draw(numbers),
        )
        for minute in minutes
    ]


def observe(cache: OddsCache, snapshot: Snapshot, history: dict[MarketKey, MarketPrices], *, accept: bool) -> None:
    """Take one snapshot the way the store does; `history` is what a reader of all writes knows."""
    changes = classify_batch_changes(cache, [snapshot])
    update_cache(cache, changes)
    for changed in changes.changed if accept else ():
        history.update(changed.markets)
        cache.accept(1, "betpawa", snapshot.snapshot_id)


@given(observations(), st.data())
def test_history_equals_the_cache_whenever_all_is_accepted(sequence: list[Snapshot], data: st.DataObject) -> None:
    """Whatever was refused before: once a write is accepted, the written history is the cache's state."""
    cache = OddsCache()
    history: dict[MarketKey, MarketPrices] = {}
    for snapshot in sequence:
        observe(cache, snapshot, history, accept=data.draw(st.booleans()))
        cached = cache.get(1, "betpawa")
        assert cached is not None
        if cached.accepted:
            assert history == dict(cached.markets)


@given(observations())
def test_requests_count_and_times_do_not(sequence: list[Snapshot]) -> None:
    """A body that was asked for before the cached one leaves no trace; any other one does, whatever its time."""
    cache = OddsCache()
    newest = 0
    for snapshot in sequence:
        changes = classify_batch_changes(cache, [snapshot])
        assert bool(changes.overtaken) is (snapshot.number < newest)
        update_cache(cache, changes)
        newest = max(newest, snapshot.number)
        cached = cache.get(1, "betpawa")
        assert cached is not None
        assert cached.number == newest


@given(observations())
def test_only_evidence_removes(sequence: list[Snapshot]) -> None:
    """A market disappears only by a complete snapshot that covers it and has not dropped it."""
    cache = OddsCache()
    for snapshot in sequence:
        changes = classify_batch_changes(cache, [snapshot])
        removed = {key for changed in changes.changed for key, prices in changed.markets.items() if prices == REMOVED}
        if not any(prices == REMOVED for _, _, one in cache for prices in one.markets.values()):
            assert all(snapshot.complete and key.market in COVERED and key not in snapshot.unproven for key in removed)
        update_cache(cache, changes)
        for changed in changes.changed:
            cache.accept(1, "betpawa", changed.snapshot.snapshot_id)


@given(observations())
def test_confirmation_times_are_honest(sequence: list[Snapshot]) -> None:
    """A market claims to be confirmed when the last snapshot came that held it, proved its absence or changed it."""
    cache = OddsCache()
    last_word: dict[MarketKey, datetime] = {}
    for snapshot in sequence:
        before, at = cache.get(1, "betpawa"), snapshot.received_at
        changes = classify_batch_changes(cache, [snapshot])
        update_cache(cache, changes)
        if changes.overtaken:
            continue
        cached = cache.get(1, "betpawa")
        assert cached is not None
        changed = {key for key, prices in cached.markets.items() if before is None or before.markets.get(key) != prices}
        for key in cached.markets:
            evident = snapshot.complete and key.market in COVERED and key not in snapshot.unproven
            if (snapshot.complete and (key in snapshot.markets or evident)) or key in changed:
                last_word[key] = at
            assert cached.market_confirmed_at(key) == last_word[key]


@given(observations(), st.data())
def test_a_verdict_made_ahead_changes_nothing(sequence: list[Snapshot], data: st.DataObject) -> None:
    """Classifying ahead, before or after the cache has moved, gives what classifying at the time gives."""
    cache = OddsCache()
    waiting = [prepare(cache, snapshot) for snapshot in sequence]
    for snapshot, early in zip(sequence, waiting, strict=True):
        ahead = early if data.draw(st.booleans()) else prepare(cache, snapshot)
        changes = classify_batch_changes(cache, [snapshot], [ahead])
        assert changes == classify_batch_changes(cache, [snapshot])
        update_cache(cache, changes)
        for changed in changes.changed if data.draw(st.booleans()) else ():
            cache.accept(1, "betpawa", changed.snapshot.snapshot_id)


@given(observations())
def test_prices_are_held_once(sequence: list[Snapshot]) -> None:
    """After a complete snapshot the cache holds that one's own prices, which its reader keeps too, not equal ones."""
    cache = OddsCache()
    for snapshot in sequence:
        changes = classify_batch_changes(cache, [snapshot])
        update_cache(cache, changes)
        cached = cache.get(1, "betpawa")
        if cached is not None and snapshot.complete and not changes.overtaken:
            assert all(cached.markets[key] is prices for key, prices in snapshot.markets.items())
        for changed in changes.changed:
            cache.accept(1, "betpawa", changed.snapshot.snapshot_id)
