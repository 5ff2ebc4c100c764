"""What is wrong with a bookmaker's list of matches where a fault has it so: doubles, and numbers of other matches."""

import msgspec

from overround.simulator.model.noise import stream, unit


class Anomalies(msgspec.Struct, frozen=True, kw_only=True):
    """The shares of the matches that are listed twice, or with the number of the next match, by bookmaker."""

    seed: int = 0
    listed_twice: dict[str, float] = {}
    misnumbered: dict[str, float] = {}

    def twice(self, slug: str, number: int) -> bool:
        """Tell whether a bookmaker lists a match under two ids."""
        share = self.listed_twice.get(slug, 0.0)
        return bool(share) and unit(stream(self.seed, "twice", slug), number) < share

    def number(self, slug: str, number: int) -> int:
        """Return the SportRadar number under which a bookmaker lists a match."""
        share = self.misnumbered.get(slug, 0.0)
        return number + int(bool(share) and unit(stream(self.seed, "misnumbered", slug), number) < share)


NO_ANOMALIES = Anomalies()
