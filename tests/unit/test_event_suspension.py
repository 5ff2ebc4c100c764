"""An event that a bookmaker suspends is suspended in the cache and in what the API writes, with all its markets."""

from typing import Any

import msgspec
import pytest

from overround.catalogue import load_catalogue
from overround.records.odds import State
from overround.streaming.market_json import MarketWriter
from tests.property.test_faulty_bookmakers import RESULT, Shop, body_of
from tests.unit.test_one_entry import SLUGS, event_of, raw

Json = Any
SR_ID = 4711
PRICES = (2100, 3300, 4000)
FLAGS = [
    ("sportybet", {"banned": True}),
    ("sportybet", {"status": 5}),
    ("betpawa", {"suspended": True}),
    ("betpawa", {"additionalInfo": {"suspended": True}}),
    ("bet9ja", {"ST": 0}),
]
WITHOUT_MARKETS = {"sportybet": {"markets": None}, "betpawa": {"markets": None}, "bet9ja": {"O": None}}


def flagged(slug: str, flags: Json) -> bytes:
    """Return the body of the event with some fields of its own."""
    body = body_of(slug, SR_ID)
    event_of(slug, body).update(flags)
    return raw(body)


def shown(shop: Shop) -> Json:
    """Return the market as the API writes it."""
    writer = MarketWriter(load_catalogue(), SLUGS, dict.fromkeys(SLUGS, frozenset[str]()), "betpawa")
    return msgspec.json.decode(writer.market(RESULT, shop.context.cache.event(SR_ID), compared=True).text)


async def cycle(shop: Shop) -> None:
    """Run a cycle a little later."""
    shop.clock.advance(30)
    await shop.coordinator.run_full_cycle()


@pytest.mark.parametrize(("slug", "flags"), FLAGS)
@pytest.mark.parametrize("with_markets", [True, False])
async def test_a_suspended_event_is_suspended_everywhere(slug: str, flags: Json, *, with_markets: bool) -> None:
    """Its prices stay to be seen, take part in no comparison, and are open again when the event is."""
    shop = Shop()
    await cycle(shop)
    shop.books[slug].in_bodies[SR_ID] = flagged(slug, flags if with_markets else flags | WITHOUT_MARKETS[slug])
    await cycle(shop)
    cached = shop.context.cache.get(SR_ID, slug)
    assert cached is not None
    assert cached.markets[RESULT].state is State.SUSPENDED
    assert cached.markets[RESULT].prices == tuple(-price for price in PRICES)
    market = shown(shop)
    assert market["bookmakers"][slug]["state"] == "suspended"
    assert [slug in best["bookmakers"] for best in market["best"]] == [False] * 3
    shop.books[slug].in_bodies.clear()
    await cycle(shop)
    assert [slug in best["bookmakers"] for best in shown(shop)["best"]] == [True] * 3
