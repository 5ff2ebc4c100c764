"""`overround doctor`: whether what is there makes sense."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_json

if TYPE_CHECKING:
    from overround.markets.checks import Finding
    from overround.markets.probabilities import Priced

_PAGE = 200


def doctor(
    *,
    markets: Annotated[bool, typer.Option("--markets", help="Check whether the prices of markets make sense.")] = False,
    integrity: Annotated[
        bool, typer.Option("--integrity", help="Compare the running service's cache with its database.")
    ] = False,
    captures: Annotated[
        list[Path] | None,
        typer.Option("--captures", help="Captured responses, or directories of them; repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check prices for what a wrong mapping would break, or that cache and database agree.

    Prices are those of captures, or else of the running service.

    Exit codes: 0 nothing was found, 1 no file could be read, 2 no check was asked for, 3 something was found,
    4 no service is running.
    """
    if markets == integrity:
        raise fail("say what to check: --markets or --integrity", ExitCode.USAGE)
    if integrity:
        _check_integrity(json=json)
        return
    with errors_as_one_line():
        events = dict(_captured(captures)) if captures else dict(_served())
        findings = _findings(events)
    found = [_finding(sr_id, one) for sr_id, of_event in findings.items() for one in of_event]
    report = {"events": len(events), "markets": sum(_size(prices) for prices in events.values()), "findings": found}
    if json:
        print_json(report)
    else:
        _print(report)
    if found:
        raise typer.Exit(ExitCode.PARTIAL)


def _check_integrity(*, json: bool) -> None:
    from overround.cli.output import print_facts  # noqa: PLC0415 - command groups import lazily
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - as above
    from overround.settings import Settings  # noqa: PLC0415 - as above

    with errors_as_one_line():
        report = ask_service(Settings().data_dir, "/api/integrity", method="POST")
    if report is None:
        raise fail("no service is running with this data directory", ExitCode.NOTHING_TO_DO)
    if json:
        print_json(report)
    else:
        print_facts("Cache and database", report)
    if report["lost"] or report["extra"]:
        raise typer.Exit(ExitCode.PARTIAL)


def _captured(paths: list[Path]) -> "Iterator[tuple[str, Mapping[str, Priced]]]":
    """Yield the prices of captured events by bookmaker; bodies of the same match belong together."""
    from overround.cli.captured import capture_files, reader  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above

    read = reader(Settings().mapping_file)
    events: dict[str, dict[str, Priced]] = {}
    for path in capture_files(paths):
        offer = read.read(path).offer
        if offer is not None:
            event = str(offer.listing.sr_id or path)
            bookmaker = offer.listing.bookmaker
            # A second capture of one match, of another time, is no evidence about the first.
            event = f"{event} {path.name}" if bookmaker in events.get(event, {}) else event
            events.setdefault(event, {})[bookmaker] = offer.markets
    if not events:
        raise fail("none of the files is a captured single-event response")
    yield from events.items()


def _served() -> "Iterator[tuple[str, Mapping[str, Priced]]]":
    """Yield the prices of the running service's events by bookmaker."""
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above

    data_dir = Settings().data_dir
    offset, total = 0, 1
    while offset < total:
        page = ask_service(data_dir, f"/api/events?limit={_PAGE}&offset={offset}")
        if page is None:
            raise fail("no service is running with this data directory; name captures", ExitCode.NOTHING_TO_DO)
        for listed in page["events"]:
            event = ask_service(data_dir, f"/api/events/{listed['sr_id']}")
            if event is not None:
                yield str(listed["sr_id"]), _served_prices(event)
        offset, total = offset + _PAGE, page["total"]


def _served_prices(event: Mapping[str, Any]) -> "Mapping[str, Priced]":
    from overround.odds import MarketKey, MarketPrices, specifiers_text  # noqa: PLC0415 - command groups import lazily

    prices: dict[str, dict[MarketKey, MarketPrices]] = {}
    for market in event["markets"]:
        key = MarketKey(market["market"], specifiers_text(market["specifiers"]))
        offers = {slug: cell for slug, cell in market["bookmakers"].items() if cell["outcomes"]}
        for bookmaker, offered in offers.items():
            by_name = {one["outcome"]: _served_price(one) for one in offered["outcomes"]}
            row = tuple(by_name.get(outcome, 0) for outcome in market["outcomes"])
            prices.setdefault(bookmaker, {})[key] = MarketPrices(row)
    return prices


def _served_price(outcome: Mapping[str, Any]) -> int:
    from overround.odds import SUSPENDED_UNPRICED, parse_price  # noqa: PLC0415 - command groups import lazily

    if outcome["state"] is None:
        return 0
    return parse_price(outcome["price"]) if outcome["state"] == "active" else SUSPENDED_UNPRICED


def _findings(events: "Mapping[str, Mapping[str, Priced]]") -> "Mapping[str, tuple[Finding, ...]]":
    from overround.catalogue import load_catalogue  # noqa: PLC0415 - command groups import lazily
    from overround.markets.checks import check_event  # noqa: PLC0415 - as above

    catalogue = load_catalogue()
    return {sr_id: check_event(prices, catalogue) for sr_id, prices in events.items()}


def _finding(sr_id: str, finding: "Finding") -> dict[str, Any]:
    return {
        "event": sr_id,
        "check": finding.check,
        "bookmakers": list(finding.bookmakers),
        "market": finding.market,
        "specifiers": finding.specifiers,
        "detail": finding.detail,
    }


def _size(prices: "Mapping[str, Priced]") -> int:
    return sum(len(found) for found in prices.values())


def _print(report: Mapping[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - command groups import lazily
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table("event", "check", "bookmakers", "market", "specifiers", "detail")
    for one in report["findings"]:
        table.add_row(
            one["event"], one["check"], ", ".join(one["bookmakers"]), one["market"], one["specifiers"], one["detail"]
        )
    table.caption = f"{report['events']} events, {report['markets']} markets, {len(report['findings'])} findings"
    Console().print(table)
