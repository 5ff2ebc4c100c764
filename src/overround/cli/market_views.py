"""How markets, coverage and changes of prices are shown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from overround.catalogue import Catalogue, Market
from overround.cli.captures import CaptureReader
from overround.records.odds import MarketKey, MarketPrices, price_text, shown_price

_SHOWN: Final = 30
_NAMED: Final = 4


def print_definitions(markets: Iterable[Market]) -> None:
    """Print a line for each market."""
    table = Table("number", "key", "name", "sport", "group", "specifiers", "outcomes")
    for market in markets:
        outcomes = ", ".join(market.outcomes[:_NAMED]) + (", ..." if len(market.outcomes) > _NAMED else "")
        table.add_row(
            str(market.number),
            market.key,
            market.name,
            market.sport,
            market.group,
            ", ".join(market.specifiers),
            outcomes,
        )
    Console().print(table)


def print_coverage(report: Mapping[str, Any]) -> None:
    """Print coverage for a person."""
    console = Console()
    table = Table("bookmaker", "sport", "events", "mapped", "unmapped", "dropped", "coverage")
    for found in report["coverage"]:
        counts = (found[name] for name in ("events", "mapped", "unmapped_count", "dropped_count"))
        table.add_row(found["bookmaker"], found["sport"], *map(str, counts), _percent(found["share"]))
    console.print(table)
    for found in report["coverage"]:
        _print_losses(console, found)
    for one in report["skipped"]:
        console.print(f"skipped {one['file']}: {one['reason']}", soft_wrap=True)


def _print_losses(console: Console, found: Mapping[str, Any]) -> None:
    title = f"{found['bookmaker']} {found['sport']}"
    events = Table("event", "mapped", "lost", "coverage", title=f"{title}: by event")
    for event in found["worst"][:_SHOWN]:
        events.add_row(event["listing_id"], str(event["mapped"]), str(event["lost"]), _percent(event["share"]))
    console.print(events)
    if found["unmapped"]:
        unmapped = Table("id", "name", "count", title=f"{title}: not mapped")
        for lost in found["unmapped"][:_SHOWN]:
            unmapped.add_row(lost["id"], lost["name"], str(lost["count"]))
        console.print(unmapped)
    if found["dropped"]:
        dropped = Table("reason", "count", title=f"{title}: dropped")
        for lost in found["dropped"]:
            dropped.add_row(lost["reason"], str(lost["count"]))
        console.print(dropped)


def price_changes(path: Path, before: CaptureReader, after: CaptureReader) -> Iterator[dict[str, Any]]:
    """Yield every outcome of a capture whose price is not the same with the second reader's mappings."""
    old, new = before.read(path).offer, after.read(path).offer
    if old is None or new is None:
        return
    for key in sorted(old.markets.keys() | new.markets.keys()):
        for outcome, was, now in _outcomes(key, old.markets.get(key), new.markets.get(key), after.catalogue):
            if was != now:
                yield {
                    "change": "added" if was is None else "removed" if now is None else "changed",
                    "file": str(path),
                    "bookmaker": new.listing.bookmaker,
                    "market": key.market,
                    "specifiers": key.specifiers,
                    "outcome": outcome,
                    "before": was,
                    "after": now,
                }


def _outcomes(
    key: MarketKey, old: MarketPrices | None, new: MarketPrices | None, catalogue: Catalogue
) -> Iterator[tuple[str, str | None, str | None]]:
    for place, outcome in enumerate(catalogue.market(key.market).outcomes):
        yield outcome, _price(old, place), _price(new, place)


def _price(market: MarketPrices | None, place: int) -> str | None:
    if market is None or not market.prices[place]:
        return None
    shown = shown_price(market.prices[place])
    state = "" if market.prices[place] > 0 else " suspended"
    return f"{price_text(shown) if shown else '-'}{state}"


def print_changes(changes: Sequence[Mapping[str, Any]]) -> None:
    """Print changes of prices for a person."""
    table = Table("change", "file", "market", "specifiers", "outcome", "before", "after")
    for one in changes:
        named = (one[name] for name in ("change", "file", "market", "specifiers", "outcome"))
        table.add_row(*named, one["before"] or "-", one["after"] or "-")
    table.caption = f"{len(changes)} prices would be other ones"
    Console().print(table)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
