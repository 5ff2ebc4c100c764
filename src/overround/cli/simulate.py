"""`overround simulate`: the bookmakers' APIs on this machine, on a living market."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overround.cli.output import errors_as_one_line, print_json

if TYPE_CHECKING:
    from overround.simulator.server.loopback import Ready

_TICK_SECONDS = 30
_EVENTS = 1300
_MOST_EVENTS = 20_000


def simulate(  # noqa: PLR0913 - one for each option
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 9001,
    events: Annotated[int, typer.Option(min=1, max=_MOST_EVENTS, help="How many matches are on offer.")] = _EVENTS,
    seed: Annotated[int, typer.Option(help="The market's seed: the same one gives the same market.")] = 1,
    tick_seconds: Annotated[
        int, typer.Option(min=0, help="Seconds from one tick to the next; 0: ticks come over /_control alone.")
    ] = _TICK_SECONDS,
    size: Annotated[str, typer.Option(help="How much is offered on a match: audit, captured or everything.")] = "audit",
    sports: Annotated[
        str, typer.Option(help="Sports, divided by commas; all but the first have a tenth of the matches each.")
    ] = "football,basketball,tennis",
    latency: Annotated[str, typer.Option(help="How long answers take: none or observed.")] = "none",
    faults: Annotated[
        list[str] | None,
        typer.Option(help="What goes wrong, as NAME[:BOOKMAKER+BOOKMAKER[:PERCENT]]; can be given repeatedly."),
    ] = None,
    captures: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Serve these recorded responses instead (BOOKMAKER_*.json)."),
    ] = None,
    epoch: Annotated[str | None, typer.Option(help="Instant of tick 0, ISO 8601; default: now.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what is served as one JSON object.")] = False,
) -> None:
    """Play the bookmakers: each one's API under its own prefix on one port, until Ctrl-C."""
    from overround.simulator.model.parameters import TICK_SECONDS  # noqa: PLC0415 - as above
    from overround.simulator.server.arguments import options_from  # noqa: PLC0415 - command groups import lazily
    from overround.simulator.server.loopback import run  # noqa: PLC0415 - as above

    with errors_as_one_line():
        options = options_from(
            seed=seed,
            events=events,
            epoch=epoch,
            tick_seconds=tick_seconds or TICK_SECONDS,
            size=size,
            sports=sports,
            captures=captures,
            port=port,
            latency=latency,
            faults=faults or (),
            advance_seconds=tick_seconds,
        )
        run(options, print_json if json else _print)


def _print(ready: "Ready") -> None:
    from overround.cli.output import print_facts  # noqa: PLC0415 - command groups import lazily
    from overround.simulator.server.loopback import LOOPBACK  # noqa: PLC0415 - as above

    facts: dict[str, object] = {
        slug: f"http://{LOOPBACK}:{ready.port}/{slug}, {count} events" for slug, count in ready.listings.items()
    }
    if ready.epoch is not None:
        facts |= {"seed": ready.seed, "epoch": ready.epoch.isoformat(), "tick": f"{ready.tick_seconds} s"}
    print_facts("Simulated bookmakers", facts)
