"""Rendered, decoded and normalised: the market model's own state, for every bookmaker, size, sport, event and tick."""

import asyncio
from functools import cache

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from overround.bookmakers.kit.rendering import WireMarkets
from overround.bookmakers.kit.simulation import Size
from overround.bookmakers.mapping.bookmaker_mapping import Entry, MarketMapping, load_mappings
from overround.records.odds import MarketKey
from overround.simulator.server.oracle import Expected
from tests.support.simulated import CATALOGUE, SLUGS, Market, market, shared_model, simulations

EVENTS = 30
SPORTS = ("football", "basketball", "tennis")
SIZES = (Size.AUDIT, Size.CAPTURED)


@cache
def lasting(seed: int, size: Size) -> Market:
    """Return a market whose bodies were rendered for other ticks before, and are patched."""
    return market(shared_model(seed, EVENTS, size, SPORTS))


def state_of(asked: Market, slug: str, tick: int, place: int) -> Expected:
    """Return what one of the listed events must be."""
    events = list(asked.model.events(slug, tick))
    found = asked.oracle.state(slug, events[place % len(events)].listing.listing_id, tick)
    assert found is not None
    return found


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.sampled_from([1, 2]), tick=st.integers(-50, 4000), place=st.integers(0, EVENTS - 1))
@example(seed=2, tick=-10, place=12)  # before the first match of a place would have been announced
def test_round_trip(slug: str, size: Size, seed: int, tick: int, place: int) -> None:
    """A body gives exactly the model's markets and listing, complete, and nothing is dropped."""
    asked = lasting(seed, size)
    asked.present.tick = tick
    expected = state_of(asked, slug, tick, place)
    offer = asyncio.run(asked.offer(slug, expected.listing))
    assert dict(offer.markets) == dict(expected.markets)
    assert offer.listing == expected.listing
    assert offer.complete == expected.complete
    assert offer.dropped == ()
    assert len(offer.unmapped) == 1


@pytest.mark.parametrize("slug", SLUGS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ticks=st.lists(st.integers(0, 400), min_size=2, max_size=5), place=st.integers(0, EVENTS - 1))
def test_patched_bodies_are_those_rendered_at_once(slug: str, ticks: list[int], place: int) -> None:
    """A body that was patched from tick to tick is byte for byte the one rendered for the last of them alone."""
    model = shared_model(1, EVENTS, Size.AUDIT, SPORTS)
    patched, fresh = market(model, [slug]), market(model, [slug])
    listing = state_of(patched, slug, ticks[-1], place).listing
    for tick in ticks:
        patched.present.tick = tick
        body = asyncio.run(patched.body(slug, listing))
    fresh.present.tick = ticks[-1]
    assert body == asyncio.run(fresh.body(slug, listing))


@pytest.mark.parametrize("slug", SLUGS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tick=st.integers(0, 4000))
def test_discovery_finds_what_is_listed(slug: str, tick: int) -> None:
    """Discovery yields every listing of the model once, as the lists state it, and nothing else."""
    asked = lasting(1, Size.AUDIT)
    asked.present.tick = tick
    found = asyncio.run(asked.listings(slug))
    listed = list(asked.oracle.listings(slug, tick))
    assert sorted(found, key=lambda listing: listing.listing_id) == sorted(
        listed, key=lambda listing: listing.listing_id
    )


MAPPED = [
    pytest.param(slug, sport, mapping, id=f"{slug}-{sport}")
    for slug in SLUGS
    for sport, mapping in load_mappings(f"overround.bookmakers.{slug}", CATALOGUE).items()
]


@pytest.mark.parametrize(("slug", "sport", "mapping"), MAPPED)
def test_the_whole_catalogue_is_seen_in_bodies(slug: str, sport: str, mapping: MarketMapping) -> None:
    """Without exception, each mapped market and each outcome is in a body, and read as what it was rendered from.

    So is each of the bookmaker's ids, unless another that stands for the same market comes before it.
    """
    wire = simulations()[slug].offerables[sport]
    assert isinstance(wire, WireMarkets)
    seen = [wire.of(key) for key in keys_in_bodies(slug, sport)]
    shown = {(market.key.market, outcome.slot) for market in seen for outcome in market.outcomes}
    ids = {(market.id, market.key.market) for market in seen}
    first: dict[str, Entry] = {}
    for entry in mapping:
        assert (entry.id, entry.market) in ids or entry.market in first, entry.id
        first.setdefault(entry.market, entry)
    for key, entry in first.items():
        outcomes = CATALOGUE.market(key).outcomes
        for outcome in entry.outcomes.values() or [entry.outcome]:
            assert (key, outcomes.index(outcome)) in shown, (entry.id, outcome)


def keys_in_bodies(slug: str, sport: str) -> set[MarketKey]:
    """Return the keys in the bodies of an event with everything there is, each body being the model's own state."""
    asked = market(shared_model(1, 10, Size.EVERYTHING, SPORTS), [slug])
    found: set[MarketKey] = set()
    for tick in (0, 300):  # what is away for a time is back
        asked.present.tick = tick
        listed = next(event.listing for event in asked.model.events(slug, tick) if event.listing.sport == sport)
        expected = asked.oracle.state(slug, listed.listing_id, tick)
        offer = asyncio.run(asked.offer(slug, listed))
        assert expected is not None
        assert dict(offer.markets) == dict(expected.markets)
        assert offer.dropped == ()
        found |= offer.markets.keys()
    return found
