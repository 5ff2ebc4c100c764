"""`overround markets` and `overround doctor`, on captures written here."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from overround.cli.main import app
from overround.cli.output import ExitCode
from tests.wire_bodies import encoded, naija_body, sporty_body, sporty_market

OWN = """
[[market]]
bookmaker = "bet9ja"
sport = "football"
id = "S_1X2"
market = "match_result"
outcomes = { 1 = "away", 2 = "home" }

[[market]]
bookmaker = "bet9ja"
sport = "football"
id = "S_NEW"
market = "both_teams_to_score"
outcomes = { Y = "yes", N = "no" }
"""


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no settings and no running service of this machine be found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVERROUND_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """Write captures of one match at two bookmakers, and a file that is none."""
    folder = tmp_path / "captures"
    folder.mkdir()
    odds = {"S_1X2_1": "2.0", "S_1X2_X": "3.4", "S_1X2_2": "3.6", "S_NEW_Y": "1.8", "S_NEW_N": "1.9"}
    (folder / "bet9ja_match.json").write_bytes(encoded(naija_body(odds)))
    result = sporty_market("1", {"1": "2.02", "2": "3.35", "3": "3.60"})
    (folder / "anything.json").write_bytes(encoded(sporty_body(result)))
    (folder / "bet9ja_broken.json").write_text("{}")
    return folder


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def answer(*arguments: object, code: int = 0) -> Any:
    """Run the command with --json, and return what it prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def test_list_and_show() -> None:
    """The catalogue can be looked through, by sport and group, and market by market."""
    markets = answer("markets", "list", "--sport", "football", "--group", "halves")["markets"]
    assert {(market["sport"], market["group"]) for market in markets} == {("football", "halves")}
    shown = answer("markets", "show", "match_result_and_total_goals")
    assert shown["parts"] == ["match_result", "total_goals"]
    assert shown["mapped_by"] == ["betpawa", "sportybet", "bet9ja"]
    assert "Match result (1X2)" in run("markets", "show", "match_result").stdout
    assert run("markets", "show", "no_such_market").exit_code == ExitCode.USAGE


def test_coverage_of_captures(captures: Path) -> None:
    """Every event is counted, by the format where the name does not tell, and what is none is named."""
    report = answer("markets", "coverage", "--captures", captures)
    found = {one["bookmaker"]: one for one in report["coverage"]}
    assert (found["bet9ja"]["mapped"], found["bet9ja"]["unmapped_count"], found["bet9ja"]["share"]) == (1, 1, 0.5)
    assert found["bet9ja"]["unmapped"] == [{"id": "S_NEW", "name": "Market S_NEW", "count": 1}]
    assert found["sportybet"]["share"] == 1
    assert [Path(one["file"]).name for one in report["skipped"]] == ["bet9ja_broken.json"]
    table = run("markets", "coverage", "--captures", captures).stdout
    assert "50.0%" in table
    assert "S_NEW" in table


def test_coverage_without_captures_needs_the_service(tmp_path: Path) -> None:
    """No service, no captures, or none among the files: each has its exit code."""
    assert run("markets", "coverage").exit_code == ExitCode.NOTHING_TO_DO
    assert run("markets", "coverage", "--captures", tmp_path / "none").exit_code == ExitCode.FAILED
    (tmp_path / "empty").mkdir()
    assert run("markets", "coverage", "--captures", tmp_path / "empty").exit_code == ExitCode.FAILED


def test_try_shows_every_price_that_would_be_another(captures: Path, tmp_path: Path) -> None:
    """Prices added, changed and removed are named with both values."""
    own = tmp_path / "own.toml"
    own.write_text(OWN, encoding="utf-8")
    report = answer("markets", "try", own, "--captures", captures)
    seen = {(one["change"], one["market"], one["outcome"], one["before"], one["after"]) for one in report["changes"]}
    assert seen == {
        ("changed", "match_result", "home", "2.00", "3.60"),
        ("changed", "match_result", "away", "3.60", "2.00"),
        ("removed", "match_result", "draw", "3.40", None),
        ("added", "both_teams_to_score", "yes", None, "1.80"),
        ("added", "both_teams_to_score", "no", None, "1.90"),
    }
    assert "5 prices" in run("markets", "try", own, "--captures", captures).stdout
    own.write_text("")
    assert run("markets", "try", own, "--captures", captures).exit_code == ExitCode.NOTHING_TO_DO


def test_a_mistake_in_a_mapping_file_is_one_line(captures: Path, tmp_path: Path) -> None:
    """File and line stand in front."""
    own = tmp_path / "own.toml"
    own.write_text(OWN.replace('"yes"', '"maybe"'), encoding="utf-8")
    result = run("markets", "try", own, "--captures", captures)
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == f"overround: {own}:9: S_NEW: both_teams_to_score has no outcome maybe\n"


def test_the_mapping_file_of_the_settings_counts(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coverage and doctor see what the service would see."""
    own = tmp_path / "own.toml"
    own.write_text(OWN, encoding="utf-8")
    monkeypatch.setenv("OVERROUND_MAPPING_FILE", str(own))
    report = answer("markets", "coverage", "--captures", captures)
    assert {one["bookmaker"]: one["unmapped_count"] for one in report["coverage"]} == {"bet9ja": 0, "sportybet": 0}
    findings = answer("doctor", "--markets", "--captures", captures, code=ExitCode.PARTIAL)["findings"]
    assert {(one["check"], tuple(one["bookmakers"])) for one in findings} == {("agreement", ("sportybet", "bet9ja"))}


def test_doctor_is_content_with_sound_captures(captures: Path) -> None:
    """Two bookmakers' responses of one match are one event."""
    report = answer("doctor", "--markets", "--captures", captures)
    assert report == {"events": 1, "markets": 2, "total": 0, "findings": []}
    assert "0 findings" in run("doctor", "--markets", "--captures", captures).stdout
    assert run("doctor", "--markets", "--integrity").exit_code == ExitCode.USAGE
    assert run("doctor", "--captures", captures).exit_code == ExitCode.USAGE
    assert run("doctor", "--markets").exit_code == ExitCode.NOTHING_TO_DO
