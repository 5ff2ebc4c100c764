"""The command `normalise`: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from overround.cli.normalise import normalise
from tests.wire_bodies import encoded, naija_body, pawa_body, pawa_market, pawa_row, sporty_body, sporty_market

SPORTY = sporty_body(
    sporty_market("18", {"12": "1.85", "13": "1.00"}, specifier="total=2.5"),
    sporty_market("1", {"1": "2.40", "2": "3.30"}),
    sporty_market("999777", {"1": "2.0"}),
    sporty_market("29", {"74": "much"}),
)


OWN = """
[[market]]
bookmaker = "sportybet"
sport = "football"
id = "999777"
market = "both_teams_to_score"
outcomes = { 1 = "yes", 2 = "no" }
"""


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no settings file be found but a test's own."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, stdin: bytes = b"") -> Result:
    """Run the command."""
    app = typer.Typer()
    app.command()(normalise)
    return CliRunner().invoke(app, list(arguments), input=stdin)


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """Return a file with a sound body of SportyBet's."""
    path = tmp_path / "body.json"
    path.write_bytes(encoded(SPORTY))
    return path


def test_json_is_one_object_a_file(body: Path) -> None:
    """The object holds the event, its markets in catalogue order, and what could not be used."""
    result = run("sportybet", str(body), str(body), "--json")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first == second
    assert json.loads(first) == {
        "event": {
            "sr_id": 4711,
            "home": "Harbour United",
            "away": "Mill Town",
            "kickoff": "2026-05-06T11:00:00Z",
            "country": "Utopia",
            "tournament": "First League",
            "sport": "football",
        },
        "complete": True,
        "markets": [
            {
                "market": "match_result",
                "group": "main",
                "specifiers": {},
                "state": "active",
                "outcomes": [
                    {"outcome": "home", "price": "2.40", "state": "active"},
                    {"outcome": "draw", "price": "3.30", "state": "active"},
                ],
            },
            {
                "market": "total_goals",
                "group": "goals",
                "specifiers": {"line": "2.5"},
                "state": "active",
                "outcomes": [
                    {"outcome": "over", "price": "1.85", "state": "active"},
                    {"outcome": "under", "price": None, "state": "suspended"},
                ],
            },
        ],
        "unmapped": [{"id": "999777", "name": "Market 999777", "count": 1}],
        "dropped": [
            {"reason": "bad_price", "field": "29/74", "count": 1},
            {"reason": "no_outcomes", "field": "29", "count": 1},
        ],
    }


@pytest.mark.parametrize(
    ("bookmaker", "sound"),
    [
        ("sportybet", SPORTY),
        ("betpawa", pawa_body(pawa_market("3743", pawa_row({"3744": 2.4})))),
        ("bet9ja", naija_body({"S_1X2_1": "2.4"})),
    ],
)
def test_every_bookmaker_is_read_from_standard_input(bookmaker: str, sound: object) -> None:
    """A dash stands for standard input."""
    result = run(bookmaker, "-", "--json", stdin=encoded(sound))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["markets"][0]["market"] == "match_result"


def test_a_table_is_for_people(body: Path) -> None:
    """Without --json the same is printed as a table."""
    result = run("sportybet", str(body))
    assert result.exit_code == 0
    assert "Harbour United" in result.stdout
    assert "1 unmapped" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b"", "empty"),
        (b"<html>\n</html>", "HTML"),
        (b"garbage", "not JSON"),
        (b'{"bizCode": 10000, "data"', "damaged"),
        (b'{"bizCode": 19000, "message": "Invalid"}', "19000 Invalid"),
        (b'{"bizCode": 10000, "data": {"eventId": "sr:match:1"}}', "estimateStartTime"),
    ],
)
def test_a_body_that_is_none_ends_with_one_line(stdin: bytes, said: str) -> None:
    """The line names the bookmaker, the file and what is wrong."""
    result = run("sportybet", "-", "--json", stdin=stdin)
    assert result.exit_code == 1
    assert not result.stdout
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr
    assert "sportybet" in result.stderr
    assert "-:" in result.stderr


def test_some_failures_among_successes_are_partial(body: Path, tmp_path: Path) -> None:
    """Good files are printed, bad ones named, and the exit code says that it was some."""
    result = run("sportybet", str(tmp_path / "missing.json"), str(body), "--json")
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 1
    assert "missing.json: sportybet: No such file" in result.stderr


def test_an_unknown_bookmaker_is_a_mistake_of_usage(body: Path) -> None:
    """The line says which ones there are."""
    result = run("nobody", str(body))
    assert result.exit_code == 2
    assert "there are betpawa, sportybet, bet9ja" in result.stderr


def test_the_mapping_file_of_the_settings_counts(body: Path, tmp_path: Path) -> None:
    """A market that only the user's file maps is a market, as it is for the service."""
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    (tmp_path / "overround.toml").write_text('mapping_file = "own.toml"\n', encoding="utf-8")
    result = run("sportybet", str(body), "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["unmapped"] == []
    own = next(market for market in answer["markets"] if market["market"] == "both_teams_to_score")
    assert own["outcomes"] == [{"outcome": "yes", "price": "2.00", "state": "active"}]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (OWN.replace('"yes"', '"maybe"'), "own.toml:2: 999777: both_teams_to_score has no outcome maybe"),
        (OWN.replace('"sportybet"', '"nobody"'), "own.toml:2: no bookmaker 'nobody'; there are"),
    ],
)
def test_a_mistake_in_the_mapping_file_is_one_line(
    body: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, said: str
) -> None:
    """File and line are named, and nothing is normalised without the user's mappings."""
    (tmp_path / "own.toml").write_text(own, encoding="utf-8")
    monkeypatch.setenv("OVERROUND_MAPPING_FILE", "own.toml")
    result = run("sportybet", str(body), "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"overround: {said}")
    assert len(result.stderr.splitlines()) == 1


def test_settings_that_are_wrong_are_a_mistake_of_usage(body: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read, so what is wrong in them is said in one line."""
    monkeypatch.setenv("OVERROUND_PORT", "many")
    result = run("sportybet", str(body))
    assert result.exit_code == 2
    assert result.stderr.startswith("overround: settings: port: ")
    assert len(result.stderr.splitlines()) == 1
