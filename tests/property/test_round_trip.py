"""Rendered, decoded and normalised: the market model's own state, for every bookmaker, size, event and tick."""

import asyncio
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overround.bookmakers.simulation import Size
from tests.support.simulated import SLUGS, Market, market, shared_model

EVENTS = 24


@cache
def lasting(seed: int, size: Size) -> Market:
    """Return a market whose bodies were rendered for other ticks before, and are patched."""
    return market(shared_model(seed, EVENTS, size))


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("size", Size)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.sampled_from([1, 2]), tick=st.integers(-50, 4000), place=st.integers(0, EVENTS - 1))
def test_round_trip(slug: str, size: Size, seed: int, tick: int, place: int) -> None:
    """A body gives exactly the model's markets and listing, complete, and nothing is dropped."""
    asked = lasting(seed, size)
    asked.present.tick = tick
    states = list(asked.oracle.states(slug, tick))
    expected = states[place % len(states)]
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
    model = shared_model(1, EVENTS)
    patched, fresh = market(model, [slug]), market(model, [slug])
    states = list(patched.oracle.states(slug, ticks[-1]))
    listing = states[place % len(states)].listing
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
