"""Bet9ja (sports.bet9ja.com)."""

from collections.abc import Sequence

import msgspec

from overround.bookmakers.bet9ja.client import Bet9jaClient
from overround.bookmakers.bet9ja.normalise import Bet9jaNormaliser
from overround.bookmakers.bet9ja.rendering import PROFILE, body_formats
from overround.bookmakers.bet9ja.simulated import Bet9jaServer, modelled, replay
from overround.bookmakers.kit.simulation import Simulation
from overround.catalogue import Catalogue
from overround.ports import BookmakerOptions, Clock, Fetcher, Recording


class _Bet9ja(msgspec.Struct, frozen=True, kw_only=True):
    slug: str = "bet9ja"
    name: str = "Bet9ja"
    number: int = 3
    # The most sensitive of the three to many requests at once: spaced, and half as many.
    defaults: BookmakerOptions = BookmakerOptions(
        base_url="https://sports.bet9ja.com",
        concurrency=15,
        min_interval_ms=25,
        headers={"accept": "*/*", "referer": "https://sports.bet9ja.com/"},
    )

    def normaliser(self, catalogue: Catalogue) -> Bet9jaNormaliser:
        """Build the normaliser for a catalogue."""
        return Bet9jaNormaliser(catalogue)

    def client(self, fetcher: Fetcher, options: BookmakerOptions, clock: Clock) -> Bet9jaClient:
        """Build the client; there is one country only."""
        del options, clock
        return Bet9jaClient(fetcher)

    def replay(self, recordings: Sequence[Recording]) -> Bet9jaServer:
        """Build the server's side on recordings."""
        return replay(recordings)

    def simulated(self, catalogue: Catalogue) -> Simulation:
        """Build the bookmaker's side of the simulator."""
        formats = body_formats(catalogue)
        offerables = {sport: body_format.wire for sport, body_format in formats.items()}
        return Simulation(profile=PROFILE, offerables=offerables, server=lambda world: modelled(world, formats))


BOOKMAKER = _Bet9ja()
