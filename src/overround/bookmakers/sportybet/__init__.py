"""SportyBet (sportybet.com)."""

from collections.abc import Sequence

import msgspec

from overround.bookmakers.kit.simulation import Simulation
from overround.bookmakers.sportybet.client import SportybetClient
from overround.bookmakers.sportybet.normalise import SportybetNormaliser
from overround.bookmakers.sportybet.rendering import PROFILE, body_formats
from overround.bookmakers.sportybet.simulated import SportybetServer, modelled, replay
from overround.catalogue import Catalogue
from overround.ports import BookmakerOptions, Clock, Fetcher, Recording


class _Sportybet(msgspec.Struct, frozen=True, kw_only=True):
    slug: str = "sportybet"
    name: str = "SportyBet"
    number: int = 2
    # One host serves all countries; the country is in the path, and as a number in `operid` (2 is Nigeria).
    defaults: BookmakerOptions = BookmakerOptions(
        base_url="https://www.sportybet.com",
        concurrency=30,
        headers={
            "accept": "application/json",
            "accept-language": "en",
            "clientid": "web",
            "operid": "2",
            "platform": "web",
        },
    )

    def normaliser(self, catalogue: Catalogue) -> SportybetNormaliser:
        """Build the normaliser for a catalogue."""
        return SportybetNormaliser(catalogue)

    def client(self, fetcher: Fetcher, options: BookmakerOptions, clock: Clock) -> SportybetClient:
        """Build the client for the country of the options."""
        return SportybetClient(fetcher, options.country, clock)

    def replay(self, recordings: Sequence[Recording]) -> SportybetServer:
        """Build the server's side on recordings."""
        return replay(recordings)

    def simulated(self, catalogue: Catalogue) -> Simulation:
        """Build the bookmaker's side of the simulator."""
        formats = body_formats(catalogue)
        offerables = {sport: body_format.wire for sport, body_format in formats.items()}
        return Simulation(profile=PROFILE, offerables=offerables, server=lambda world: modelled(world, formats))


BOOKMAKER = _Sportybet()
