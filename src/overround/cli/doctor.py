"""`overround doctor`: whether what is there makes sense."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from overround.cli.output import ExitCode, errors_as_one_line, fail, print_json

if TYPE_CHECKING:
    from overround.pricing.probabilities import Priced

_STYLES: Mapping[str, str] = MappingProxyType({"ok": "", "warning": "yellow", "critical": "red"})
_MOST = 10_000  # findings to name


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
    """Say what is wrong: with settings, service, bookmakers, database, disk; or check one thing thoroughly.

    With --markets, check prices for what a wrong mapping would break: those of captures, or else of the running
    service. With --integrity, check that cache and database agree.

    Exit codes: 0 nothing was found, 1 no file could be read, 3 something was found, 4 --markets or --integrity,
    and no service is running.
    """
    if markets and integrity:
        raise fail("one at a time: --markets or --integrity", ExitCode.USAGE)
    if captures and not markets:
        raise fail("--captures goes with --markets", ExitCode.USAGE)
    if not markets and not integrity:
        _diagnose(json=json)
        return
    if integrity:
        _check_integrity(json=json)
        return
    with errors_as_one_line():
        report = _captured_report(captures) if captures else _service_report()
    if json:
        print_json(report)
    else:
        _print(report)
    if report["total"]:
        raise typer.Exit(ExitCode.PARTIAL)


def _diagnose(*, json: bool) -> None:
    from overround.cli.diagnosis import diagnosis  # noqa: PLC0415 - command groups import lazily

    with errors_as_one_line():
        report = diagnosis()
    if json:
        print_json(report)
    else:
        _print_checks(report)
    if report["state"] != "ok":
        raise typer.Exit(ExitCode.PARTIAL)


def _print_checks(report: Mapping[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 - command groups import lazily
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(show_header=False, box=None)
    for check in report["checks"]:
        table.add_row(check["state"], check["part"].replace("_", " "), check["text"], style=_STYLES[check["state"]])
        if check["remedy"]:
            table.add_row("", "", f"-> {check['remedy']}")
    console = Console()
    console.print(f"Overround {report['version']}: {report['state']}", style="bold")
    console.print(table)


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
    from overround.cli.captures import capture_files, reader  # noqa: PLC0415 - command groups import lazily
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


def _captured_report(paths: list[Path]) -> Mapping[str, Any]:
    from overround.catalogue import load_catalogue  # noqa: PLC0415 - command groups import lazily
    from overround.pricing.checks import check_event  # noqa: PLC0415 - as above
    from overround.pricing.reports import finding  # noqa: PLC0415 - as above

    events, catalogue = dict(_captured(paths)), load_catalogue()
    found = [finding(sr_id, one) for sr_id, prices in events.items() for one in check_event(prices, catalogue)]
    markets = sum(_size(prices) for prices in events.values())
    return {"events": len(events), "markets": markets, "total": len(found), "findings": found}


def _service_report() -> Mapping[str, Any]:
    from overround.cli.service_file import ask_service  # noqa: PLC0415 - command groups import lazily
    from overround.settings import Settings  # noqa: PLC0415 - as above

    report = ask_service(Settings().data_dir, f"/api/markets/checks?limit={_MOST}")
    if report is None:
        raise fail("no service is running with this data directory; name captures", ExitCode.NOTHING_TO_DO)
    return report


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
    table.caption = f"{report['events']} events, {report['markets']} markets, {report['total']} findings"
    Console().print(table)
