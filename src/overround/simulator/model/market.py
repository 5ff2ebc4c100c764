"""The market model: what every bookmaker offers on every match at any tick, as a function of the parameters alone."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from overround.bookmakers.kit.simulation import FamilyVersion, SimulatedEvent, Simulation
from overround.catalogue import Catalogue
from overround.records.event import Listing
from overround.records.odds import SUSPENDED_UNPRICED, MarketKey, MarketPrices
from overround.simulator.model.anomalies import NO_ANOMALIES, Anomalies
from overround.simulator.model.chances import Chances, View
from overround.simulator.model.drift import Book
from overround.simulator.model.expectancy import Prospect
from overround.simulator.model.fixtures import Fixture, FixtureList, team_number
from overround.simulator.model.leagues import league_name, team_name
from overround.simulator.model.noise import normal, stream, unit
from overround.simulator.model.offers import OfferPlan
from overround.simulator.model.parameters import Parameters
from overround.simulator.model.pricing import Pricing

_DOUBT = 0.006  # how far apart two pricings of one expectancy are
_MARGIN_SPREAD = 0.23
_BOOKS_KEPT = 3  # times the events and bookmakers
_SECOND_LISTING = 500_000_000


class _Side(msgspec.Struct, frozen=True):
    """A bookmaker, and what is worked out for it alone, by sport."""

    slug: str
    key: int
    simulation: Simulation
    offers: Mapping[str, OfferPlan]
    pricing: Mapping[str, Pricing]


class Model:
    """All bookmakers' markets. What it keeps between calls changes no answer."""

    def __init__(self, parameters: Parameters, catalogue: Catalogue, simulations: Mapping[str, Simulation]) -> None:
        self.parameters = parameters
        self.fixtures = FixtureList(parameters)
        chances = Chances(catalogue)
        self._sides = {
            slug: self._side(slug, simulation, catalogue, chances) for slug, simulation in simulations.items()
        }
        self._books: dict[tuple[str, str], Book] = {}
        self._prospects: dict[int, Prospect] = {}
        self._upcoming = lru_cache(2)(lambda tick: tuple(self.fixtures.upcoming(self.instant(tick))))

    def _side(self, slug: str, simulation: Simulation, catalogue: Catalogue, chances: Chances) -> _Side:
        leagues = self.fixtures.leagues
        sports = [sport for sport in leagues if sport in simulation.offerables]
        return _Side(
            slug,
            stream(self.parameters.seed, "bookmaker", slug),
            simulation,
            {sport: OfferPlan(catalogue, simulation, sport, self.parameters.size, leagues[sport]) for sport in sports},
            {sport: Pricing(chances, simulation.profile, simulation.offerables[sport]) for sport in sports},
        )

    @property
    def bookmakers(self) -> tuple[str, ...]:
        """Return the slugs of the bookmakers."""
        return tuple(self._sides)

    def instant(self, tick: int) -> datetime:
        """Return the calendar's time at a tick."""
        return self.parameters.epoch + timedelta(seconds=tick * self.parameters.tick_seconds)

    def events(self, slug: str, tick: int, anomalies: Anomalies = NO_ANOMALIES) -> Iterator[SimulatedEvent]:
        """Yield what a bookmaker lists at a tick."""
        side = self._sides[slug]
        for fixture in self._upcoming(tick):
            if self._lists(slug, fixture) and not anomalies.absent(slug, fixture.number):
                yield self._event(side, fixture, tick, anomalies)
                if side.simulation.profile.may_list_twice and anomalies.twice(slug, fixture.number):
                    yield self._event(side, fixture, tick, anomalies, second=True)

    def find(self, slug: str, listing_id: str, tick: int, anomalies: Anomalies = NO_ANOMALIES) -> SimulatedEvent | None:
        """Return a bookmaker's event by its own id: a listed one, or one in play."""
        found = self._fixture_of(slug, listing_id)
        if found is None:
            return None
        fixture, second = found
        side, now = self._sides[slug], self.instant(tick)
        if not fixture.listed_from <= now < fixture.over or not self._lists(slug, fixture):
            return None
        if second and not (side.simulation.profile.may_list_twice and anomalies.twice(slug, fixture.number)):
            return None
        event = self._event(side, fixture, tick, anomalies, second=second)
        early = anomalies.live(slug, fixture.number)
        return msgspec.structs.replace(event, started=True) if early else event

    def versions(self, slug: str, listing_id: str, tick: int) -> Sequence[FamilyVersion]:
        """Return the versions of the families of markets of a bookmaker's event."""
        return self._book(slug, listing_id).versions(tick)

    def family(
        self, slug: str, listing_id: str, number: int, version: FamilyVersion
    ) -> Mapping[MarketKey, MarketPrices]:
        """Return the prices of a family of markets in a version."""
        book, side = self._book(slug, listing_id), self._sides[slug]
        profile = side.simulation.profile
        opinion = stream(book.key, version.priced_at, number)
        view = View(book.prospect.at(version.priced_at - profile.lag, opinion, _DOUBT))
        priced = side.pricing[book.fixture.league.sport].family(
            book.plan.families[number], view, self._margin(side, book.fixture), shift=int(version.flipped)
        )
        shown = profile.shows_suspended
        return {
            key: _held(prices, shows_price=shown) if version.suspended or place in version.held else prices
            for key, (place, prices) in priced.items()
            if place not in version.away
        }

    def markets(self, slug: str, listing_id: str, tick: int) -> Mapping[MarketKey, MarketPrices]:
        """Return all markets that a bookmaker offers on an event at a tick."""
        found: dict[MarketKey, MarketPrices] = {}
        for number, version in enumerate(self.versions(slug, listing_id, tick)):
            found |= self.family(slug, listing_id, number, version)
        return found

    def _margin(self, side: _Side, fixture: Fixture) -> float:
        spread = 1 + _MARGIN_SPREAD * normal(side.key, fixture.league.number)
        return side.simulation.profile.margin * min(1.6, max(0.5, spread))

    def _lists(self, slug: str, fixture: Fixture) -> bool:
        """Tell whether a bookmaker lists a match at all; one bookmaker, drawn for each match, always does."""
        sport = fixture.league.sport
        slugs = [each for each, side in self._sides.items() if sport in side.offers]
        if slug not in slugs:
            return False
        sure = slugs[int(unit(fixture.key, 11) * len(slugs))]
        return slug == sure or unit(stream(fixture.key, slug), 1) >= self._sides[slug].simulation.profile.gaps

    def _event(
        self, side: _Side, fixture: Fixture, tick: int, anomalies: Anomalies, *, second: bool = False
    ) -> SimulatedEvent:
        profile, league, now = side.simulation.profile, fixture.league, self.instant(tick)
        own = stream(fixture.key, side.slug)
        number = anomalies.number(side.slug, fixture.number)
        sr_id = None if unit(own, 2) < profile.unnumbered else number
        share = profile.own_spellings
        return SimulatedEvent(
            listing=Listing(
                bookmaker=side.slug,
                listing_id=self._listing_id(side, fixture.number, second=second),
                sr_id=sr_id,
                sport=league.sport,
                home=team_name(side.key, league.teams[fixture.home], share),
                away=team_name(side.key, league.teams[fixture.away], share),
                kickoff=fixture.kickoff_at(now),
                country=league.country,
                tournament=league_name(side.key, league.country, league.name, share),
            ),
            listed_sr_id=None if unit(own, 3) < profile.unnumbered_in_lists else sr_id,
            country_number=league.country_number,
            league_number=league.number,
            home_number=team_number(league, fixture.home),
            away_number=team_number(league, fixture.away),
            started=now >= fixture.kickoff,
        )

    def _listing_id(self, side: _Side, number: int, *, second: bool) -> str:
        profile = side.simulation.profile
        return f"{profile.id_prefix}{number + profile.id_offset + second * _SECOND_LISTING}"

    def _fixture_of(self, slug: str, listing_id: str) -> tuple[Fixture, bool] | None:
        profile = self._sides[slug].simulation.profile
        digits = listing_id.removeprefix(profile.id_prefix)
        if not listing_id.startswith(profile.id_prefix) or not digits.isdecimal():
            return None
        number = int(digits) - profile.id_offset
        second = number >= _SECOND_LISTING
        fixture = self.fixtures.numbered(number - second * _SECOND_LISTING)
        return None if fixture is None else (fixture, second)

    def _book(self, slug: str, listing_id: str) -> Book:
        book = self._books.get((slug, listing_id))
        if book is None:
            self._make_room()
            book = self._books[slug, listing_id] = self._new_book(slug, listing_id)
        return book

    def _make_room(self) -> None:
        if len(self._books) >= _BOOKS_KEPT * len(self._sides) * self.parameters.events:
            self._books.clear()
            self._prospects.clear()

    def _new_book(self, slug: str, listing_id: str) -> Book:
        found = self._fixture_of(slug, listing_id)
        if found is None:
            raise KeyError(listing_id)
        fixture, side = found[0], self._sides[slug]
        plan = side.offers[fixture.league.sport].of(fixture.league.tier)
        prospect = self._prospects.get(fixture.number)
        if prospect is None:
            prospect = self._prospects[fixture.number] = Prospect(fixture)
        return Book(prospect, side.simulation.profile, slug, plan, self.parameters)


def _held(prices: MarketPrices, *, shows_price: bool) -> MarketPrices:
    """Return suspended prices: shown as they were, or not at all."""
    if shows_price:
        return MarketPrices(tuple(-abs(price) for price in prices.prices))
    return MarketPrices(tuple(SUSPENDED_UNPRICED if price else 0 for price in prices.prices))
