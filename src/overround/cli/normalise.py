"""`overround normalise`: decode and normalise captured single-event responses."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import Catalogue, load_catalogue
from overround.errors import OverroundError
from overround.event import Offer
from overround.odds import MarketKey, MarketPrices, outcome_state, price_text, shown_price, specifiers_of
from overround.ports import Bookmaker, Normaliser

STDIN: Final = "-"
BEFORE_ANY_KICKOFF: Final = datetime(1, 1, 1, tzinfo=UTC)
# A capture does not say when it was made; an hour before kick-off its event had not started.
BEFORE_KICKOFF: Final = timedelta(hours=1)


class Exit(IntEnum):
    """What the command ends with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3


def normalise(
    bookmaker: Annotated[str, typer.Argument(help="The bookmaker's slug, for example betpawa.")],
    files: Annotated[list[str], typer.Argument(help="Captured single-event responses; - reads from stdin.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line and file.")] = False,
) -> None:
    """Decode and normalise captured single-event responses.

    Exit codes: 0 all files were normalised, 1 none, 2 no such bookmaker, 3 some.
    """
    try:
        plugin = _plugin(bookmaker)
        catalogue = load_catalogue()
        normaliser = plugin.normaliser(catalogue)
    except OverroundError as error:
        _complain(str(error))
        raise typer.Exit(Exit.FAILED) from error
    failed = 0
    for file in files:
        try:
            offer = _normalised(normaliser, _read(file))
        except OverroundError as error:
            failed += 1
            _complain(f"{file}: {error}")
            continue
        except OSError as error:
            failed += 1
            _complain(f"{file}: {bookmaker}: {error.strerror or error}")
            continue
        _print_json(offer, catalogue) if json else _print_table(file, offer, catalogue)
    if failed:
        raise typer.Exit(Exit.FAILED if failed == len(files) else Exit.PARTIAL)


def _plugin(slug: str) -> Bookmaker:
    bookmakers = load_bookmakers()
    if slug not in bookmakers:
        _complain(f"no bookmaker {slug!r}; there are {', '.join(bookmakers)}")
        raise typer.Exit(Exit.USAGE)
    return bookmakers[slug]


def _read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()


def _normalised(normaliser: Normaliser, body: bytes) -> Offer:
    kickoff = normaliser.normalise(body, BEFORE_ANY_KICKOFF).listing.kickoff
    at = kickoff - BEFORE_KICKOFF if kickoff - BEFORE_ANY_KICKOFF > BEFORE_KICKOFF else BEFORE_ANY_KICKOFF
    return normaliser.normalise(body, at)


def _complain(text: str) -> None:
    typer.echo("overround: " + " ".join(text.split()), err=True)


def _print_json(offer: Offer, catalogue: Catalogue) -> None:
    typer.echo(msgspec.json.encode(as_json(offer, catalogue)))


def as_json(offer: Offer, catalogue: Catalogue) -> Mapping[str, object]:
    """Return an offer as the object that `--json` prints."""
    listing = offer.listing
    event = {
        name: getattr(listing, name) for name in ("sr_id", "home", "away", "kickoff", "country", "tournament", "sport")
    }
    return {
        "event": event,
        "complete": offer.complete,
        "markets": [_market(key, prices, catalogue) for key, prices in _ordered(offer, catalogue)],
        "unmapped": [{"id": lost.id, "name": lost.name, "count": lost.count} for lost in offer.unmapped],
        "dropped": [{"reason": lost.reason, "field": lost.field, "count": lost.count} for lost in offer.dropped],
    }


def _ordered(offer: Offer, catalogue: Catalogue) -> list[tuple[MarketKey, MarketPrices]]:
    return sorted(offer.markets.items(), key=lambda item: (catalogue.number(item[0].market), item[0].specifiers))


def _market(key: MarketKey, prices: MarketPrices, catalogue: Catalogue) -> Mapping[str, object]:
    return {
        "market": key.market,
        "group": catalogue.market(key.market).group,
        "specifiers": dict(specifiers_of(key)),
        "state": prices.state,
        "outcomes": [
            {"outcome": outcome, "price": text or None, "state": outcome_state(price)}
            for outcome, price, text in _outcomes(key, prices, catalogue)
        ],
    }


def _outcomes(key: MarketKey, prices: MarketPrices, catalogue: Catalogue) -> Iterator[tuple[str, int, str]]:
    """Yield the offered outcomes: name, price with its state, and the shown price as text."""
    for outcome, price in zip(catalogue.market(key.market).outcomes, prices.prices, strict=True):
        if price:
            shown = shown_price(price)
            yield outcome, price, price_text(shown) if shown else ""


def _print_table(file: str, offer: Offer, catalogue: Catalogue) -> None:
    listing = offer.listing
    complete = "complete" if offer.complete else "incomplete"
    table = Table(title=f"{listing.home} - {listing.away}, {listing.kickoff:%Y-%m-%d %H:%M} UTC, {listing.sport}")
    for column in ("market", "specifiers", "state", "prices"):
        table.add_column(column)
    for key, prices in _ordered(offer, catalogue):
        shown = ", ".join(f"{outcome} {text or '-'}" for outcome, _, text in _outcomes(key, prices, catalogue))
        table.add_row(key.market, key.specifiers, prices.state, shown)
    unmapped, dropped = sum(lost.count for lost in offer.unmapped), sum(lost.count for lost in offer.dropped)
    table.caption = f"{file}: {complete}, {len(offer.markets)} mapped, {unmapped} unmapped, {dropped} dropped"
    Console().print(table)
