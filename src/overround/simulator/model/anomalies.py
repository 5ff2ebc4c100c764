"""What a bookmaker says of its matches where a fault has it so: doubles, other numbers, absences, early starts."""

import msgspec

from overround.simulator.model.noise import stream, unit


class Anomalies(msgspec.Struct, frozen=True, kw_only=True):
    """The shares of the matches that are struck, by bookmaker.

    A match is listed twice, or with the number of the next one, or not at all; or its body shows it in play.
    """

    seed: int = 0
    listed_twice: dict[str, float] = {}
    misnumbered: dict[str, float] = {}
    unlisted: dict[str, float] = {}
    in_play: dict[str, float] = {}

    def twice(self, slug: str, number: int) -> bool:
        """Tell whether a bookmaker lists a match under two ids."""
        return self._strikes("twice", self.listed_twice, slug, number)

    def number(self, slug: str, number: int) -> int:
        """Return the SportRadar number under which a bookmaker lists a match."""
        return number + int(self._strikes("misnumbered", self.misnumbered, slug, number))

    def absent(self, slug: str, number: int) -> bool:
        """Tell whether a bookmaker's lists leave a match out."""
        return self._strikes("unlisted", self.unlisted, slug, number)

    def live(self, slug: str, number: int) -> bool:
        """Tell whether a bookmaker's body shows a match in play before its kick-off."""
        return self._strikes("in play", self.in_play, slug, number)

    def _strikes(self, name: str, shares: dict[str, float], slug: str, number: int) -> bool:
        share = shares.get(slug, 0.0)
        return bool(share) and unit(stream(self.seed, name, slug), number) < share


NO_ANOMALIES = Anomalies()
