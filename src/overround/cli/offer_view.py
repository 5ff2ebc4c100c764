"""How a normalised offer is shown: as the object that `--json` prints, and as a table."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console
from rich.table import Table

from overround.catalogue import Catalogue
from overround.ports import Normaliser
from overround.records.event import Offer
from overround.records.odds import (
    UNREAD,
    MarketKey,
    MarketPrices,
    outcome_state,
    price_text,
    shown_price,
    specifiers_of,
)

BEFORE_ANY_KICKOFF: Final = datetime(1, 1, 1, tzinfo=UTC)
# A capture does not say when it was made; an hour before kick-off its event had not started.
BEFORE_KICKOFF: Final = timedelta(hours=1)
EVENT_FIELDS: Final = ("sr_id", "home", "away", "kickoff", "country", "tournament", "sport")


def offer_before_kickoff(normaliser: Normaliser, body: bytes) -> Offer:
    """Normalise a captured body as it was before its event started.

    Raises:
        FetchError: it is no single-event body.
    """
    kickoff = normaliser.normalise(body, BEFORE_ANY_KICKOFF).listing.kickoff
    at = kickoff - BEFORE_KICKOFF if kickoff - BEFORE_ANY_KICKOFF > BEFORE_KICKOFF else BEFORE_ANY_KICKOFF
    return normaliser.normalise(body, at)


_UNREAD = "unread"


def as_json(offer: Offer, catalogue: Catalogue) -> Mapping[str, object]:
    """Return an offer as the object that `--json` prints."""
    return {
        "event": {name: getattr(offer.listing, name) for name in EVENT_FIELDS},
        "complete": offer.complete,
        "markets": [_market(key, prices, catalogue) for key, prices in _ordered(offer, catalogue)],
        "unmapped": [{"id": lost.id, "name": lost.name, "count": lost.count} for lost in offer.unmapped],
        "dropped": [{"reason": lost.reason, "field": lost.field, "count": lost.count} for lost in offer.dropped],
    }


def print_table(file: str, offer: Offer, catalogue: Catalogue) -> None:
    """Print an offer for a person."""
    listing = offer.listing
    table = Table(title=f"{listing.home} - {listing.away}, {listing.kickoff:%Y-%m-%d %H:%M} UTC, {listing.sport}")
    for column in ("market", "specifiers", "state", "prices"):
        table.add_column(column)
    for key, prices in _ordered(offer, catalogue):
        shown = ", ".join(f"{outcome} {text or '-'}" for outcome, _, text in _outcomes(key, prices, catalogue))
        table.add_row(key.market, key.specifiers, prices.state, shown)
    complete = "complete" if offer.complete else "incomplete"
    unmapped, dropped = (sum(lost.count for lost in losses) for losses in (offer.unmapped, offer.dropped))
    table.caption = f"{file}: {complete}, {len(offer.markets)} mapped, {unmapped} unmapped, {dropped} dropped"
    Console().print(table)


def _ordered(offer: Offer, catalogue: Catalogue) -> list[tuple[MarketKey, MarketPrices]]:
    return sorted(offer.markets.items(), key=lambda item: (catalogue.number(item[0].market), item[0].specifiers))


def _market(key: MarketKey, prices: MarketPrices, catalogue: Catalogue) -> Mapping[str, object]:
    return {
        "market": key.market,
        "group": catalogue.market(key.market).group,
        "specifiers": dict(specifiers_of(key)),
        "state": prices.state,
        "outcomes": [
            {"outcome": outcome, "price": text or None, "state": _UNREAD if price == UNREAD else outcome_state(price)}
            for outcome, price, text in _outcomes(key, prices, catalogue)
        ],
    }


def _outcomes(key: MarketKey, prices: MarketPrices, catalogue: Catalogue) -> Iterator[tuple[str, int, str]]:
    """Yield the offered outcomes: name, price with its state, and the shown price as text."""
    for outcome, price in zip(catalogue.market(key.market).outcomes, prices.prices, strict=True):
        if price:
            shown = None if price == UNREAD else shown_price(price)
            yield outcome, price, price_text(shown) if shown else ""
