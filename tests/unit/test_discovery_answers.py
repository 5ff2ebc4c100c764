"""The ways in which the bookmakers' discovery answers differ from the plain case."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import load_catalogue
from overround.ports import Recording
from overround.records.event import DiscoveryFailure, LeagueListings, Listing
from overround.simulator.server.captures import default_recordings_dir
from overround.testing import ManualClock
from tests.replayed import Interceptor, ReplayFetcher

Answer = LeagueListings | DiscoveryFailure
Json = Any


def body_of(name: str) -> Json:
    """Return a shipped recording, decoded."""
    return json.loads((default_recordings_dir() / f"{name}.json").read_text("utf-8"))


def fetcher_for(slug: str, bodies: list[Json], intercept: Interceptor | None = None) -> ReplayFetcher:
    """Return a fetcher on a replay of these bodies."""
    bookmaker = load_bookmakers()[slug]
    normaliser = bookmaker.normaliser(load_catalogue())
    clock = ManualClock()
    encoded = [json.dumps(body).encode() for body in bodies]
    recordings = [
        Recording(name=str(number), body=body, listing=normaliser.normalise(body, clock.now()).listing)
        for number, body in enumerate(encoded)
    ]
    return ReplayFetcher(bookmaker.replay(recordings), clock, intercept)


async def discovered(slug: str, fetcher: ReplayFetcher, sport: str = "football") -> list[Answer]:
    """Return all that a bookmaker's discovery yields."""
    bookmaker = load_bookmakers()[slug]
    client = bookmaker.client(fetcher, bookmaker.defaults, ManualClock())
    return [answer async for answer in client.discover([sport])]


def listings(answers: list[Answer]) -> list[Listing]:
    """Return the listings of all leagues."""
    return [listing for answer in answers if isinstance(answer, LeagueListings) for listing in answer.listings]


def losses(answers: list[Answer]) -> dict[str, int]:
    """Return what was dropped, by reason."""
    found = [dropped for answer in answers if isinstance(answer, LeagueListings) for dropped in answer.dropped]
    return {dropped.reason: dropped.count for dropped in found}


def betpawa_events(count: int) -> list[Json]:
    """Return that many events of one BetPawa league."""
    return [body_of("betpawa_arsenal_everton") | {"id": str(1000 + number)} for number in range(count)]


@pytest.mark.parametrize("count", [1, 49, 50, 99, 100, 101, 230])
async def test_betpawa_league_is_read_to_its_last_page(count: int) -> None:
    """However many events a league has, each is found once."""
    found = listings(await discovered("betpawa", fetcher_for("betpawa", betpawa_events(count))))
    assert sorted(listing.listing_id for listing in found) == sorted(str(1000 + number) for number in range(count))


async def test_betpawa_pages_may_be_smaller_than_asked_for() -> None:
    """A host that caps its pages at 50 does not cut a league short."""
    fetcher = fetcher_for("betpawa", betpawa_events(120))

    def capped(path: str, params: Mapping[str, str], _: bytes) -> bytes | None:
        if not path.endswith("by-queries"):
            return None
        query = params["q"].replace('"take":100', '"take":50')
        return fetcher._simulated.answer("GET", path, {"q": query}, b"").body

    fetcher._intercept = capped
    assert len(listings(await discovered("betpawa", fetcher))) == 120


async def test_betpawa_server_that_ignores_paging_fails_the_league() -> None:
    """Full pages without end are a failure, not an endless loop."""
    fetcher = fetcher_for("betpawa", betpawa_events(100))

    def first_page(path: str, params: Mapping[str, str], _: bytes) -> bytes | None:
        query = re.sub(r'"skip":\d+', '"skip":0', params.get("q", ""))
        return fetcher._simulated.answer("GET", path, {"q": query}, b"").body if query else None

    fetcher._intercept = first_page
    (failed,) = await discovered("betpawa", fetcher)
    assert isinstance(failed, DiscoveryFailure)
    assert "repeat themselves" in failed.message


async def test_betpawa_asks_for_upcoming_events_of_one_league_without_markets() -> None:
    """The query names sport and competition, and embeds no markets."""
    fetcher = fetcher_for("betpawa", betpawa_events(1))
    await discovered("betpawa", fetcher)
    assert fetcher.requests[0] == ("/api/sportsbook/v4/categories/list/2", {"includeRegions": "true"})
    path, params = fetcher.requests[1]
    assert path == "/api/sportsbook/v4/events/lists/by-queries"
    assert json.loads(params["q"]) == {
        "queries": [
            {
                "query": {
                    "eventType": "UPCOMING",
                    "categories": ["2"],
                    "zones": {"competitions": ["90011"]},
                    "hasOdds": True,
                },
                "view": {},
                "skip": 0,
                "take": 100,
                "sort": {"startTime": "ASC"},
            }
        ]
    }


async def test_betpawa_counts_come_as_digits_and_empty_leagues_are_not_asked_for() -> None:
    """Counts in strings are numbers; a league that says it has nothing costs no request."""

    def categories(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        if "categories" not in path:
            return None
        entries = [
            {"competition": {"id": str(number), "name": f"League {number}"}, "eventCounts": {"upcoming": count}}
            for number, count in ((1, "3"), (2, "0"), (3, 0))
        ]
        uncounted = {"competition": {"id": "4", "name": "League 4"}, "eventCounts": None}
        region = {"region": {"id": "9", "name": "England"}, "competitions": [*entries, uncounted]}
        return json.dumps(
            {
                "withRegions": [
                    {"category": {"id": "2", "name": "Football"}, "regions": [region, region | {"competitions": None}]}
                ]
            }
        ).encode()

    fetcher = fetcher_for("betpawa", betpawa_events(1), categories)
    answers = await discovered("betpawa", fetcher)
    assert sorted(answer.league for answer in answers) == ["England / League 1", "England / League 4"]
    assert listings(answers) == []


async def test_betpawa_list_events_may_lack_widgets_and_be_damaged() -> None:
    """Without widgets the SportRadar number is unknown; an event that cannot be read costs only itself."""
    event = {name: value for name, value in betpawa_events(1)[0].items() if name != "markets"}
    bare = {name: value for name, value in event.items() if name != "widgets"} | {
        "id": "1",
        "startTime": "2026-10-03T16:00:00+02:00",
    }
    other_feed = event | {"id": "2", "widgets": [{"id": "5", "type": "GENIUSSPORTS"}]}
    naive = event | {"id": "3", "startTime": "2026-10-03T14:00:00"}
    lonely = event | {"id": "4", "participants": event["participants"][:1]}
    page = {"responses": [{"responses": [event, bare, other_feed, naive, lonely, 7, event]}]}

    def lists(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        return json.dumps(page).encode() if path.endswith("by-queries") else None

    answers = await discovered("betpawa", fetcher_for("betpawa", betpawa_events(1), lists))
    assert {listing.listing_id: listing.sr_id for listing in listings(answers)} == {
        "1000": 97000101,
        "1": None,
        "2": None,
    }
    assert {listing.kickoff.isoformat() for listing in listings(answers)} == {"2026-10-03T14:00:00+00:00"}
    assert sum(losses(answers).values()) == 3


async def test_sportybet_asks_for_one_league_at_a_time() -> None:
    """The leagues come from the list of sports, promoted repetitions and virtual football left out."""
    arsenal, league = body_of("sportybet_arsenal_everton"), "sr:tournament:90011"

    def sports(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        if not path.endswith("popularAndSportList"):
            return None
        tournaments = [{"id": league, "name": "Premier League"}, {"id": "sv:league:3", "name": "Virtual"}]
        category = {"id": "sr:category:1", "name": "England", "eventSize": 1, "tournaments": tournaments}
        football = {"id": "sr:sport:1", "name": "Football", "categories": [category]}
        top = football | {"categories": [category | {"id": "sr:category:top", "name": "Top"}]}
        return json.dumps({"bizCode": 10000, "data": {"sportList": [football], "popularEvents": [top]}}).encode()

    fetcher = fetcher_for("sportybet", [arsenal], sports)
    answers = await discovered("sportybet", fetcher)
    assert [answer.league for answer in answers] == ["England / Premier League"]
    assert [listing.sr_id for listing in listings(answers)] == [97000101]
    assert [path for path, _ in fetcher.requests] == [
        "/api/ng/factsCenter/popularAndSportList",
        "/api/ng/factsCenter/pcEvents",
    ]


async def test_sportybet_drops_what_is_not_upcoming_football() -> None:
    """Virtual, simulated, started and undated events are counted; a banned one is listed as not active."""
    event = {name: value for name, value in body_of("sportybet_arsenal_everton")["data"].items() if name != "markets"}
    odd = [
        event | {"eventId": "sv:match:1"},
        event | {"eventId": "sr:match:2", "homeTeamName": "Arsenal SRL", "awayTeamName": "Everton SRL"},
        event | {"eventId": "sr:match:3", "status": 1},
        event | {"eventId": "sr:match:4", "estimateStartTime": 10**18},
        event | {"eventId": "sr:match:5", "banned": True},
    ]

    def leagues(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        data = [{"id": "sr:tournament:90011", "name": "Premier League", "events": [event, *odd, event]}]
        answer = {"bizCode": 10000, "message": "0#0", "data": data}
        return json.dumps(answer).encode() if path.endswith("pcEvents") else None

    answers = await discovered("sportybet", fetcher_for("sportybet", [body_of("sportybet_arsenal_everton")], leagues))
    assert [(listing.sr_id, listing.active) for listing in listings(answers)] == [(97000101, True), (5, False)]
    assert losses(answers) == {
        "virtual match": 1,
        "simulated match": 1,
        "already started": 1,
        "kick-off is not within the years 2000 to 2200": 1,
    }


@pytest.mark.parametrize(
    "refusal", [{"bizCode": 19000, "message": "Invalid"}, {"bizCode": 10000, "message": "0#0", "data": None}]
)
async def test_sportybet_refusal_fails_the_league(refusal: Json) -> None:
    """Another bizCode, or no data, is a failure; an empty list of leagues is an empty league."""

    def leagues(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        return json.dumps(refusal).encode() if path.endswith("pcEvents") else None

    bodies = [body_of("sportybet_arsenal_everton")]
    (failed,) = await discovered("sportybet", fetcher_for("sportybet", bodies, leagues))
    assert isinstance(failed, DiscoveryFailure)
    refusal |= {"bizCode": 10000, "data": []}
    (empty,) = await discovered("sportybet", fetcher_for("sportybet", bodies, leagues))
    assert empty == LeagueListings(bookmaker="sportybet", league="England / Premier League", listings=(), stated=1)


def bet9ja_event(**fields: Json) -> Json:
    """Return an event of a Bet9ja group."""
    event = body_of("bet9ja_arsenal_everton")["D"]
    return {name: event[name] for name in event if name not in ("O", "MK", "TRANS", "AUX")} | fields


async def test_bet9ja_collections_may_be_lists() -> None:
    """Sports, countries, leagues and events are read from lists as from objects; counts may be strings."""
    leagues = [{"G_DESC": "Premier League", "NUM": "21", "GID": 910011}, {"G_DESC": "No id", "NUM": 3}]
    countries = [{"SG_DESC": "England", "NUM": 24, "G": leagues}]
    tree = {"PAL": [{"S_DESC": "Soccer", "SID": 1, "SG": countries}, {"S_DESC": "Zoom Soccer", "SID": 77}]}

    def answers(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        if path.endswith("GetSports"):
            return json.dumps({"R": "OK", "D": tree}).encode()
        return json.dumps({"R": "OK", "D": {"E": {"0": bet9ja_event(), "5": bet9ja_event(ID=6)}}}).encode()

    found = await discovered("bet9ja", fetcher_for("bet9ja", [], answers))
    assert [answer.league for answer in found] == ["England / Premier League"]
    assert [listing.listing_id for listing in listings(found)] == ["810000037", "6"]


async def test_bet9ja_drops_what_is_no_match() -> None:
    """Outrights and undated events are counted; closed ones are not active, those without EXTID have no number."""
    events = [
        bet9ja_event(ID=1, DS="Premier League winner"),
        bet9ja_event(ID=2, STARTDATE="soon"),
        bet9ja_event(ID=3, ST=0),
        bet9ja_event(ID=4, EXTID=""),
        bet9ja_event(ID=5, EXTID=97000109, DS="Al-Ahly - Zamalek-SC"),
    ]

    def groups(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        return json.dumps({"R": "OK", "D": {"E": events}}).encode() if path.endswith("V2") else None

    answers = await discovered("bet9ja", fetcher_for("bet9ja", [body_of("bet9ja_arsenal_everton")], groups))
    assert [(listing.listing_id, listing.sr_id, listing.active) for listing in listings(answers)] == [
        ("3", 97000101, False),
        ("4", None, True),
        ("5", 97000109, True),
    ]
    assert [(listing.home, listing.away) for listing in listings(answers)][-1] == ("Al-Ahly", "Zamalek-SC")
    assert losses(answers) == {"not two teams": 1, "kick-off is no date": 1}


@pytest.mark.parametrize(
    ("body", "is_failure"),
    [
        ({"R": "OK", "D": {"E": []}}, False),
        ({"R": "OK", "D": {}}, False),
        ({"R": "OK", "D": False}, True),
        ({"R": "E"}, True),
    ],
)
async def test_bet9ja_empty_group_is_not_a_refused_one(body: Json, is_failure: bool) -> None:  # noqa: FBT001
    """A group without events is an empty league; no group at all is a failure."""

    def groups(path: str, _: Mapping[str, str], __: bytes) -> bytes | None:
        return json.dumps(body).encode() if path.endswith("V2") else None

    (answer,) = await discovered("bet9ja", fetcher_for("bet9ja", [body_of("bet9ja_arsenal_everton")], groups))
    assert isinstance(answer, DiscoveryFailure) == is_failure
    assert listings([answer]) == []
