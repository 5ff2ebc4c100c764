"""Which bookmakers are asked; may change while the service runs."""

from collections.abc import Callable, Collection, Iterator, Mapping

from overround.scraping.event_scrape import Source


class EnabledBookmakers(Mapping[str, Source]):
    """The bookmakers that are switched on.

    One that is `withheld` is not among them either, for as long as that lasts: its prices could not be stored.
    One that is switched off is no longer among them, and yet found by its slug: a run goes on with
    what it has chosen.
    """

    def __init__(
        self,
        everyone: Mapping[str, Source],
        switched_on: Collection[str],
        withheld: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self.everyone = everyone
        self._withheld = withheld
        self._on = set(switched_on)
        # Those that were on at some time since the start: they may have prices.
        self.shown = tuple(slug for slug in everyone if slug in self._on)

    def switch(self, slug: str, *, on: bool) -> None:
        """Ask a bookmaker from the next run on, or no longer."""
        if not on:
            self._on.discard(slug)
            return
        self._on.add(slug)
        if slug not in self.shown:
            self.shown = (*self.shown, slug)

    def __getitem__(self, slug: str) -> Source:
        """Return a bookmaker, whether it is on or not."""
        return self.everyone[slug]

    def __contains__(self, slug: object) -> bool:
        """Tell whether a bookmaker is on."""
        return slug in self._on and slug not in self._withheld()

    def __iter__(self) -> Iterator[str]:
        """Yield those that are on; a copy, since they may change meanwhile."""
        withheld = self._withheld()
        return iter([slug for slug in self.everyone if slug in self._on and slug not in withheld])

    def __len__(self) -> int:
        """Return how many are on."""
        return len(self._on.difference(self._withheld()))
