"""Two teams in one text, and names as another layer of a site wrote them."""

import pytest

from overround.bookmakers.kit.names import two_teams
from overround.records.folding import folded, words_of
from overround.texts import plain_text


@pytest.mark.parametrize(
    ("text", "teams"),
    [
        ("Arsenal - Everton", ("Arsenal", "Everton")),
        ("Sport Recife \u2013 Bahia", ("Sport Recife", "Bahia")),
        ("Sport Recife\u2014Bahia", ("Sport Recife", "Bahia")),
        ("Saint-\u00c9tienne - Aix-en-Provence", ("Saint-\u00c9tienne", "Aix-en-Provence")),
        ("Arsenal vs. Everton", ("Arsenal", "Everton")),
        ("Arsenal v Everton", ("Arsenal", "Everton")),
        ("FC Porto - B - Benfica - U19", ("FC Porto B", "Benfica U19")),
        ("Brighton &amp; Hove Albion - Queen&#39;s Park", ("Brighton & Hove Albion", "Queen's Park")),
        ("Arsenal -  Everton ", ("Arsenal", "Everton")),
    ],
)
def test_two_teams_are_found(text: str, teams: tuple[str, str]) -> None:
    """Whatever dash or word parts them; hyphens within a name do not."""
    assert two_teams(text) == teams


@pytest.mark.parametrize("text", ["", "Winner of the league", " - ", "Arsenal - "])
def test_one_team_is_no_match(text: str) -> None:
    """Without two names there is no match."""
    assert two_teams(text) is None


def test_entities_become_their_characters() -> None:
    """Also where the site wrote them twice."""
    assert plain_text("Bodø &amp;amp; Co &lt;3") == "Bodø & Co <3"


def test_folding_leaves_letters_alone() -> None:
    """Case, diacritics and letters with strokes go; words part at everything else."""
    assert folded("São Paulo") == "sao paulo"
    assert words_of("Bodø/Glimt ŁKS") == ("bodo", "glimt", "lks")
