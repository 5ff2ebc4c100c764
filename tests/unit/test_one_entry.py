"""One entry costs one entry: faults in lists and in single-event bodies, at every bookmaker."""

import copy
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest

from overround.bookmakers.kit.league_discovery import MOST_LISTED
from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import load_catalogue
from overround.errors import MalformedError
from overround.ports import Normaliser, Recording
from overround.records.event import DiscoveryFailure, LeagueListings
from overround.records.odds import MarketKey, outcome_state, shown_price
from overround.testing import ManualClock
from overround.texts import REPLACEMENT
from tests.replayed import ReplayFetcher
from tests.wire_bodies import BEFORE, KICKOFF, naija_body, pawa_body, pawa_market, sporty_body, sporty_market

Json = Any
RESULT = MarketKey("match_result")
BOOKMAKERS = load_bookmakers()
SLUGS = ("betpawa", "sportybet", "bet9ja")
SPORTY_LEAGUE = {"id": "sr:category:1", "name": "Utopia", "tournament": {"id": "sr:tournament:4", "name": "First"}}
SPORTY_SPORT = {"id": "sr:sport:1", "name": "Football", "category": SPORTY_LEAGUE}
BODIES: Mapping[str, Callable[[], Json]] = {
    "betpawa": lambda: pawa_body(
        pawa_market(
            "3743", {"prices": [{"typeId": t, "price": p} for t, p in (("3744", 2.1), ("3745", 3.3), ("3746", 4))]}
        )
    ),
    "sportybet": lambda: sporty_body(sporty_market("1", {"1": "2.10", "2": "3.30", "3": "4.00"}), sport=SPORTY_SPORT),
    "bet9ja": lambda: naija_body({"S_1X2_1": "2.10", "S_1X2_X": "3.30", "S_1X2_2": "4.00"}),
}
KICKOFF_FIELD = {"betpawa": "startTime", "sportybet": "estimateStartTime", "bet9ja": "STARTDATE"}
BAD_KICKOFFS: Mapping[str, tuple[Json, ...]] = {
    "betpawa": (
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "1970-01-01T00:00:00Z",
        "soon",
        None,
        0,
        "9999-12-31T23:59:59-14:00",
    ),
    "sportybet": (253_402_300_799_000, -62_135_596_800_000, 1_796_140_800, 0, 10**18, 10**30, None, "soon"),
    "bet9ja": (
        "9999-12-31 23:59:59",
        "0001-01-01 00:00:00",
        "1970-01-01 00:00:00",
        "soon",
        None,
        0,
        "9999-12-31T23:59:59-14:00",
    ),
}
# Texts that nobody needs: where they stand in an event, by bookmaker.
IDLE_TEXTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "betpawa": (("category", "name"), ("region", "name"), ("competition", "name"), ("name",), ("widgets",)),
    "sportybet": (("sport", "name"), ("sport", "category", "name"), ("sport", "category", "tournament", "name")),
    "bet9ja": (("S",), ("SG",), ("GN",)),
}


@cache
def normaliser_of(slug: str) -> Normaliser:
    """Return a bookmaker's normaliser."""
    return BOOKMAKERS[slug].normaliser(load_catalogue())


def event_of(slug: str, body: Json) -> Json:
    """Return the event of a single-event body."""
    return {"betpawa": body, "sportybet": body.get("data"), "bet9ja": body.get("D")}[slug]


def named(slug: str, event: Json, home: str) -> Json:
    """Return the event with another home side."""
    changed = copy.deepcopy(event)
    if slug == "betpawa":
        changed["participants"][1]["name"] = home
    elif slug == "sportybet":
        changed["homeTeamName"] = home
    else:
        changed["DS"] = f"{home} - Mill Town"
    return changed


def put(event: Json, path: tuple[str, ...], value: Json) -> Json:
    """Return the event with a value at a path."""
    changed = copy.deepcopy(event)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


def entries_of(slug: str, answer: Json) -> Json:
    """Return the list of events in a league's answer."""
    if slug == "betpawa":
        return answer["responses"][0]["responses"]
    return answer["data"][0]["events"] if slug == "sportybet" else answer["D"]["E"]


def raw(value: Json) -> bytes:
    """Return JSON as lenient servers write it: NaN, and halves of surrogate pairs as escapes."""
    return json.dumps(value).encode()


def fetcher_with(slug: str, added: list[Json]) -> ReplayFetcher:
    """Return a fetcher of a bookmaker that lists one sound event and these entries besides."""
    bookmaker, clock = BOOKMAKERS[slug], ManualClock()
    body = raw(BODIES[slug]())
    listing = normaliser_of(slug).normalise(body, BEFORE).listing
    server = bookmaker.replay([Recording(name="1", body=body, listing=listing)])

    def lists(path: str, params: Mapping[str, str], sent: bytes) -> bytes | None:
        if not path.endswith(("by-queries", "pcEvents", "V2")):
            return None
        answer = json.loads(server.answer("POST" if sent else "GET", path, params, sent).body)
        if slug == "betpawa" and '"skip":0' not in params["q"]:
            return b'{"responses":[{"responses":[]}]}'
        entries_of(slug, answer).extend(added)
        return raw(answer)

    return ReplayFetcher(server, clock, lists)


async def discovered(slug: str, fetcher: ReplayFetcher) -> list[LeagueListings | DiscoveryFailure]:
    """Return all that discovery yields."""
    bookmaker = BOOKMAKERS[slug]
    client = bookmaker.client(fetcher, bookmaker.defaults, ManualClock())
    return [answer async for answer in client.discover(["football"])]


async def league_with(slug: str, *added: Json) -> LeagueListings:
    """Return what discovery makes of a league with these entries beside a sound one."""
    (league,) = await discovered(slug, fetcher_with(slug, list(added)))
    assert isinstance(league, LeagueListings)
    return league


def other(slug: str, number: int) -> Json:
    """Return a second event as a list has it."""
    event = copy.deepcopy(event_of(slug, BODIES[slug]()))
    for name in ("markets", "O", "MK", "TRANS"):
        event.pop(name, None)
    event.update(
        {"betpawa": {"id": str(number)}, "sportybet": {"eventId": f"sr:match:{number}"}, "bet9ja": {"ID": number}}[slug]
    )
    return event


@pytest.mark.parametrize(("slug", "kickoff"), [(slug, bad) for slug in SLUGS for bad in BAD_KICKOFFS[slug]])
async def test_a_list_entry_without_a_date_costs_itself(slug: str, kickoff: Json) -> None:
    """Placeholders, seconds for milliseconds, words and null: the others are listed, the entry is counted."""
    league = await league_with(slug, put(other(slug, 99), (KICKOFF_FIELD[slug],), kickoff))
    assert [listing.kickoff for listing in league.listings] == [KICKOFF]
    assert (league.unreadable, league.whole) == (1, False)
    assert sum(dropped.count for dropped in league.dropped) == 1


@pytest.mark.parametrize(("slug", "kickoff"), [(slug, bad) for slug in SLUGS for bad in BAD_KICKOFFS[slug]])
def test_a_body_without_a_date_is_malformed(slug: str, kickoff: Json) -> None:
    """The body costs its own event, by a classified error."""
    body = BODIES[slug]()
    event_of(slug, body)[KICKOFF_FIELD[slug]] = kickoff
    with pytest.raises(MalformedError):
        normaliser_of(slug).normalise(raw(body), BEFORE)


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("entry", [7, None, "text", [], {}, [[[]]], {"id": None}], ids=str)
async def test_an_entry_of_another_kind_costs_itself(slug: str, entry: Json) -> None:
    """Whatever stands among the events of a list."""
    league = await league_with(slug, entry)
    assert len(league.listings) == 1
    assert league.unreadable == 1


@pytest.mark.parametrize(("slug", "path"), [(slug, path) for slug in SLUGS for path in IDLE_TEXTS[slug]])
async def test_a_text_that_nobody_needs_may_be_null(slug: str, path: tuple[str, ...]) -> None:
    """In a list and in a body, null in place of a name of a sport, country or league costs nothing."""
    league = await league_with(slug, put(other(slug, 99), path, None))
    assert (len(league.listings), league.unreadable) == (2, 0)
    body = BODIES[slug]()
    event = put(event_of(slug, body), path, None)
    body = {"betpawa": event, "sportybet": body | {"data": event}, "bet9ja": body | {"D": event}}[slug]
    offer = normaliser_of(slug).normalise(raw(body), BEFORE)
    assert offer.markets[RESULT].prices == (2100, 3300, 4000)
    assert offer.complete


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("bad", ["\ud83d", "\ude00\ud83d", "\0"], ids=["half", "halves", "nul"])
async def test_a_bad_character_costs_itself(slug: str, bad: str) -> None:
    """In a name, in a list and in a body, it becomes U+FFFD; the event is listed and its prices are read."""
    league = await league_with(slug, named(slug, other(slug, 99), f"Ab{bad}c"))
    assert {listing.home for listing in league.listings} == {"Harbour United", f"Ab{REPLACEMENT * len(bad)}c"}
    body = BODIES[slug]()
    event = named(slug, event_of(slug, body), f"Ab{bad}c")
    body = {"betpawa": event, "sportybet": body | {"data": event}, "bet9ja": body | {"D": event}}[slug]
    offer = normaliser_of(slug).normalise(raw(body), BEFORE)
    assert offer.listing.home == f"Ab{REPLACEMENT * len(bad)}c"
    assert offer.markets[RESULT].prices == (2100, 3300, 4000)


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")], ids=str)
async def test_a_number_that_is_none_costs_its_place(slug: str, number: float) -> None:
    """NaN in a field that nobody reads costs nothing, in a list and in a body; as a price it costs that price."""
    league = await league_with(slug, other(slug, 99) | {"statistics": {"xg": number}})
    assert (len(league.listings), league.unreadable) == (2, 0)
    body = BODIES[slug]()
    event_of(slug, body)["statistics"] = [number]
    offer = normaliser_of(slug).normalise(raw(body), BEFORE)
    assert offer.markets[RESULT].prices == (2100, 3300, 4000)
    with_draw(slug, body, number)
    offer = normaliser_of(slug).normalise(raw(body), BEFORE)
    assert shown(offer.markets[RESULT].prices) == [2100, None, 4000]


def with_draw(slug: str, body: Json, price: Json) -> None:
    """Put something in the place of the draw's price."""
    if slug == "betpawa":
        body["markets"][0]["row"][0]["prices"][1]["price"] = price
    elif slug == "sportybet":
        body["data"]["markets"][0]["outcomes"][1]["odds"] = price
    else:
        body["D"]["O"]["S_1X2_X"] = price


def shown(prices: tuple[int, ...]) -> list[int | None]:
    """Return what is active; None for the rest."""
    return [shown_price(price) if outcome_state(price) == "active" else None for price in prices]


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("price", [3.3, "3.30", 3.3000000000000003, "3.3000000000000003", "3.29999999999999982"])
def test_a_price_may_be_a_number_or_a_text(slug: str, price: Json) -> None:
    """Whichever the bookmaker usually writes, and with the noise of floats."""
    body = BODIES[slug]()
    with_draw(slug, body, price)
    offer = normaliser_of(slug).normalise(raw(body), BEFORE)
    assert offer.markets[RESULT].prices == (2100, 3300, 4000)


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize(
    "price", ["+330", "-180", "3,30", "3e0", "3_3", "٣.٣", "11/4", True, {}, [], "NaN", "1" * 5_000]
)
def test_another_notation_is_no_price(slug: str, price: Json) -> None:
    """American, fractional and Python's own forms of numbers cost that price, and are never taken for decimal."""
    body = BODIES[slug]()
    with_draw(slug, body, price)
    offer = normaliser_of(slug).normalise(raw(body), BEFORE)
    assert shown(offer.markets[RESULT].prices) == [2100, None, 4000]
    assert [dropped.key for dropped in offer.dropped] == [RESULT]


@pytest.mark.parametrize("slug", SLUGS)
async def test_a_league_beyond_the_limit_is_listed_in_part(slug: str) -> None:
    """Of 2,600 entries 2,000 are listed and the rest is counted; the list shows no absence."""
    server = fetcher_with(slug, [])
    entries = [other(slug, 10_000 + number) for number in range(2_600)]

    def lists(path: str, params: Mapping[str, str], _: bytes) -> bytes | None:
        if path.endswith("by-queries"):
            query = json.loads(params["q"])["queries"][0]
            return raw({"responses": [{"responses": entries[query["skip"] : query["skip"] + 50]}]})
        if path.endswith("pcEvents"):
            return raw({"bizCode": 10000, "data": [{"id": "1", "name": "x", "events": entries}]})
        if path.endswith("V2"):
            return raw({"R": "OK", "D": {"E": entries}})
        return raw(CATEGORIES) if "categories" in path else None

    server._intercept = lists
    (league,) = await discovered(slug, server)
    assert isinstance(league, LeagueListings)
    assert len(league.listings) == MOST_LISTED == 2_000
    assert league.unlisted == 600
    assert not league.whole
    assert sum(dropped.count for dropped in league.dropped) == 600


def tree(slug: str, leagues: Json, regions: Json) -> Json:
    """Return the answer that lists leagues: one region with these, and these regions besides."""
    if slug == "betpawa":
        region = {"region": {"id": "1", "name": "Utopia"}, "competitions": leagues}
        return {"withRegions": [{"category": {"id": "2"}, "regions": [region, *regions]}]}
    if slug == "sportybet":
        category = {"id": "c", "name": "Utopia", "tournaments": leagues}
        return {"bizCode": 10000, "data": {"sportList": [{"id": "sr:sport:1", "categories": [category, *regions]}]}}
    country = {"SG_DESC": "Utopia", "G": leagues}
    return {"R": "OK", "D": {"PAL": {"1": {"SG": {"0": country} | dict(enumerate(regions, 1))}}}}


def league_of(slug: str, number: int, name: str | None) -> Json:
    """Return a league as the tree has it."""
    return {
        "betpawa": {"competition": {"id": str(number), "name": name}, "eventCounts": {"upcoming": "1"}},
        "sportybet": {"id": f"sr:tournament:{number}", "name": name, "eventSize": 1},
        "bet9ja": {"G_DESC": name, "NUM": 1, "GID": number},
    }[slug]


EMPTY_REGIONS: Mapping[str, Json] = {
    "betpawa": [{"region": None}, {"region": {"id": "2", "name": None}, "competitions": None}, {"competitions": []}],
    "sportybet": [{"id": "x", "name": None}, {"id": "y", "name": "y", "tournaments": None}, {"tournaments": []}],
    "bet9ja": [{"SG_DESC": None, "G": []}, {"SG_DESC": "y", "G": None}, {"G": {}}],
}
CATEGORIES = tree("betpawa", [league_of("betpawa", 4, "First") | {"eventCounts": {"upcoming": 2600}}], [])
TREE_PATHS = {"betpawa": "categories/list/2", "sportybet": "popularAndSportList", "bet9ja": "GetSports"}


async def leagues_of(slug: str, answer: Json) -> tuple[set[str], list[DiscoveryFailure]]:
    """Return the labels of the leagues that are asked for when the tree says this, and the failures."""

    def trees(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        return raw(answer) if path.endswith(TREE_PATHS[slug]) else None

    fetcher = fetcher_with(slug, [])
    fetcher._intercept = trees
    answers = await discovered(slug, fetcher)
    asked = {answer.league for answer in answers if isinstance(answer, LeagueListings)}
    return asked, [answer for answer in answers if isinstance(answer, DiscoveryFailure)]


@pytest.mark.parametrize("slug", SLUGS)
async def test_regions_without_leagues_are_no_failure(slug: str) -> None:
    """Null, an empty list, an empty object and nothing at all mean that a region has no leagues."""
    answer = tree(slug, [league_of(slug, 4, "First"), league_of(slug, 5, None)], EMPTY_REGIONS[slug])
    asked, failures = await leagues_of(slug, answer)
    assert not failures
    assert "Utopia / First" in asked
    assert len(asked) == 2


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("bad", [7, "text", [[]]], ids=str)
async def test_a_part_of_the_tree_costs_itself(slug: str, bad: Json) -> None:
    """A league or a region that cannot be read is a failure of its own; the other leagues are asked for."""
    asked, failures = await leagues_of(slug, tree(slug, [bad, league_of(slug, 4, "First"), bad], [bad]))
    assert asked == {"Utopia / First"}
    assert [failure.error_class for failure in failures] == ["malformed"] * 3


NO_SPORTS: tuple[Json, ...] = ({}, {"sportList": None}, {"sportList": []})
NO_PALIMPSEST: tuple[Json, ...] = ({}, [], {"PAL": []}, {"PAL": {}}, {"PAL": None})
EMPTY_TREES: Mapping[str, tuple[Json, ...]] = {
    "betpawa": ({}, {"withRegions": None}, {"withRegions": []}, {"withRegions": [{"category": {"id": "2"}}]}),
    "sportybet": tuple({"bizCode": 10000, "data": data} for data in NO_SPORTS),
    "bet9ja": tuple({"R": "OK", "D": data} for data in NO_PALIMPSEST),
}


@pytest.mark.parametrize(("slug", "answer"), [(slug, answer) for slug in SLUGS for answer in EMPTY_TREES[slug]])
async def test_an_empty_tree_is_a_sport_without_leagues(slug: str, answer: Json) -> None:
    """An empty container in whichever form the format writes it."""
    assert await leagues_of(slug, answer) == (set(), [])


@pytest.mark.parametrize(
    ("slug", "change"),
    [
        ("bet9ja", {"O": []}),
        ("bet9ja", {"O": {}}),
        ("sportybet", {"markets": []}),
        ("sportybet", {"markets": None}),
        ("betpawa", {"markets": []}),
    ],
    ids=str,
)
def test_an_event_without_odds_is_read(slug: str, change: Json) -> None:
    """An empty list in place of an object says that nothing is offered."""
    body = BODIES[slug]()
    event_of(slug, body).update(change)
    offer = normaliser_of(slug).normalise(raw(body), BEFORE)
    assert not offer.markets


@pytest.mark.parametrize("slug", SLUGS)
async def test_a_fault_of_our_own_costs_one_league(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody foresaw, while one list is read, is that list's failure, of class internal."""
    fetcher = fetcher_with(slug, [])

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(f"overround.bookmakers.{slug}.client.read_entries", broken)
    (failed,) = await discovered(slug, fetcher)
    assert isinstance(failed, DiscoveryFailure)
    assert failed.error_class == "internal"
    monkeypatch.undo()
    monkeypatch.setattr(f"overround.bookmakers.{slug}.client._listing", broken)
    (league,) = await discovered(slug, fetcher)
    assert isinstance(league, LeagueListings)
    assert league.unreadable == 1
    assert league.dropped[0].reason == "internal: ZeroDivisionError"


@pytest.mark.parametrize("slug", ["betpawa", "sportybet"])
def test_a_count_may_be_digits_in_quotes(slug: str) -> None:
    """A line, a state and a product are read from a text of digits as from a number."""
    if slug == "betpawa":
        row = {"handicap": "10", "prices": [{"typeId": "5001", "price": 1.9}, {"typeId": "5002", "price": 1.8}]}
        body = pawa_body(pawa_market("5000", row))
    else:
        market = sporty_market("18", {"12": "1.90", "13": "1.80"}, specifier="total=2.5", status="0", product="3")
        body = sporty_body(market, sport=SPORTY_SPORT)
    offer = normaliser_of(slug).normalise(raw(body), BEFORE)
    assert offer.markets[MarketKey("total_goals", "line=2.5")].prices == (1900, 1800)
