"""The market model is a function of its parameters, and shows what a fixture list shows."""

import hashlib
import subprocess
import sys
from datetime import timedelta
from itertools import islice

import msgspec
import pytest

from overround.bookmakers.kit.simulation import Size
from overround.records.odds import State
from overround.simulator.model.anomalies import Anomalies
from overround.simulator.model.fixtures import FixtureList
from overround.simulator.model.leagues import leagues_for
from overround.simulator.model.market import Model
from overround.simulator.model.parameters import EPOCH, Parameters
from overround.simulator.server.oracle import Oracle
from tests.support.simulated import CATALOGUE, SLUGS, market, shared_model, shared_oracle, simulations

EVENTS = 30


def fresh(**changes: object) -> Model:
    """Return a model that nothing was asked before."""
    parameters = msgspec.structs.replace(Parameters(seed=3, events=EVENTS), **changes)
    return Model(parameters, CATALOGUE, simulations())


def test_any_tick_can_be_asked_for_first() -> None:
    """A tick is the same whether the ticks before it were asked for, later ones, or none."""
    walked, jumped = Oracle(fresh()), Oracle(fresh())
    far = list(jumped.states("sportybet", 500))
    for tick in range(0, 40, 3):
        list(walked.states("sportybet", tick))
    again = list(jumped.states("sportybet", 39))
    assert list(walked.states("sportybet", 39)) == again
    assert list(walked.states("sportybet", 500)) == far


DIGEST = """
import asyncio, hashlib
from tests.support.simulated import SLUGS, market, shared_model
async def main():
    asked, digest = market(shared_model(3, 6)), hashlib.sha256()
    for asked.present.tick in (0, 7):
        for slug in SLUGS:
            for listing in await asked.listings(slug):
                digest.update(await asked.body(slug, listing))
    print(digest.hexdigest())
asyncio.run(main())
"""


async def test_same_seed_epoch_and_tick_give_the_same_bytes() -> None:
    """Another process, with other hashes, renders the same bytes."""
    asked, digest = market(shared_model(3, 6)), hashlib.sha256()
    for asked.present.tick in (0, 7):
        for slug in SLUGS:
            for listing in await asked.listings(slug):
                digest.update(await asked.body(slug, listing))
    command = [sys.executable, "-c", DIGEST]
    other = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: ASYNC221, S603 - nothing else runs
    assert other.stdout.strip() == digest.hexdigest()


def test_other_seeds_are_other_markets() -> None:
    """The seed decides who plays, and at what prices."""
    one, other = (
        [state.markets for state in islice(Oracle(fresh(seed=seed)).states("sportybet", 0), 3)] for seed in (1, 2)
    )
    assert one != other


def test_matches_come_and_go() -> None:
    """Every place has one match to come; a day later some have started, and others have taken their places."""
    fixtures = FixtureList(Parameters(seed=1, events=200))
    today, tomorrow = (fixtures.upcoming(EPOCH + timedelta(days=day)) for day in (0, 1))
    assert len(today) == len(tomorrow) == 200
    assert all(fixture.kickoff > EPOCH for fixture in today)
    started = {fixture.number for fixture in today} - {fixture.number for fixture in tomorrow}
    assert 20 < len(started) < 100
    assert all(fixture.kickoff <= EPOCH + timedelta(days=1) for fixture in today if fixture.number in started)


def test_some_matches_are_moved() -> None:
    """About 1 in 70 matches gets another kick-off, after it was announced and before either one."""
    moved = [
        fixture
        for fixture in FixtureList(Parameters(seed=1, events=2000)).upcoming(EPOCH)
        if fixture.kickoff != fixture.first_kickoff
    ]
    assert 10 < len(moved) < 60
    for fixture in moved:
        assert fixture.announced < fixture.moved_at < min(fixture.kickoff, fixture.first_kickoff)
        assert fixture.kickoff_at(fixture.moved_at) == fixture.kickoff
        assert fixture.kickoff_at(fixture.moved_at - timedelta(seconds=1)) == fixture.first_kickoff


async def test_started_match_is_not_listed_and_shows_no_prices() -> None:
    """After kick-off a match has left the lists, and its own body proves nothing about its markets."""
    model = shared_model(1, EVENTS)
    asked = market(model)
    first = min(model.fixtures.upcoming(EPOCH), key=lambda fixture: fixture.kickoff)
    asked.present.tick = int((first.kickoff - EPOCH).total_seconds()) // 300
    for slug in SLUGS:
        assert first.number not in {listing.sr_id for listing in asked.oracle.listings(slug, asked.present.tick)}
    event = model.find("sportybet", f"sr:match:{first.number}", asked.present.tick)
    assert event is not None
    assert event.started
    offer = await asked.offer("sportybet", event.listing)
    assert not offer.complete
    assert not offer.markets
    asked.present.tick += 30
    assert model.find("sportybet", f"sr:match:{first.number}", asked.present.tick) is None


def test_all_markets_are_suspended_at_a_jump_and_come_back() -> None:
    """Now and then a bookmaker suspends all of an event for a tick, and has new prices after it."""
    model, slug = shared_model(1, EVENTS), "sportybet"
    closed = 0
    for listing in list(shared_oracle(model).listings(slug, 0))[:10]:
        suspended = [model.versions(slug, listing.listing_id, tick)[0].suspended for tick in range(600)]
        for tick in (tick for tick in range(599) if suspended[tick]):
            closed += 1
            before, now, after = (model.markets(slug, listing.listing_id, at) for at in (tick - 1, tick, tick + 1))
            assert {prices.state for prices in now.values()} == {State.SUSPENDED}
            assert State.ACTIVE in {prices.state for prices in after.values()}
            assert before != after
    assert closed


def test_one_bookmaker_flips_between_two_lines() -> None:
    """On a few events of one bookmaker the lines of some markets alternate with every tick."""
    model, slug = shared_model(1, 400), "bet9ja"
    flipping = 0
    for listing in shared_oracle(model).listings(slug, 0):
        versions = [model.versions(slug, listing.listing_id, tick) for tick in (0, 1, 2)]
        flips = [any(version.flipped for version in found) for found in versions]
        assert flips in ([False] * 3, [False, True, False])
        flipping += flips[1]
    assert 3 <= flipping <= 30


def test_lists_have_gaps_and_listings_without_a_number() -> None:
    """Every match is listed by someone, few by not all, and a few listings have no SportRadar number."""
    model = shared_model(1, 400)
    listed = {slug: list(model.events(slug, 0)) for slug in SLUGS}
    counts = {slug: len(events) for slug, events in listed.items()}
    assert all(340 < count <= 400 for count in counts.values())
    assert min(counts.values()) < 395
    numbers = {event.home_number: event for events in listed.values() for event in events}
    assert numbers
    unnumbered = [event for events in listed.values() for event in events if event.listing.sr_id is None]
    assert 1 <= len(unnumbered) <= 20
    assert {event.listing.sr_id for events in listed.values() for event in events} >= {
        fixture.number for fixture in model.fixtures.upcoming(EPOCH)
    }


def test_names_differ_between_bookmakers() -> None:
    """The listings of two bookmakers of one match differ in a team's name in 15 to 40 % of the cases."""
    model = shared_model(1, 400)
    by_number = {slug: {event.listing.sr_id: event.listing for event in model.events(slug, 0)} for slug in SLUGS}
    pairs = [
        (by_number[one][number], by_number[other][number])
        for one, other in zip(SLUGS, (*SLUGS[1:], SLUGS[0]), strict=True)
        for number in by_number[one].keys() & by_number[other].keys()
        if number is not None
    ]
    differing = [one for one, other in pairs if (one.home, one.away) != (other.home, other.away)]
    assert 0.15 <= len(differing) / len(pairs) <= 0.40
    assert all(one.kickoff == other.kickoff for one, other in pairs)


@pytest.mark.parametrize(("size", "wanted"), [(Size.AUDIT, (178, 156)), (Size.CAPTURED, (360, 221))])
def test_offers_are_as_large_as_real_ones(size: Size, wanted: tuple[int, int]) -> None:
    """Markets with their lines are on average as many as bookmakers were seen to offer, within a tenth."""
    oracle = shared_oracle(shared_model(1, 60, size))
    for slug, count in zip(("sportybet", "bet9ja"), wanted, strict=True):
        sizes = [len(state.markets) for state in oracle.states(slug, 0)]
        assert sum(sizes) / len(sizes) == pytest.approx(count, rel=0.1)
    kinds = [len({key.market for key in state.markets}) for state in oracle.states("betpawa", 0)]
    assert sum(kinds) / len(kinds) == pytest.approx(50 if size is Size.AUDIT else 79, rel=0.1)


def test_history_leads_from_one_state_to_the_other() -> None:
    """The changes between two ticks, applied in order, turn the first state into the last."""
    oracle = shared_oracle(shared_model(1, EVENTS))
    for listing in list(oracle.listings("betpawa", 0))[:5]:
        first = oracle.state("betpawa", listing.listing_id, 0)
        last = oracle.state("betpawa", listing.listing_id, 12)
        assert first is not None
        assert last is not None
        markets = dict(first.markets)
        for change in oracle.history("betpawa", listing.listing_id, 0, 12):
            assert markets.get(change.key) == change.before
            if change.after is None:
                del markets[change.key]
            else:
                markets[change.key] = change.after
        assert markets == dict(last.markets)


def test_doubles_and_wrong_numbers_are_listed_where_ordered() -> None:
    """With anomalies a match has a second listing of its own id, and another one's number, at that bookmaker alone."""
    model = shared_model(1, EVENTS)
    wrong = Anomalies(seed=1, listed_twice={"betpawa": 1.0, "sportybet": 1.0}, misnumbered={"bet9ja": 1.0})
    plain = {slug: [event.listing for event in model.events(slug, 0)] for slug in SLUGS}
    odd = {slug: [event.listing for event in model.events(slug, 0, wrong)] for slug in SLUGS}
    assert len(odd["betpawa"]) == 2 * len(plain["betpawa"])
    assert len({listing.listing_id for listing in odd["betpawa"]}) == len(odd["betpawa"])
    assert odd["sportybet"] == plain["sportybet"]  # whose ids are the numbers
    assert all(
        (one.sr_id or 0) + 1 == other.sr_id
        for one, other in zip(plain["bet9ja"], odd["bet9ja"], strict=True)
        if one.sr_id is not None
    )


def test_leagues_suffice_for_the_longest_list() -> None:
    """20,000 events are of leagues with names and numbers of their own, real ones first."""
    leagues = leagues_for(20_000)
    assert len(leagues) > 600
    assert len({(league.country, league.name) for league in leagues}) == len(leagues)
    assert leagues[0].teams[0] == "Arsenal"
    assert leagues_for(60)[:15] == leagues[:15]
