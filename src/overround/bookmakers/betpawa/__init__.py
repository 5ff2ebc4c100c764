"""BetPawa (betpawa.ng)."""

from collections.abc import Sequence

import msgspec

from overround.bookmakers.betpawa.client import BetpawaClient
from overround.bookmakers.betpawa.normalise import BetpawaNormaliser
from overround.bookmakers.betpawa.rendering import PROFILE, body_formats
from overround.bookmakers.betpawa.simulated import BetpawaServer, modelled, replay
from overround.bookmakers.kit.simulation import Simulation
from overround.catalogue import Catalogue
from overround.ports import BookmakerOptions, Clock, Fetcher, Recording


class _Betpawa(msgspec.Struct, frozen=True, kw_only=True):
    slug: str = "betpawa"
    name: str = "BetPawa"
    number: int = 1
    # Each country has its own host, and its own brand in the header: both go together.
    defaults: BookmakerOptions = BookmakerOptions(
        base_url="https://www.betpawa.ng",
        concurrency=30,
        headers={
            # Asked for anything, lists are answered in protobuf.
            "accept": "application/json",
            "x-pawa-brand": "betpawa-nigeria",
            "x-pawa-language": "en",
            "devicetype": "web",
        },
    )

    def normaliser(self, catalogue: Catalogue) -> BetpawaNormaliser:
        """Build the normaliser for a catalogue."""
        return BetpawaNormaliser(catalogue)

    def client(self, fetcher: Fetcher, options: BookmakerOptions, clock: Clock) -> BetpawaClient:
        """Build the client; the country is in the base address."""
        del options, clock
        return BetpawaClient(fetcher)

    def replay(self, recordings: Sequence[Recording]) -> BetpawaServer:
        """Build the server's side on recordings."""
        return replay(recordings)

    def simulated(self, catalogue: Catalogue) -> Simulation:
        """Build the bookmaker's side of the simulator."""
        formats = body_formats(catalogue)
        offerables = {sport: body_format.wire for sport, body_format in formats.items()}
        return Simulation(profile=PROFILE, offerables=offerables, server=lambda world: modelled(world, formats))


BOOKMAKER = _Betpawa()
