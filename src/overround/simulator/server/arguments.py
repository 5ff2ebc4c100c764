"""How the server is told what to serve: its options, as arguments and from them."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from overround.bookmakers.kit.simulation import Size
from overround.clock import SystemClock
from overround.errors import SettingsError
from overround.simulator.model.leagues import FOOTBALL, leagues_of_places
from overround.simulator.model.parameters import MAX_EVENTS, Parameters
from overround.simulator.server.faults import Fault, FaultName
from overround.simulator.server.latency import LatencyProfile

E = TypeVar("E", bound=StrEnum)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is served, and how.

    `captures`: recordings of that directory, not the market model. `advance_seconds`: a tick comes every
    so many seconds; with 0 only over the control requests.
    """

    parameters: Parameters
    captures: Path | None = None
    port: int = 0
    latency: LatencyProfile = LatencyProfile.NONE
    faults: tuple[Fault, ...] = ()
    advance_seconds: float = 0.0

    def arguments(self) -> list[str]:
        """Return the arguments that are read as these options."""
        parameters = self.parameters
        values: dict[str, object] = {
            "--port": self.port,
            "--seed": parameters.seed,
            "--epoch": parameters.epoch.isoformat(),
            "--events": parameters.events,
            "--tick-seconds": parameters.tick_seconds,
            "--size": parameters.size.value,
            "--sports": ",".join(parameters.sports),
            "--latency": self.latency.value,
            "--advance-every": self.advance_seconds,
        }
        if self.captures:
            values["--captures"] = self.captures
        faults = [text for fault in self.faults for text in ("--faults", fault_text(fault))]
        return [str(text) for pair in values.items() for text in pair] + faults


def options_from(  # noqa: PLR0913 - one for each option of the command
    *,
    seed: int,
    events: int,
    epoch: str | None = None,
    tick_seconds: int,
    size: str = Size.AUDIT,
    sports: str = FOOTBALL,
    captures: Path | None = None,
    port: int = 0,
    latency: str = LatencyProfile.NONE,
    faults: Sequence[str] = (),
    advance_seconds: float = 0.0,
) -> Options:
    """Return options; without an epoch it is this minute. `sports` are divided by commas.

    Raises:
        SettingsError: one of them is not what it should be.
    """
    if not 1 <= events <= MAX_EVENTS:
        raise SettingsError(f"from 1 to {MAX_EVENTS} events can be simulated, not {events}")
    if tick_seconds < 1:
        raise SettingsError("a tick takes at least a second")
    parameters = Parameters(
        seed=seed,
        epoch=_instant(epoch),
        events=events,
        tick_seconds=tick_seconds,
        size=_chosen(Size, size),
        sports=tuple(sports.split(",")),
    )
    leagues_of_places(events, parameters.sports)  # refuses a sport that there is none of
    return Options(
        parameters=parameters,
        captures=captures,
        port=port,
        latency=_chosen(LatencyProfile, latency),
        faults=tuple(fault_of(text) for text in faults),
        advance_seconds=advance_seconds,
    )


def fault_of(text: str) -> Fault:
    """Return a fault written as NAME, NAME:BOOKMAKER+BOOKMAKER or NAME:BOOKMAKER+BOOKMAKER:PERCENT.

    Raises:
        SettingsError: there is no such fault, or the percentage is none.
    """
    name, _, rest = text.partition(":")
    slugs, _, percent = rest.partition(":")
    if percent and not percent.isdecimal():
        raise SettingsError(f"{text}: {percent!r} is no percentage")
    return Fault(
        name=_chosen(FaultName, name),
        bookmakers=tuple(slug for slug in slugs.split("+") if slug),
        share=int(percent) / 100 if percent else None,
    )


def fault_text(fault: Fault) -> str:
    """Return a fault as `fault_of` reads it; for how many ticks is not in it."""
    percent = "" if fault.share is None else f":{round(fault.share * 100)}"
    return f"{fault.name.value}:{'+'.join(fault.bookmakers)}{percent}"


def parsed(arguments: Sequence[str] | None = None) -> Options:
    """Return the options of a command line; the process ends, with a reason, where they are wrong."""
    parser = argparse.ArgumentParser(prog="overround.simulator.server.loopback", description="Play the bookmakers.")
    parser.add_argument("--captures", type=Path, help="serve the recordings of this directory, not the model")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--epoch", help="instant of tick 0, ISO 8601; now, unless told otherwise")
    parser.add_argument("--tick-seconds", type=int, default=300, help="calendar time of a tick")
    parser.add_argument("--advance-every", dest="advance_seconds", type=float, default=0.0, help="0: only when told")
    parser.add_argument("--size", default=Size.AUDIT)
    parser.add_argument("--sports", default=FOOTBALL, help="divided by commas; all but the first have a tenth each")
    parser.add_argument("--latency", default=LatencyProfile.NONE)
    parser.add_argument("--faults", action="append", default=[])
    try:
        return options_from(**vars(parser.parse_args(arguments)))
    except SettingsError as error:
        parser.error(str(error))


def _instant(text: str | None) -> datetime:
    if text is None:
        return SystemClock().now().replace(second=0, microsecond=0)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is no instant: {error}") from error
    return instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)


def _chosen(kind: type[E], text: str) -> E:
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"there is no {text!r}, but: {', '.join(kind)}") from None
